// The search polygon: each click adds a corner; a double-click, Enter or the first corner closes it.

import { unwrapped } from "./space.js";

const EMPTY = { type: "FeatureCollection", features: [] };
const SAME_CORNER_PX = 7; // the second click of a double-click must not add a corner
const MIN_CORNERS = 3;

export class ShapeTool {
  constructor(world) {
    this.world = world;
    this.corners = null; // of the finished polygon: [[lon, lat], ...]
    this.lastSynced = null;
    this.active = false;
    this.openCorners = []; // of the polygon being drawn
    const { map } = world;
    map.on("mousemove", (event) => this.active && this.openCorners.length && this.drawOpen(event.lngLat));
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

  addLayers(before) {
    const { map } = this.world;
    map.addSource("shape", { type: "geojson", data: EMPTY });
    map.addLayer({
      id: "shape-fill", type: "fill", source: "shape", filter: ["==", ["geometry-type"], "Polygon"],
      paint: { "fill-color": "#fbbf24", "fill-opacity": 0.1 },
    }, before);
    map.addLayer({
      id: "shape-line", type: "line", source: "shape",
      paint: { "line-color": "#fbbf24", "line-width": 2 },
    }, before);
    map.addLayer({
      id: "shape-corner", type: "circle", source: "shape", filter: ["==", ["geometry-type"], "Point"],
      paint: {
        "circle-radius": 4.5, "circle-color": "#fbbf24", "circle-stroke-color": "#241a02",
        "circle-stroke-width": 1.2,
      },
    }, before);
    this.draw(this.corners, true);
  }

  setActive(active) {
    if (active) this.world.deactivateOthers(this);
    this.active = active;
    this.openCorners = [];
    this.world.map.getCanvas().style.cursor = active ? "crosshair" : "";
    this.world.controls.setShapeToolActive(active);
    this.draw(this.corners, true);
  }

  // A click on the map while the tool is active.
  click(event) {
    const { map } = this.world;
    const isNear = (corner) => {
      const at = map.project(corner);
      return Math.hypot(at.x - event.point.x, at.y - event.point.y) <= SAME_CORNER_PX;
    };
    if (this.openCorners.length >= MIN_CORNERS && isNear(this.openCorners[0])) return this.finish();
    if (this.openCorners.length && isNear(this.openCorners.at(-1))) return;
    this.openCorners.push(event.lngLat.toArray());
    this.drawOpen(event.lngLat);
  }

  drawOpen(lngLat) {
    this.draw([...this.openCorners, lngLat.toArray()], false);
  }

  finish() {
    const corners = this.openCorners;
    if (corners.length < MIN_CORNERS) {
      this.world.controls.showMessage(`A shape needs ${MIN_CORNERS} corners; click one more, or press Escape`);
      return;
    }
    this.setActive(false);
    this.report(unwrapped(corners));
  }

  report(corners) {
    this.set(corners);
    this.world.emit("shape", { shape: corners });
  }

  // See BoxTool.sync.
  sync(corners) {
    const text = JSON.stringify(corners ?? null);
    if (text === this.lastSynced) return;
    this.lastSynced = text;
    this.set(corners ?? null);
  }

  set(corners) {
    this.corners = corners;
    if (!this.active) this.draw(corners, true);
    this.world.controls.hasShape(Boolean(corners));
  }

  draw(corners, closed) {
    const features = [];
    const add = (type, coordinates) =>
      features.push({ type: "Feature", properties: {}, geometry: { type, coordinates } });
    if (corners && closed) add("Polygon", [[...corners, corners[0]]]);
    if (corners && !closed) {
      add("LineString", corners);
      for (const corner of this.openCorners) add("Point", corner);
    }
    const data = { type: "FeatureCollection", features };
    this.world.styleLoaded.then(() => this.world.map.getSource("shape")?.setData(data));
  }

  remove() {
    window.removeEventListener("keydown", this.onKeyDown);
  }
}
