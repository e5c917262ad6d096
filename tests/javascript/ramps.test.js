// Colour ramps: end points, clamping, the look-up table that hides values under a threshold.
import assert from "node:assert/strict";
import { test } from "node:test";

import { NAMES, colour, css, table } from "../../app/terraseek_app/map/static/ramps.js";

const bytes = (word) => [word & 255, (word >>> 8) & 255, (word >>> 16) & 255, word >>> 24];

test("ends of a ramp are its first and last control point, and values beyond are clamped", () => {
  assert.deepEqual(colour("viridis", 0), [0x44, 0x01, 0x54]);
  assert.deepEqual(colour("viridis", 1), [0xfd, 0xe7, 0x25]);
  assert.deepEqual(colour("viridis", -3), colour("viridis", 0));
  assert.deepEqual(colour("viridis", 7), colour("viridis", 1));
});

test("between two control points colours are interpolated", () => {
  const [a, b] = [colour("plasma", 0), colour("plasma", 1 / 9)];
  assert.deepEqual(colour("plasma", 0.5 / 9), a.map((v, i) => Math.round((v + b[i]) / 2)));
});

test("a table holds the ramp as RGBA and clears what is under the threshold", () => {
  for (const name of NAMES) {
    const all = table(name, 0);
    assert.equal(all.length, 256);
    assert.deepEqual(bytes(all[255]), [...colour(name, 1), 255]);
    assert.equal(bytes(all[0])[3], 255);
    const cut = table(name, 128);
    assert.equal(bytes(cut[127])[3], 0);
    assert.equal(bytes(cut[128])[3], 0);
    assert.ok(bytes(cut[133])[3] > 0 && bytes(cut[133])[3] < 255);
    assert.equal(bytes(cut[138])[3], 255);
  }
});

test("a ramp as CSS", () => {
  assert.equal(css("inferno", 0), "rgb(0,0,4)");
});
