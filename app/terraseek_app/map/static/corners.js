// Editing of polygons, without a map: rings are lists of [lon, lat] whose first corner is not repeated.

export const MIN_CORNERS = 3;
const MAX_LAT = 85;

// The rings with a corner moved.
export function moved(rings, ring, corner, to) {
  return rings.map((one, i) => (i === ring ? one.map((at, j) => (j === corner ? to : at)) : one));
}

// The rings with a new corner after `corner`.
export function inserted(rings, ring, corner, at) {
  return rings.map((one, i) => (i === ring ? [...one.slice(0, corner + 1), at, ...one.slice(corner + 1)] : one));
}

// The rings without a corner; a ring that would have fewer than three is removed.
export function removed(rings, ring, corner) {
  return rings
    .map((one, i) => (i === ring ? one.filter((_, j) => j !== corner) : one))
    .filter((one) => one.length >= MIN_CORNERS);
}

// The rings with one of them moved by [lon, lat], as far as no corner passes a pole of the map.
export function shifted(rings, ring, [lon, lat]) {
  const lats = rings[ring].map((corner) => corner[1]);
  const up = Math.max(-MAX_LAT - Math.min(...lats), Math.min(MAX_LAT - Math.max(...lats), lat));
  return rings.map((one, i) => (i === ring ? one.map(([x, y]) => [x + lon, y + up]) : one));
}

// The corner or the middle of an edge next to a point of the screen, within `reach` pixels; corners go
// first. `project` gives the place of [lon, lat] on the screen.
export function handleAt(rings, point, project, reach) {
  let found = null;
  let best = reach;
  const look = (place, handle) => {
    const at = project(place);
    const distance = Math.hypot(at.x - point.x, at.y - point.y);
    if (distance <= best) [best, found] = [distance, handle];
  };
  rings.forEach((one, ring) => one.forEach((place, corner) => look(place, { ring, corner, isMiddle: false })));
  if (found) return found;
  rings.forEach((one, ring) => middles(one).forEach((place, corner) => look(place, { ring, corner, isMiddle: true })));
  return found;
}

// The middles of a ring's edges; the n-th lies between the corners n and n + 1.
export function middles(ring) {
  return ring.map((a, i) => {
    const b = ring[(i + 1) % ring.length];
    return [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  });
}
