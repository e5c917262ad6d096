// The two coordinate spaces of the map: the globe (lon, lat), and the pixels of an image (col, row).
// Pixels are mapped linearly to a small square of the Mercator plane around (0, 0), so that rows and
// columns stay straight in MapLibre's projection.

const WORLD_WIDTHS = 2000; // the width of the world in lengths of the image's longer side

export class Globe {
  isPixels = false;
  toMap(point) {
    return point;
  }
  fromMap(lngLat) {
    const wrapped = lngLat.wrap();
    return [wrapped.lng, wrapped.lat];
  }
  label([lon, lat]) {
    return `lon ${lon.toFixed(5)}  lat ${lat.toFixed(5)}`;
  }
  copyText([lon, lat]) {
    return `${lon.toFixed(6)}, ${lat.toFixed(6)}`;
  }
}

export class Pixels {
  isPixels = true;
  constructor([width, height]) {
    this.width = width;
    this.height = height;
    this.unit = 1 / (Math.max(width, height) * WORLD_WIDTHS);
  }
  toMap([col, row]) {
    const x = 0.5 + (col - this.width / 2) * this.unit;
    const y = 0.5 + (row - this.height / 2) * this.unit;
    const at = new window.maplibregl.MercatorCoordinate(x, y).toLngLat();
    return [at.lng, at.lat];
  }
  fromMap(lngLat) {
    const at = window.maplibregl.MercatorCoordinate.fromLngLat(lngLat);
    return [
      (at.x - 0.5) / this.unit + this.width / 2,
      (at.y - 0.5) / this.unit + this.height / 2,
    ];
  }
  corners() {
    const { width, height } = this;
    return [[0, 0], [width, 0], [width, height], [0, height]].map((p) => this.toMap(p));
  }
  label([col, row]) {
    return `col ${Math.floor(col)}  row ${Math.floor(row)}`;
  }
  copyText([col, row]) {
    return `${Math.floor(col)}, ${Math.floor(row)}`;
  }
}

// The box of two opposite corners in map coordinates: [west, south, east, north] on the globe (west >
// east across the antimeridian), or [col0, row0, col1, row1] in pixels, with rows downwards.
export function boxOf(space, a, b) {
  if (space.isPixels) {
    const [p, q] = [space.fromMap(a), space.fromMap(b)];
    const clamp = (v, high) => Math.min(Math.max(v, 0), high);
    return [
      clamp(Math.min(p[0], q[0]), space.width), clamp(Math.min(p[1], q[1]), space.height),
      clamp(Math.max(p[0], q[0]), space.width), clamp(Math.max(p[1], q[1]), space.height),
    ];
  }
  const south = Math.max(-90, Math.min(a.lat, b.lat));
  const north = Math.min(90, Math.max(a.lat, b.lat));
  const left = Math.min(a.lng, b.lng);
  const right = Math.max(a.lng, b.lng);
  if (right - left >= 360) return [-180, south, 180, north];
  return [wrap(left), south, wrap(right), north];
}

function wrap(lng) {
  return ((((lng + 180) % 360) + 360) % 360) - 180;
}

// The box as a closed ring in map coordinates.
export function ringOf(space, [a, b, c, d]) {
  if (space.isPixels) {
    return [[a, b], [c, b], [c, d], [a, d], [a, b]].map((p) => space.toMap(p));
  }
  const east = c < a ? c + 360 : c;
  return [[a, b], [east, b], [east, d], [a, d], [a, b]];
}

// Corners shifted by multiples of 360 degrees so that the westernmost is in -180..180; others may
// exceed 180.
export function unwrapped(corners) {
  const west = Math.min(...corners.map((corner) => corner[0]));
  const shift = wrap(west) - west;
  return corners.map(([lng, lat]) => [lng + shift, lat]);
}

const EARTH_KM = 6371.0088;
const STEPS = 96;

// The circle around a centre as a closed ring; around a pole, the ring follows the edge of the map.
export function circleRing([lon, centre, km]) {
  const lat = Math.min(89.9999, Math.max(-89.9999, centre)); // at a pole itself, bearings are undefined
  const rad = Math.PI / 180;
  const angle = Math.min(km / EARTH_KM, Math.PI - 1e-6);
  const ring = [];
  for (let step = 0; step <= STEPS; step++) {
    const bearing = (step / STEPS) * 2 * Math.PI;
    const sine = Math.sin(lat * rad) * Math.cos(angle)
      + Math.cos(lat * rad) * Math.sin(angle) * Math.cos(bearing);
    const east = Math.atan2(
      Math.sin(bearing) * Math.sin(angle) * Math.cos(lat * rad),
      Math.cos(angle) - Math.sin(lat * rad) * sine,
    );
    let lng = lon + east / rad;
    if (ring.length) lng += 360 * Math.round((ring.at(-1)[0] - lng) / 360);
    ring.push([lng, Math.asin(Math.min(1, Math.max(-1, sine))) / rad]);
  }
  const [first, last] = [ring[0], ring.at(-1)];
  if (Math.abs(last[0] - first[0]) < 180) {
    ring[ring.length - 1] = first;
    return ring;
  }
  const pole = lat + angle / rad > 90 ? 90 : -90;
  return [...ring, [last[0], pole], [first[0], pole], first];
}

// The circle as a polygon. If it contains both poles, its ring surrounds the area outside the circle,
// and is a hole in a polygon of the whole map.
export function circlePolygon([lon, lat, km]) {
  const ring = circleRing([lon, lat, km]);
  const angle = (km / EARTH_KM) * (180 / Math.PI);
  if (Math.abs(lat) + 90 >= angle) return [ring];
  const [west, east] = [ring[0][0] - 180, ring[0][0] + 180];
  return [[[west, -90], [east, -90], [east, 90], [west, 90], [west, -90]], ring];
}

export function boundsOf(points) {
  const bounds = new window.maplibregl.LngLatBounds();
  for (const point of points) bounds.extend(point);
  return bounds;
}
