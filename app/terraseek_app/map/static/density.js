// Catalogues with too many samples to send: density tiles, and single points once few are in view.

import { fetchPoints } from "./points.js";

const DELAY_MS = 200;
const NO_POINTS = { n: 0, row: [], lon: [], lat: [], precision: [] };

export class DensityLayer {
  constructor(world) {
    this.world = world;
    this.url = null;
    this.shown = false;
    world.map.on("moveend", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.loadView(), DELAY_MS);
    });
  }

  show(url, pointsUrl) {
    if (url === this.url) return;
    this.url = url;
    this.pointsUrl = pointsUrl;
    this.world.styleLoaded.then(() => {
      this.clear();
      if (!url) return;
      this.add(url);
      this.loadView();
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

  // Load the samples in view; if there are too many, the density stays visible.
  async loadView() {
    if (!this.url) return;
    const request = (this.lastRequest = {});
    const url = new URL(this.pointsUrl, location.href);
    url.searchParams.set("bbox", this.world.view().bounds.join());
    try {
      const points = await fetchPoints(url);
      if (request !== this.lastRequest || !this.url) return; // the map was moved again
      this.world.points.setPoints(points ?? NO_POINTS, false);
      this.showPoints(points !== null);
    } catch (error) {
      this.world.reportError(error);
    }
  }

  // Hide the density while single points are shown.
  showPoints(pointsShown) {
    const { map } = this.world;
    this.shown = !pointsShown;
    if (!map.getLayer("samples-density")) return;
    map.setPaintProperty("samples-density", "raster-opacity", pointsShown ? 0 : 0.9);
  }
}
