// Heat maps that MapLibre would draw black: square, and a power of two wide.
import assert from "node:assert/strict";
import { test } from "node:test";

import { doubled, needsStretch } from "../../app/terraseek_app/map/static/heat.js";

test("square maps with a power of two are stretched, others are not", () => {
  for (const side of [1, 64, 128, 1024]) assert.equal(needsStretch({ width: side, height: side }), true);
  assert.equal(needsStretch({ width: 300, height: 300 }), false);
  assert.equal(needsStretch({ width: 128, height: 64 }), false);
});

test("columns are doubled, linear between valid ones", () => {
  const wide = doubled({ values: [0, 100, 8, 16], opacities: [255, 255, 255, 0] }, 2, 2);
  assert.deepEqual([...wide.values], [0, 25, 75, 100, 8, 8, 14, 16]);
  assert.deepEqual([...wide.opacities], [255, 255, 255, 255, 255, 255, 0, 0]);
});
