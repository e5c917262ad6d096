// Images of the catalogue in their footprints: tiles of all items, and the hits above them in frames.

import { circleRing, boundsOf } from "./space.js";

const EMPTY = { type: "FeatureCollection", features: [] };
const DRAWN_FROM_PX = 24; // shorter footprints are marks only, as on the server (MIN_PIXELS)
const MAX_HIT_IMAGES = 24; // hits drawn above other images at once, the best first
const MAX_ZOOM = 22;
const PLACE_KM = 25; // the gazetteer takes towns of one name as one place up to this distance

export class ItemsLayer {
  constructor(world) {
    this.world = world;
    this.url = null;
    this.hits = [];
    this.drawn = new Set(); // ids of hits with a source of their own
    this.minZoom = null;
    world.styleLoaded.then(() => this.addFrames());
    world.map.on("moveend", () => this.drawHits());
  }

  // Frames of footprints, and the areas of hits of which only a place name is known.
  addFrames() {
    const { map } = this.world;
    map.addSource("hit-frames", { type: "geojson", data: EMPTY });
    map.addSource("hit-areas", { type: "geojson", data: EMPTY });
    const before = "above-samples";
    map.addLayer({
      id: "hit-areas", type: "fill", source: "hit-areas",
      paint: { "fill-color": ["get", "colour"], "fill-opacity": 0.12 },
    }, before);
    map.addLayer({
      id: "hit-areas-line", type: "line", source: "hit-areas",
      paint: { "line-color": ["get", "colour"], "line-width": 1.5, "line-dasharray": [2, 2] },
    }, before);
    for (const [id, colour, width] of [["halo", "#0b1a2b", 5], ["line", ["get", "colour"], 2.5]]) {
      map.addLayer({
        id: `hit-frames-${id}`, type: "line", source: "hit-frames",
        paint: { "line-color": colour, "line-width": width, "line-opacity": 0.9 },
      }, before);
    }
    this.showFrames();
  }

  async show(url) {
    if (url === this.url) return;
    this.url = url;
    this.minZoom = null;
    this.complete = false;
    await this.world.styleLoaded;
    this.remove("items");
    this.drawHits();
    if (!url) return;
    const response = await fetch(`${location.origin}${url.replace(/(\?|$)/, ".json$1")}`);
    if (!response.ok) throw new Error(`the images of the map: ${response.status}`);
    const info = await response.json();
    if (url !== this.url || info.minzoom === null) return;
    this.minZoom = info.minzoom;
    this.complete = info.complete;
    this.fadePoints();
    this.add("items", this.tiles(""), info.minzoom, "above-items");
    this.drawHits();
  }

  // Dots disappear where the images are drawn, if every sample has one; they still can be clicked.
  fadePoints() {
    const { map } = this.world;
    if (!this.complete || !map.getLayer("samples")) return;
    for (const [name, value] of [["circle-opacity", 0.9], ["circle-stroke-opacity", 1]]) {
      map.setPaintProperty("samples", name,
        ["interpolate", ["linear"], ["zoom"], this.minZoom, value, this.minZoom + 1, 0]);
    }
  }

  // The item whose image is drawn at a position, as `/api/items` has it; null without one.
  async at(position) {
    const zoom = Math.round(this.world.map.getZoom()) + 1; // of tiles of 256 pixels
    if (this.minZoom === null || zoom < this.minZoom) return null;
    const query = `at=${position.map((value) => value.toFixed(6)).join()}&zoom=${Math.min(zoom, MAX_ZOOM)}`;
    const response = await fetch(`${this.world.base}/api/item-at?${query}`);
    return response.status === 200 ? response.json() : null;
  }

  tiles(id) {
    const [path, query] = this.url.split("?");
    return [`${location.origin}${path}${id && `/${id}`}/{z}/{x}/{y}${query ? `?${query}` : ""}`];
  }

  add(id, tiles, minzoom, before, bounds) {
    const { map } = this.world;
    const source = { type: "raster", tiles, tileSize: 256, minzoom, maxzoom: MAX_ZOOM };
    map.addSource(id, bounds ? { ...source, bounds } : source);
    map.addLayer({
      id, type: "raster", source: id,
      paint: { "raster-fade-duration": 120, "raster-resampling": "nearest" },
    }, before);
    this.world.layers.refresh();
  }

  remove(id) {
    const { map } = this.world;
    if (map.getLayer(id)) map.removeLayer(id);
    if (map.getSource(id)) map.removeSource(id);
  }

  showHits(hits, colourOf) {
    this.hits = hits;
    this.colourOf = colourOf;
    this.showFrames();
    this.drawHits();
  }

  showFrames() {
    const { map } = this.world;
    if (!map.getSource("hit-frames")) return;
    const feature = (hit, ring) => ({
      type: "Feature", properties: { item: hit.item_id, colour: this.colourOf(hit) },
      geometry: { type: "Polygon", coordinates: [ring] },
    });
    const named = this.hits.filter((hit) => hit.precision === "place_name");
    const framed = this.hits.filter((hit) => hit.footprint).reverse(); // the best hit is drawn last
    const collection = (features) => ({ type: "FeatureCollection", features });
    map.getSource("hit-areas").setData(collection(
      named.map((hit) => feature(hit, circleRing([hit.lon, hit.lat, PLACE_KM])))));
    map.getSource("hit-frames").setData(collection(
      framed.map((hit) => feature(hit, [...hit.footprint, hit.footprint[0]]))));
  }

  // The width and height of a hit's footprint on the screen in pixels; null without a footprint.
  sizeOf(hit) {
    if (!hit.footprint || this.world.space.isPixels) return null;
    const points = hit.footprint.map((corner) => this.world.map.project(corner));
    const extent = (values) => Math.max(...values) - Math.min(...values);
    return [extent(points.map((p) => p.x)), extent(points.map((p) => p.y))];
  }

  isDrawn(hit) {
    const size = this.minZoom === null ? null : this.sizeOf(hit);
    return size !== null && Math.max(...size) >= DRAWN_FROM_PX;
  }

  // Hits in view whose footprint is large enough are drawn once more, above the other images.
  drawHits() {
    const visible = this.world.map.getBounds();
    const wanted = this.minZoom === null ? [] : this.hits
      .filter((hit) => this.isDrawn(hit) && overlaps(visible, hit.footprint))
      .slice(0, MAX_HIT_IMAGES);
    const ids = new Set(wanted.map((hit) => hit.item_id));
    for (const id of this.drawn) {
      if (ids.has(id)) continue;
      this.remove(`item:${id}`);
      this.drawn.delete(id);
    }
    for (const hit of wanted.reverse()) {
      if (this.drawn.has(hit.item_id)) continue;
      this.drawn.add(hit.item_id);
      const bounds = boundsOf(hit.footprint).toArray().flat();
      const across = bounds[2] > 180 || bounds[0] < -180; // tiles across the antimeridian: no bounds
      this.add(`item:${hit.item_id}`, this.tiles(encodeURIComponent(hit.item_id)), 0,
        "above-hit-images", across ? undefined : bounds);
    }
  }
}

function overlaps(visible, footprint) {
  const bounds = boundsOf(footprint);
  return visible.getWest() <= bounds.getEast() && visible.getEast() >= bounds.getWest()
    && visible.getSouth() <= bounds.getNorth() && visible.getNorth() >= bounds.getSouth();
}
