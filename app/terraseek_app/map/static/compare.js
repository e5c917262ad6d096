// Several heat maps of one scene: which of them wins where. As `terraseek.localization.compare`, with the
// 8-bit values of the overlays.

import { parsed } from "./ramps.js";

export const NONE = 255;

// Index of the winning layer at each pixel, or NONE. threshold is 0-1 of each layer's own range.
export function winners(layers, threshold) {
  const { length } = layers[0].values;
  const winner = new Uint8Array(length).fill(NONE);
  const best = new Float32Array(length).fill(-Infinity);
  const lowest = Math.round(threshold * 255);
  layers.forEach(({ values, opacities, low, high, candidate }, index) => {
    if (!candidate || values.length !== length) return;
    const step = (high - low) / 255;
    for (let i = 0; i < length; i++) {
      if (values[i] < lowest || opacities[i] < 128) continue;
      const score = low + step * values[i];
      if (score > best[i]) {
        best[i] = score;
        winner[i] = index;
      }
    }
  });
  return winner;
}

// 256 colours of one hue as little-endian RGBA words; transparent below the threshold. A sentence
// without evidence in the scene is faint.
const FAINTEST = 0.45;
const NO_EVIDENCE = 0.5;
export function tint(hex, threshold, candidate = true) {
  const most = candidate ? 255 : 255 * NO_EVIDENCE;
  const [r, g, b] = parsed(hex);
  const words = new Uint32Array(256);
  for (let v = Math.max(threshold, 0); v < 256; v++) {
    const share = threshold >= 255 ? 1 : (v - threshold) / (255 - threshold);
    const alpha = Math.round(most * (FAINTEST + (1 - FAINTEST) * share));
    words[v] = ((alpha << 24) | (b << 16) | (g << 8) | r) >>> 0;
  }
  return words;
}
