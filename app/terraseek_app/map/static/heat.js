// A heat map: the server sends its values once; colours, threshold and opacity are applied here.
// The image's red and blue channels are the score in 16 bits, its green channel the opacity (see
// `value_image` of the library).

import { line, wordsOf } from "./scale.js";

const isLittleEndian = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

function loadImage(url) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error(`${url} did not load`));
    image.src = url;
  });
}

// MapLibre draws rasters with a mipmap filter if they are square and a power of two wide. It makes no
// mipmaps of a canvas, and WebGL draws a texture that lacks them black.
export function needsStretch({ width, height }) {
  return width === height && Number.isInteger(Math.log2(width));
}

function channels({ data }) {
  const values = new Uint16Array(data.length / 4);
  const opacities = new Uint8Array(data.length / 4);
  for (let i = 0; i < values.length; i++) {
    values[i] = 256 * data[4 * i] + data[4 * i + 2];
    opacities[i] = data[4 * i + 1];
  }
  return { values, opacities };
}

// The same map with twice as many columns, linear between the valid ones.
export function doubled({ values, opacities }, width, height) {
  const wide = { values: new Uint16Array(2 * width * height), opacities: new Uint8Array(2 * width * height) };
  for (let i = 0; i < values.length; i++) {
    for (const side of [0, 1]) {
      const col = (i % width) + 2 * side - 1;
      const j = i + 2 * side - 1;
      const inside = col >= 0 && col < width && opacities[j] >= 128;
      wide.values[2 * i + side] = Math.round(0.75 * values[i] + 0.25 * values[inside ? j : i]);
      wide.opacities[2 * i + side] = opacities[i];
    }
  }
  return wide;
}

// Codes as positions 0-255 between the ends of the threshold; scores beyond them are below 0 or above 255.
function thresholdValues(codes, overlay) {
  const [from, step] = line(overlay, overlay.low, overlay.high);
  const values = new Float32Array(codes.length);
  for (let i = 0; i < values.length; i++) values[i] = 255 * (from + step * codes[i]);
  return values;
}

export class HeatLayer {
  constructor(world, overlay) {
    this.world = world;
    this.overlay = overlay;
    this.id = `heat:${overlay.id}`;
    this.canvas = document.createElement("canvas");
    this.ready = this.load();
  }

  async load() {
    const image = await loadImage(this.world.address(this.overlay.url));
    const stretch = needsStretch(image) ? 2 : 1;
    const { width, height } = image;
    this.canvas.width = stretch * width;
    this.canvas.height = height;
    this.context = this.canvas.getContext("2d");
    this.context.drawImage(image, 0, 0);
    const read = channels(this.context.getImageData(0, 0, width, height));
    const { values: codes, opacities } = stretch === 2 ? doubled(read, width, height) : read;
    Object.assign(this, { codes, opacities, values: thresholdValues(codes, this.overlay) });
    const pixels = this.context.createImageData(this.canvas.width, height);
    this.pixels = pixels;
    await this.world.styleLoaded;
    if (this.removed) return;
    this.world.overlays.heatLoaded();
    this.applyStyle(this.world.overlays.style);
    this.add();
  }

  // One of several heat maps has a colour of its own; `winner` is then who wins where, or null.
  applyStyle(style) {
    if (!this.pixels) return;
    const words = wordsOf(this.overlay, style);
    const winner = this.overlay.colour ? this.world.overlays.winner() : null;
    const own = this.world.heats().indexOf(this);
    const rgba = new Uint32Array(this.pixels.data.buffer);
    for (let i = 0; i < rgba.length; i++) {
      const isOut = this.opacities[i] < 128 || (winner && winner[i] !== own);
      rgba[i] = isOut ? 0 : words[this.codes[i]];
    }
    if (!isLittleEndian) throw new Error("the heat map's colours need a little-endian machine");
    this.context.putImageData(this.pixels, 0, 0);
    const source = this.world.map.getSource(this.id);
    if (!source) return;
    source.play(); // MapLibre uploads the pixels of a canvas source only while it plays
    source.pause();
    this.world.map.triggerRepaint();
  }

  add() {
    const { map, space } = this.world;
    const coordinates = space.isPixels ? space.corners() : this.overlay.corners;
    map.addSource(this.id, { type: "canvas", canvas: this.canvas, coordinates, animate: false });
    map.addLayer({
      id: this.id, type: "raster", source: this.id,
      paint: {
        "raster-opacity": this.world.overlays.style.opacity,
        "raster-fade-duration": 0,
        "raster-opacity-transition": { duration: 0 },
        "raster-resampling": "linear",
      },
    }, "above-heat");
    this.world.layers.refresh();
  }

  setOpacity(value) {
    if (this.world.map.getLayer(this.id)) {
      this.world.map.setPaintProperty(this.id, "raster-opacity", value);
    }
  }

  remove() {
    this.removed = true;
    const { map } = this.world;
    if (map.getLayer(this.id)) map.removeLayer(this.id);
    if (map.getSource(this.id)) map.removeSource(this.id);
  }
}
