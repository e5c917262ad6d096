// Colours of a heat map's scores: by level, the same in every scene, or stretched to one scene. As
// `ColourScale` of the library.

import { tint } from "./compare.js";
import { table } from "./ramps.js";

const HIGHEST_CODE = 65535;
const FAINT = 0.25; // opacity just below the level possible: nearly invisible
const SOFT_EDGE = 10 / 255;

export const LEVEL_COLOURS = { likely: "#0072b2", possible: "#e69f00", none: "#999999", unknown: "#cc79a7" };
export const LEVEL_WORDS = { likely: "likely", possible: "possible", none: "no evidence" };

// [at code 0, step per code] of the position (0-1) of a code between two scores.
export function line(overlay, low, high) {
  const [from, to] = overlay.value_range ?? [overlay.low, overlay.high];
  return [(from - low) / (high - low), (to - from) / (HIGHEST_CODE * (high - low))];
}

export function byLevel(overlay, style) {
  return Boolean(overlay.levels) && !style.stretch;
}

// Level of a score; null where the levels are unknown.
export function levelOf({ levels }, score) {
  if (!levels) return null;
  const at = (score - levels.low) / (levels.high - levels.low) + 1e-6;
  return at >= levels.likely ? "likely" : at >= levels.possible ? "possible" : "none";
}

// Opacity (0-1) at a position of the scale by level.
export function strength(position, { possible }) {
  if (position < possible) return FAINT * Math.max(position, 0) / possible;
  return FAINT + (1 - FAINT) * Math.min((position - possible) / SOFT_EDGE, 1);
}

// Colours of all codes as little-endian RGBA words.
export function wordsOf(overlay, style) {
  const lowest = Math.round(style.threshold * 255);
  const base = overlay.colour ? tint(overlay.colour, lowest, overlay.candidate) : table(style.ramp, 0);
  const edge = table(style.ramp, lowest); // of the threshold
  const leveled = byLevel(overlay, style);
  const ends = leveled ? overlay.levels : overlay;
  const [from, step] = line(overlay, ends.low, ends.high);
  const [start, rise] = line(overlay, overlay.low, overlay.high);
  const words = new Uint32Array(HIGHEST_CODE + 1);
  for (let code = 0; code <= HIGHEST_CODE; code++) {
    const position = from + step * code;
    const value = clamp255(start + rise * code);
    const word = base[overlay.colour ? value : clamp255(position)];
    const opacity = (word >>> 24) * (overlay.colour ? 1 : (edge[value] >>> 24) / 255) * (leveled ? strength(position, overlay.levels) : 1);
    words[code] = ((Math.round(opacity) << 24) | (word & 0xffffff)) >>> 0;
  }
  return words;
}

function clamp255(position) {
  return Math.min(Math.max(Math.round(255 * position), 0), 255);
}

// The legend's gradient, as transparent as the colours on the map.
export function legendGradient(overlay, style) {
  const colours = table(style.ramp, 0);
  const leveled = byLevel(overlay, style);
  const stops = [0, 16, 32, 48, 63, 74, 96, 128, 160, 192, 224, 255].map((value) => {
    const word = colours[value];
    const alpha = leveled ? strength(value / 255, overlay.levels) : 1;
    return `rgba(${word & 255},${(word >>> 8) & 255},${(word >>> 16) & 255},${alpha.toFixed(2)}) ${(value / 2.55).toFixed(1)}%`;
  });
  return `linear-gradient(90deg, ${stops.join(", ")})`;
}
