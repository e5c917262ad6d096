// Colours of a heat map's codes: by level, stretched, of several sentences.
import assert from "node:assert/strict";
import { test } from "node:test";

import { colour } from "../../app/terraseek_app/map/static/ramps.js";
import { legendGradient, levelOf, line, wordsOf } from "../../app/terraseek_app/map/static/scale.js";

const bytes = (word) => [word & 255, (word >>> 8) & 255, (word >>> 16) & 255, word >>> 24];
const levels = { low: 0.1, high: 0.5, possible: 0.25, likely: 0.5 }; // possible from 0.2, likely from 0.3
const absent = { low: 0.05, high: 0.15, value_range: [0, 0.16], levels };
const there = { low: 0.05, high: 0.4, value_range: [0, 0.45], levels };
const style = { ramp: "turbo", threshold: 0, stretch: false };
const at = (words, overlay, score) => {
  const [from, to] = overlay.value_range;
  return bytes(words[Math.round(((score - from) / (to - from)) * 65535)]);
};

test("a map without evidence is nearly invisible by level and opaque stretched", () => {
  assert.ok(at(wordsOf(absent, style), absent, 0.16)[3] < 60);
  assert.equal(at(wordsOf(absent, style), absent, 0.1)[3], 0);
  assert.deepEqual(at(wordsOf(absent, { ...style, stretch: true }), absent, 0.15), [...colour("turbo", 1), 255]);
});

test("the same score has the same colour in two maps by level, and another one stretched", () => {
  const other = { ...there, low: 0.1, high: 0.45, value_range: [0.02, 0.5] };
  for (const score of [0.22, 0.31, 0.44]) {
    const [one, two] = [there, other].map((overlay) => at(wordsOf(overlay, style), overlay, score));
    assert.deepEqual(one, two);
    assert.equal(one[3], score === 0.22 ? one[3] : 255);
  }
  const stretched = [there, other].map((overlay) => at(wordsOf(overlay, { ...style, stretch: true }), overlay, 0.22));
  assert.notDeepEqual(...stretched);
});

test("the threshold hides scores on both scales", () => {
  for (const stretch of [false, true]) {
    const words = wordsOf(there, { ...style, threshold: 0.8, stretch }); // 0.05 + 0.8 * 0.35 = 0.33
    assert.equal(at(words, there, 0.32)[3], 0);
    assert.equal(at(words, there, 0.4)[3], 255);
  }
});

test("one of several sentences keeps its colour and is faint without evidence", () => {
  const words = wordsOf({ ...there, colour: "#ff0000" }, style);
  assert.deepEqual(at(words, there, 0.4).slice(0, 3), [255, 0, 0]);
  assert.ok(at(words, there, 0.4)[3] > 4 * at(words, there, 0.17)[3]);
});

test("the legend has the ramp's ends, and by level the opacity of the map", () => {
  const stretched = legendGradient(absent, { ...style, stretch: true });
  assert.match(stretched, /^linear-gradient\(90deg, rgba\(48,18,59,1\.00\) 0\.0%, .*rgba\(122,4,3,1\.00\) 100\.0%\)$/);
  assert.match(legendGradient(absent, style), /^linear-gradient\(90deg, rgba\(48,18,59,0\.00\) 0\.0%, .*rgba\(122,4,3,1\.00\) 100\.0%\)$/);
});

test("levels of scores, and positions without a range of values", () => {
  assert.deepEqual([0.19, 0.2, 0.3].map((score) => levelOf(there, score)), ["none", "possible", "likely"]);
  assert.equal(levelOf({ levels: null }, 0.4), null);
  const [from, step] = line({ low: 0.1, high: 0.3 }, 0.1, 0.3);
  assert.equal(from, 0);
  assert.ok(Math.abs(from + 65535 * step - 1) < 1e-9);
});
