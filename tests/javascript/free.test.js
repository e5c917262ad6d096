import assert from "node:assert/strict";
import test from "node:test";

import { coveredBy } from "../../app/terraseek_app/map/static/free.js";

const frame = { left: 0, top: 50, right: 1400, bottom: 900, width: 1400, height: 850 };
const box = (left, top, right, bottom) => ({ left, top, right, bottom });

test("a panel covers the map from its side up to its inner edge", () => {
  assert.deepEqual(coveredBy(box(250, 60, 1000, 140), frame, "top"), ["top", 90]);
  assert.deepEqual(coveredBy(box(0, 50, 250, 900), frame, "left"), ["left", 250]);
  assert.deepEqual(coveredBy(box(1000, 50, 1400, 900), frame, "right"), ["right", 400]);
  assert.deepEqual(coveredBy(box(660, 400, 990, 860), frame, "corner"), ["corner", 740]);
});

test("a panel beside the map, or of no size, covers nothing", () => {
  assert.deepEqual(coveredBy(box(0, 900, 1400, 1000), frame, "top"), ["top", 0]);
  assert.deepEqual(coveredBy(box(0, 0, 0, 0), frame, "right"), ["right", 0]);
});

test("a sheet over the lower edge covers the bottom", () => {
  assert.deepEqual(coveredBy(box(0, 600, 1400, 900), frame, "corner"), ["bottom", 300]);
});
