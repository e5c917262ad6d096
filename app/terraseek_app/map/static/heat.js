// A heat map in the browser: the server sends values once; ramp, threshold and opacity act here.
// The picture's red channel is the value and green is how opaque it is (see routes_tiles.py).

import { table } from "./ramps.js";

const little = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

function loadImage(url) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error(`${url} did not load`));
    image.src = url;
  });
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
    const { width, height } = image;
    this.canvas.width = width;
    this.canvas.height = height;
    this.pen = this.canvas.getContext("2d");
    this.pen.drawImage(image, 0, 0);
    const pixels = this.pen.getImageData(0, 0, width, height);
    this.value = new Uint8Array(width * height);
    this.mask = new Uint8Array(width * height);
    for (let i = 0; i < this.value.length; i++) {
      this.value[i] = pixels.data[4 * i];
      this.mask[i] = pixels.data[4 * i + 1];
    }
    this.pixels = pixels;
    await this.world.styled;
    if (this.removed) return;
    this.colour(this.world.heatStyle);
    this.add();
  }

  colour({ ramp, threshold }) {
    if (!this.pixels) return;
    const words = table(ramp, Math.round(threshold * 255));
    const out = new Uint32Array(this.pixels.data.buffer);
    for (let i = 0; i < out.length; i++) out[i] = this.mask[i] < 128 ? 0 : words[this.value[i]];
    if (!little) throw new Error("the heat map's colours need a little-endian machine");
    this.pen.putImageData(this.pixels, 0, 0);
    const source = this.world.map.getSource(this.id);
    if (!source) return;
    source.play(); // a paused canvas source uploads its pixels again only when played
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
        "raster-opacity": this.world.heatStyle.opacity,
        "raster-fade-duration": 0,
        "raster-opacity-transition": { duration: 0 },
        "raster-resampling": "linear",
      },
    }, "above-heat");
    this.world.layers.refresh();
  }

  opacity(value) {
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
