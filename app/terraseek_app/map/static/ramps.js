// Colour ramps as control points (viridis, inferno, plasma: Smith and van der Walt; turbo: Mikhailov).

const RAMPS = {
  viridis: "440154 482475 414487 355f8d 2a788e 21918c 22a884 44bf70 7ad151 bddf26 fde725",
  inferno: "000004 160b39 420a68 6a176e 932667 bc3754 dd513a f37819 fca50a f6d746 fcffa4",
  turbo: "30123b 4458cb 3e9bfe 18d6cb 46f884 a2fc3c e1dd37 fea632 f05b12 c42503 7a0403",
  plasma: "0d0887 41049d 6a00a8 8f0da4 b12a90 cc4778 e16462 f2844b fca636 fcce25 f0f921",
};

export const NAMES = ["turbo", "inferno", "viridis"];

// [r, g, b] 0-255 at t in 0..1.
export function colour(name, t) {
  const stops = RAMPS[name].split(" ");
  const position = Math.min(Math.max(t, 0), 1) * (stops.length - 1);
  const low = Math.min(Math.floor(position), stops.length - 2);
  return [0, 2, 4].map((i) => {
    const a = parseInt(stops[low].slice(i, i + 2), 16);
    const b = parseInt(stops[low + 1].slice(i, i + 2), 16);
    return Math.round(a + (b - a) * (position - low));
  });
}

// [r, g, b] 0-255 of #rrggbb.
export function parsed(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

export function css(name, t) {
  return `rgb(${colour(name, t).join(",")})`;
}

// 256 colours as little-endian RGBA words. Values below the threshold are transparent; the opacity
// rises over the next values.
const SOFT_EDGE = 10;
export function table(name, threshold) {
  const words = new Uint32Array(256);
  for (let v = 0; v < 256; v++) {
    const [r, g, b] = colour(name, v / 255);
    const alpha = threshold === 0 ? 255 : Math.min(Math.max((v - threshold) / SOFT_EDGE, 0), 1) * 255;
    words[v] = (Math.round(alpha) << 24) | (b << 16) | (g << 8) | r;
  }
  return words;
}
