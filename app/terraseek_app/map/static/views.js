// Where the map looks: views that the page asks for, flights to hits, and what is seen now.

import { boundsOf, ringOf } from "./space.js";

export const HOME = { center: [10, 25], zoom: 1.3 };
const FIT_PADDING_PX = { top: 70, bottom: 60, left: 60, right: 60 };
const ZOOM_OF_PRECISION = { exact: 13, point: 12, place_name: 8 };

export class Views {
  constructor(world) {
    this.world = world;
    this.last = undefined;
  }

  // What is seen beside the panels of the page.
  current() {
    const { free, map, space } = this.world;
    const center = space.fromMap(free.center());
    const [low, high] = free.corners();
    const [[west, south], [east, north]] = [space.fromMap(low), space.fromMap(high)];
    const bounds = high.lng - low.lng >= 360 ? [-180, south, 180, north] : [west, south, east, north];
    return { center, zoom: map.getZoom(), bounds };
  }

  // Move to a view when it changes: {center, zoom} | {bounds} | {fit: hits|overlays|box}; to the
  // whole Earth as long as there was none.
  follow(wanted) {
    const { world } = this;
    const view = wanted ?? (this.last === undefined ? HOME : null);
    const text = JSON.stringify(view);
    if (!view || text === this.last) return;
    const duration = this.last === undefined ? 0 : 900;
    this.last = text;
    world.controls.area.hidden = true;
    world.styleLoaded.then(() => {
      world.free.measure(); // the page may have been drawn after the map
      if (view.return) this.before ??= this.current();
      if ("back" in view) return this.goBack(view.back);
      if (view.center) return this.ease(view, duration);
      const corners = this.cornersOf(view);
      if (corners.length === 0) return;
      const maxZoom = view.fit === "hits" ? 9 : 20;
      world.map.fitBounds(boundsOf(corners), { padding: this.padding(FIT_PADDING_PX), maxZoom, duration });
    });
  }

  padding({ bottom, ...others }) {
    const { free, heatPanel } = this.world;
    return free.padding({ ...others, bottom: Math.max(bottom, heatPanel.sheetHeight + 10) });
  }

  ease({ center, zoom }, duration) {
    const { free, map, space } = this.world;
    map.easeTo({ center: space.toMap(center), zoom, offset: free.offset(), duration });
  }

  // To the view before a heat map was shown; 0 stays, after another hit was chosen.
  goBack(turn) {
    const { before } = this;
    this.before = null;
    if (turn && before) this.ease(before, 900);
  }

  cornersOf(view) {
    const { boxTool, hitsLayer, overlays, space, split } = this.world;
    if (view.bounds) return ringOf(space, view.bounds);
    if (view.fit === "box") return boxTool.box ? ringOf(space, boxTool.box) : [];
    if (view.fit === "hits") return [...hitsLayer.places(), ...(split?.places() ?? [])];
    return space.isPixels ? space.corners() : overlays.corners();
  }

  // Fly to a hit that was chosen elsewhere: to its image, or as near as its place is known.
  flyTo(hit) {
    const { free, map, space } = this.world;
    const shift = this.world.shift ?? 0; // to the part that another map leaves free (split.js)
    if (hit.footprint) {
      const { left, right, ...others } = FIT_PADDING_PX;
      const margins = { ...others, left: left + Math.max(2 * shift, 0), right: right - Math.min(2 * shift, 0) };
      map.fitBounds(boundsOf(hit.footprint), { padding: this.padding(margins), maxZoom: 19, duration: 1200 });
      return;
    }
    const center = space.toMap([hit.lon, hit.lat]);
    const zoom = Math.max(map.getZoom(), ZOOM_OF_PRECISION[hit.precision] ?? 4);
    const [right, down] = free.offset();
    map.flyTo({ center, zoom, offset: [right + shift, down], duration: 1200 });
  }
}
