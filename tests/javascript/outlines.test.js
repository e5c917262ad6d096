// Regions of a small map: areas, outlines with holes, winners of several maps.
import assert from "node:assert/strict";
import { test } from "node:test";

import { NONE, tint, winners } from "../../app/terraseek_app/map/static/compare.js";
import {
  areaText, components, groundArea, latitude, mercatorY, regionsAbove, simplified,
} from "../../app/terraseek_app/map/static/outlines.js";

function map(rows) {
  const values = Uint8Array.from(rows.join("").split("").map((digit) => 25 * Number(digit)));
  return { values, opacities: new Uint8Array(values.length).fill(255), width: rows[0].length, height: rows.length };
}

test("areas that touch only at a corner are apart", () => {
  const { values, opacities, width } = map(["900", "090", "009"]);
  assert.deepEqual(components(values, opacities, width, 100).areas, [0, 1, 1, 1]);
});

test("a region has its area, its peak and an outline with a hole", () => {
  const rows = [
    "0000000000", "0555555550", "0555555550", "0550000550", "0550000550",
    "0550000590", "0555555550", "0555555550", "0000000000", "0000000000",
  ];
  const [only, ...others] = regionsAbove(map(rows), 100);
  assert.equal(others.length, 0);
  assert.equal(only.area, 8 * 7 - 4 * 3);
  assert.deepEqual(only.peak, [0.85, 0.55]);
  assert.equal(only.rings.length, 2);
  const xs = only.rings[0].map(([x]) => x);
  assert.deepEqual([Math.min(...xs), Math.max(...xs)], [0.1, 0.9]);
  const inner = only.rings[1].map(([x]) => x);
  assert.deepEqual([Math.min(...inner), Math.max(...inner)].map((x) => Math.round(10 * x)), [3, 7]);
});

test("invalid pixels belong to no region, and small regions are left out", () => {
  const given = map(["99900", "99900", "00009", "00000"]);
  given.opacities[0] = 0;
  assert.deepEqual(regionsAbove(given, 100, 2).map((one) => one.area), [5]);
  assert.deepEqual(regionsAbove(given, 100, 1).map((one) => one.area), [5, 1]);
  assert.deepEqual(regionsAbove(given, 100, 50).length, 2);
});

test("the map with the highest score wins where it reaches the threshold", () => {
  const one = { ...map(["90", "50"]), low: 0, high: 1, candidate: true };
  const other = { ...map(["90", "59"]), low: 0, high: 1.5, candidate: true };
  assert.deepEqual([...winners([one, other], 0.6)], [1, NONE, NONE, 1]);
  assert.deepEqual([...winners([one, { ...other, candidate: false }], 0.4)], [0, NONE, 0, NONE]);
});

test("a tint is transparent below the threshold and grows above it", () => {
  const words = tint("#E69F00", 100);
  assert.equal(words[99], 0);
  assert.equal(words[255] >>> 0, 0xff009fe6);
  assert.ok(words[100] >>> 24 < words[200] >>> 24);
});

test("a straight line has two points", () => {
  assert.deepEqual(simplified([[0, 0], [1, 0.2], [2, 0], [3, 0]], 1), [[0, 0], [3, 0]]);
});

test("areas on the ellipsoid", () => {
  // one degree of longitude at the equator by one of latitude is 12,309 square kilometres
  const surface = (Math.PI / 180) * (mercatorY(0.5) - mercatorY(-0.5));
  assert.ok(Math.abs((surface * groundArea(0)) / 1e6 - 12309) < 2);
  assert.ok(Math.abs(latitude(mercatorY(-61.3)) + 61.3) < 1e-9);
  assert.deepEqual([840, 34210, 2150000].map(areaText), ["840 m²", "3.42 ha", "2.15 km²"]);
});
