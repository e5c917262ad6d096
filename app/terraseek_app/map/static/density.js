// Samples too many to send: tiles of their density, and single dots once few are in view.

import { fetchPoints } from "./points.js";

const DELAY_MS = 200;
const NONE = { n: 0, row: [], lon: [], lat: [], precision: [] };

export class DensityLayer {
  constructor(world) {
    this.world = world;
    this.url = null;
    this.shown = false;
    world.map.on("moveend", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.look(), DELAY_MS);
    });
  }

  show(url, pointsUrl) {
    if (url === this.url) return;
    this.url = url;
    this.pointsUrl = pointsUrl;
    this.world.styled.then(() => {
      this.clear();
      if (!url) return;
      this.add(url);
      this.look();
    });
  }

  clear() {
    const { map } = this.world;
    this.shown = false;
    if (map.getLayer("samples-density")) map.removeLayer("samples-density");
    if (map.getSource("samples-density")) map.removeSource("samples-density");
  }

  add(url) {
    const { map } = this.world;
    const cut = url.indexOf("?");
    const [path, query] = cut < 0 ? [url, ""] : [url.slice(0, cut), url.slice(cut)];
    map.addSource("samples-density", {
      type: "raster", tileSize: 256, maxzoom: 20,
      tiles: [`${location.origin}${path}/{z}/{x}/{y}.png${query}`],
    });
    map.addLayer({
      id: "samples-density", type: "raster", source: "samples-density",
      paint: { "raster-resampling": "nearest", "raster-fade-duration": 0, "raster-opacity": 0.9 },
    }, "above-samples");
    this.shown = true;
    this.world.layers.refresh();
  }

  // Ask for the samples in view; where they are too many to list, the density stays.
  async look() {
    if (!this.url) return;
    const asked = (this.asked = {});
    const url = new URL(this.pointsUrl, location.href);
    url.searchParams.set("bbox", this.world.view().bounds.join());
    try {
      const points = await fetchPoints(url);
      if (asked !== this.asked || !this.url) return; // the map has moved on
      this.world.points.put(points ?? NONE, false);
      this.dim(points !== null);
    } catch (problem) {
      this.world.fail(problem);
    }
  }

  dim(single) {
    const { map } = this.world;
    this.shown = !single;
    if (!map.getLayer("samples-density")) return;
    map.setPaintProperty("samples-density", "raster-opacity", single ? 0 : 0.9);
  }
}
