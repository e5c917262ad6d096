// The search polygons: each click adds a corner, a double-click, Enter or the first corner closes one.
// Corners of finished ones are dragged, those in the middle of an edge make new ones, and a right-click
// or Alt-click removes a corner.

import { MIN_CORNERS, handleAt, inserted, middles, moved, removed } from "./corners.js";
import { ShapeHandles } from "./shape_handles.js";
import { unwrapped } from "./space.js";

const EMPTY = { type: "FeatureCollection", features: [] };
const SAME_CORNER_PX = 7; // the second click of a double-click must not add a corner
const HANDLE_PX = 9;

export class ShapeTool {
  constructor(world) {
    this.world = world;
    this.rings = []; // of the finished polygons: [[[lon, lat], ...], ...]
    this.handles = new ShapeHandles(this);
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
    const canvas = map.getCanvasContainer();
    canvas.addEventListener("pointerdown", (event) => this.startEdit(event), { capture: true });
    canvas.addEventListener("contextmenu", (event) => this.removeAt(event), { capture: true });
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
        "circle-radius": ["case", ["get", "middle"], 3, 5], "circle-color": "#fbbf24",
        "circle-opacity": ["case", ["get", "middle"], 0.55, 1], "circle-stroke-color": "#241a02",
        "circle-stroke-width": 1.2,
      },
    }, before);
    this.draw(this.rings);
  }

  setActive(active) {
    if (active) this.world.deactivateOthers(this);
    this.active = active;
    this.openCorners = [];
    this.world.map.getCanvas().style.cursor = active ? "crosshair" : "";
    this.world.controls.setShapeToolActive(active);
    this.draw(this.rings);
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
    this.draw(this.rings, [...this.openCorners, lngLat.toArray()]);
  }

  finish() {
    const corners = this.openCorners;
    if (corners.length < MIN_CORNERS) {
      this.world.controls.showMessage(`A shape needs ${MIN_CORNERS} corners; click one more, or press Escape`);
      return;
    }
    this.setActive(false);
    this.report([...this.rings, unwrapped(corners)]);
  }

  report(rings) {
    this.set(rings);
    this.world.emit("shape", { shapes: rings });
  }

  // The corner or the middle of an edge under the mouse; null while something is drawn.
  handle(point) {
    const { world } = this;
    if (!this.rings.length || !world.reports("shape") || world.tools().some((tool) => tool.active)) return null;
    return handleAt(this.rings, point, (place) => world.map.project(place), HANDLE_PX);
  }

  startEdit(event) {
    if (event.button !== 0 || event.shiftKey || event.target.closest?.(".maplibregl-marker, .maplibregl-popup")) return;
    const { map, boxTool } = this.world;
    const handle = this.handle(boxTool.canvasPoint(event));
    if (!handle) return;
    event.preventDefault();
    this.world.dragging = true;
    map.dragPan.disable();
    const before = this.rings;
    const { ring, isMiddle } = handle;
    const corner = handle.corner + (isMiddle ? 1 : 0);
    const at = () => (isMiddle ? inserted(before, ring, handle.corner, [0, 0]) : before);
    let rings = before;
    const move = (e) => {
      rings = moved(at(), ring, corner, boxTool.lngLat(e).toArray());
      this.draw(rings);
    };
    const up = () => {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", up);
      map.dragPan.enable();
      if (event.altKey && rings === before && !isMiddle) rings = removed(before, ring, corner);
      if (rings !== before) this.report(rings);
      // the click event at the end of a drag must not be handled as a click on the map
      setTimeout(() => (this.world.dragging = false), 50);
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", up);
  }

  removeAt(event) {
    const handle = this.handle(this.world.boxTool.canvasPoint(event));
    if (!handle || handle.isMiddle) return;
    event.preventDefault();
    event.stopPropagation(); // otherwise the position is copied
    this.report(removed(this.rings, handle.ring, handle.corner));
  }

  // See BoxTool.sync.
  sync(rings) {
    const text = JSON.stringify(rings ?? []);
    if (text === this.lastSynced) return;
    this.lastSynced = text;
    this.set(rings ?? []);
  }

  set(rings) {
    this.rings = rings;
    this.handles.show(rings);
    if (!this.active) this.draw(rings);
    this.world.controls.hasShape(rings.length > 0);
  }

  // The finished polygons, and the corners of one that is being drawn.
  draw(rings, open = []) {
    const features = [];
    const add = (type, coordinates, middle = false) =>
      features.push({ type: "Feature", properties: { middle }, geometry: { type, coordinates } });
    for (const ring of rings) {
      add("Polygon", [[...ring, ring[0]]]);
      if (!this.world.reports("shape")) continue;
      for (const corner of ring) add("Point", corner);
      for (const middle of middles(ring)) add("Point", middle, true);
    }
    if (open.length) add("LineString", open);
    for (const corner of open.slice(0, -1)) add("Point", corner);
    const data = { type: "FeatureCollection", features };
    this.world.styleLoaded.then(() => this.world.map.getSource("shape")?.setData(data));
  }

  remove() {
    this.handles.remove();
    window.removeEventListener("keydown", this.onKeyDown);
  }
}
