import assert from "node:assert/strict";
import test from "node:test";

import { handleAt, inserted, middles, moved, removed, shifted } from "../../app/terraseek_app/map/static/corners.js";

const SQUARE = [[0, 0], [10, 0], [10, 10], [0, 10]];
const TRIANGLE = [[20, 0], [30, 0], [20, 10]];
const RINGS = [SQUARE, TRIANGLE];
const project = ([lon, lat]) => ({ x: 10 * lon, y: -10 * lat });

test("a corner is moved, and nothing else changes", () => {
  const found = moved(RINGS, 0, 2, [12, 13]);
  assert.deepEqual(found, [[[0, 0], [10, 0], [12, 13], [0, 10]], TRIANGLE]);
  assert.deepEqual(RINGS[0][2], [10, 10]);
});

test("the middle of an edge becomes a corner, the last edge too", () => {
  assert.deepEqual(inserted(RINGS, 0, 0, [5, -1])[0].slice(0, 3), [[0, 0], [5, -1], [10, 0]]);
  assert.deepEqual(inserted(RINGS, 0, 3, [-1, 5])[0].at(-1), [-1, 5]);
  assert.deepEqual(middles(SQUARE), [[5, 0], [10, 5], [5, 10], [0, 5]]);
});

test("a shape that would have two corners is removed", () => {
  assert.deepEqual(removed(RINGS, 0, 1), [[[0, 0], [10, 10], [0, 10]], TRIANGLE]);
  assert.deepEqual(removed(RINGS, 1, 0), [SQUARE]);
});

test("the nearest handle in reach is found, corners before middles", () => {
  assert.deepEqual(handleAt(RINGS, { x: 103, y: -2 }, project, 9), { ring: 0, corner: 1, isMiddle: false });
  assert.deepEqual(handleAt(RINGS, { x: 252, y: 1 }, project, 9), { ring: 1, corner: 0, isMiddle: true });
  assert.equal(handleAt(RINGS, { x: 50, y: -50 }, project, 9), null);
});

test("a whole shape is moved, and stays on the map", () => {
  assert.deepEqual(shifted(RINGS, 1, [1, -2]), [SQUARE, [[21, -2], [31, -2], [21, 8]]]);
  assert.deepEqual(shifted(RINGS, 0, [0, 80])[0].map((corner) => corner[1]), [75, 75, 85, 85]);
  assert.deepEqual(shifted(RINGS, 0, [0, -90])[0].map((corner) => corner[1]), [-85, -85, -75, -75]);
});
