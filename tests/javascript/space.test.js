// Geometry of the map's tools: boxes across the antimeridian, circles over the poles, pixel space.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Globe, boxOf, circlePolygon, circleRing, ringOf, unwrapped }
  from "../../app/terraseek_app/map/static/space.js";

const EARTH_KM = 6371.0088;
const at = (lng, lat) => ({ lng, lat });

function distanceKm([lon0, lat0], [lon1, lat1]) {
  const rad = Math.PI / 180;
  const half = Math.sin(((lat1 - lat0) * rad) / 2) ** 2
    + Math.cos(lat0 * rad) * Math.cos(lat1 * rad) * Math.sin(((lon1 - lon0) * rad) / 2) ** 2;
  return 2 * EARTH_KM * Math.asin(Math.sqrt(half));
}

test("a box is west, south, east, north whichever corner is drawn first", () => {
  const globe = new Globe();
  const box = [2, 40, 9, 50];
  assert.deepEqual(boxOf(globe, at(2, 40), at(9, 50)), box);
  assert.deepEqual(boxOf(globe, at(9, 40), at(2, 50)), box);
});

test("a box across the antimeridian has west > east", () => {
  assert.deepEqual(boxOf(new Globe(), at(170, -10), at(190, 10)), [170, -10, -170, 10]);
  assert.deepEqual(boxOf(new Globe(), at(-190, -10), at(-170, 10)), [170, -10, -170, 10]);
});

test("a box around the globe or beyond is the whole globe between its latitudes", () => {
  assert.deepEqual(boxOf(new Globe(), at(-200, -95), at(200, 95)), [-180, -90, 180, 90]);
});

test("the ring of a box across the antimeridian goes on past 180", () => {
  assert.deepEqual(ringOf(new Globe(), [170, -10, -170, 10]),
    [[170, -10], [190, -10], [190, 10], [170, 10], [170, -10]]);
});

test("a shape drawn a turn away keeps its form and its west lies on the globe", () => {
  assert.deepEqual(unwrapped([[530, 1], [550, 2], [540, 3]]), [[170, 1], [190, 2], [180, 3]]);
});

test("all points of a circle have its radius and the ring is closed", () => {
  for (const [lon, lat, km] of [[0, 0, 500], [179, 60, 1200], [-75, -33, 3], [10, 89, 50]]) {
    const ring = circleRing([lon, lat, km]);
    assert.deepEqual(ring[0], ring.at(-1));
    for (const point of ring) {
      assert.ok(Math.abs(distanceKm([lon, lat], point) - km) < km * 1e-6, `${point} of ${km} km`);
    }
  }
});

test("a circle around a pole runs along the pole's edge of the map", () => {
  const latitudes = circleRing([10, 85, 2000]).map((point) => point[1]);
  assert.equal(latitudes.filter((lat) => lat === 90).length, 2);
});

test("a circle that holds both poles is a hole in the whole map", () => {
  const [outer, hole] = circlePolygon([0, 0, 15000]);
  assert.equal(outer.length, 5);
  assert.ok(hole.length > 90);
  assert.equal(circlePolygon([0, 0, 500]).length, 1);
});
