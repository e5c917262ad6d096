// What tools for polygons have in common: each click adds a corner; a double-click, Enter or the first
// corner closes the polygon, Escape ends the drawing.
//
// A tool has `name` of its source and layers, `what` for messages, `setControl(active)`,
// `draw(lngLat)` with the open line up to the mouse, and `finished(corners)` in map coordinates.

import { MIN_CORNERS } from "./corners.js";

const EMPTY = { type: "FeatureCollection", features: [] };
const SAME_CORNER_PX = 7; // the second click of a double-click must not add a corner

export class PolygonTool {
  constructor(world, name, what) {
    Object.assign(this, { world, name, what });
    this.active = false;
    this.rings = []; // of the finished polygons, not closed
    this.open = []; // corners of the polygon being drawn, in map coordinates
    this.lastSynced = null;
    const { map } = world;
    map.on("mousemove", (event) => this.active && this.open.length && this.draw(event.lngLat));
    map.on("dblclick", (event) => {
      if (!this.active) return;
      event.preventDefault(); // otherwise the map zooms
      this.finish();
    });
    // on window, because drawing continues when the mouse leaves the map
    this.onKeyDown = (event) => {
      if (!this.active) return;
      if (event.key === "Escape") this.setActive(false);
      if (event.key === "Enter") this.finish();
    };
    window.addEventListener("keydown", this.onKeyDown);
  }

  // Layers fill, line and corner of the tool's source, with the paint of each.
  addLayers(before, paints) {
    const { map } = this.world;
    map.addSource(this.name, { type: "geojson", data: EMPTY });
    const kinds = [["fill", "fill", "Polygon"], ["line", "line", null], ["corner", "circle", "Point"]];
    for (const [part, type, geometry] of kinds) {
      const filter = geometry ? { filter: ["==", ["geometry-type"], geometry] } : {};
      map.addLayer({ id: `${this.name}-${part}`, type, source: this.name, ...filter, paint: paints[part] }, before);
    }
    this.draw();
  }

  setActive(active) {
    if (active) this.world.deactivateOthers(this);
    this.active = active;
    this.open = [];
    this.world.map.getCanvas().style.cursor = active ? "crosshair" : "";
    this.setControl(active);
    this.draw();
  }

  // A click on the map while the tool is active.
  click(event) {
    const { map } = this.world;
    const isNear = (corner) => {
      const at = map.project(corner);
      return Math.hypot(at.x - event.point.x, at.y - event.point.y) <= SAME_CORNER_PX;
    };
    if (this.open.length >= MIN_CORNERS && isNear(this.open[0])) return this.finish();
    if (this.open.length && isNear(this.open.at(-1))) return;
    this.open.push(event.lngLat.toArray());
    this.draw(event.lngLat);
  }

  finish() {
    if (this.open.length < MIN_CORNERS) {
      this.world.controls.showMessage(`A ${this.what} needs ${MIN_CORNERS} corners; click one more, or press Escape`);
      return;
    }
    this.finished(this.open);
  }

  // Take the polygons from Python, if they changed; see BoxTool.sync.
  sync(rings) {
    const text = JSON.stringify(rings ?? []);
    const { space } = this.world;
    if (text === this.lastSynced && space === this.lastSpace) return;
    Object.assign(this, { lastSynced: text, lastSpace: space });
    this.set(rings ?? []);
  }

  // The polygon being drawn: its line, up to the mouse or back to its start, and its corners.
  openFeatures(lngLat) {
    if (!this.open.length) return [];
    const line = [...this.open, lngLat ? lngLat.toArray() : this.open[0]];
    return [feature("LineString", line), ...this.open.map((corner) => feature("Point", corner))];
  }

  showFeatures(features) {
    const { styleLoaded, map } = this.world;
    styleLoaded.then(() => map.getSource(this.name)?.setData({ type: "FeatureCollection", features }));
  }

  remove() {
    window.removeEventListener("keydown", this.onKeyDown);
  }
}

export function feature(type, coordinates, properties = {}) {
  return { type: "Feature", properties, geometry: { type, coordinates } };
}
