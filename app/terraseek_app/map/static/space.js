// Two spaces the map can show: the globe (lon, lat) and a picture's own pixels (col, row).
// Pixels are laid linearly into a small square of the Mercator plane around (0, 0), so that
// MapLibre's own projection turns them into straight rows and columns.

const SHARE = 2000; // the picture's longer side takes 1/2000 of the world's width

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
    this.unit = 1 / (Math.max(width, height) * SHARE);
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

// Box of two corners in map coordinates: [west, south, east, north] on the globe (west > east
// across the antimeridian), [col0, row0, col1, row1] with row downwards in pixels.
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

// Corners shifted by whole turns so that their west lies in -180..180; they may go on past 180.
export function unwrapped(corners) {
  const west = Math.min(...corners.map((corner) => corner[0]));
  const shift = wrap(west) - west;
  return corners.map(([lng, lat]) => [lng + shift, lat]);
}

const EARTH_KM = 6371.0088;
const STEPS = 96;

// Points at the same distance from a centre, as a closed ring; around a pole it runs along its edge.
export function circleRing([lon, centre, km]) {
  const lat = Math.min(89.9999, Math.max(-89.9999, centre)); // on a pole itself all bearings are one
  const rad = Math.PI / 180;
  const reach = Math.min(km / EARTH_KM, Math.PI - 1e-6);
  const ring = [];
  for (let step = 0; step <= STEPS; step++) {
    const bearing = (step / STEPS) * 2 * Math.PI;
    const sine = Math.sin(lat * rad) * Math.cos(reach)
      + Math.cos(lat * rad) * Math.sin(reach) * Math.cos(bearing);
    const east = Math.atan2(
      Math.sin(bearing) * Math.sin(reach) * Math.cos(lat * rad),
      Math.cos(reach) - Math.sin(lat * rad) * sine,
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
  const pole = lat + reach / rad > 90 ? 90 : -90;
  return [...ring, [last[0], pole], [first[0], pole], first];
}

// The same as a polygon: beyond a quarter of the globe, with both poles inside, the ring goes around
// what is left out, so it is a hole in the whole map.
export function circlePolygon([lon, lat, km]) {
  const ring = circleRing([lon, lat, km]);
  const reach = (km / EARTH_KM) * (180 / Math.PI);
  if (Math.abs(lat) + 90 >= reach) return [ring];
  const [west, east] = [ring[0][0] - 180, ring[0][0] + 180];
  return [[[west, -90], [east, -90], [east, 90], [west, 90], [west, -90]], ring];
}

export function boundsOf(points) {
  const bounds = new window.maplibregl.LngLatBounds();
  for (const point of points) bounds.extend(point);
  return bounds;
}
