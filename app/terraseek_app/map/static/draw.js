// The search box: drawn with the tool, or by dragging with shift held.

import { boxOf, ringOf } from "./space.js";

const EMPTY = { type: "FeatureCollection", features: [] };
const MIN_SIDE_PX = 4; // a smaller box is a click

export class BoxTool {
  constructor(world) {
    this.world = world;
    this.box = null;
    this.lastSynced = null;
    this.active = false;
    const { map } = world;
    map.boxZoom.disable(); // shift-drag draws instead
    const canvas = map.getCanvasContainer();
    canvas.addEventListener("pointerdown", (event) => this.startDrag(event), { capture: true });
    canvas.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.setActive(false);
    });
  }

  addLayers(before) {
    const { map } = this.world;
    map.addSource("box", { type: "geojson", data: EMPTY });
    map.addLayer({
      id: "box-fill", type: "fill", source: "box",
      paint: { "fill-color": "#fbbf24", "fill-opacity": 0.1 },
    }, before);
    map.addLayer({
      id: "box-line", type: "line", source: "box",
      paint: { "line-color": "#fbbf24", "line-width": 2, "line-dasharray": [3, 1.5] },
    }, before);
  }

  setActive(active) {
    if (active) this.world.deactivateOthers(this);
    this.active = active;
    this.world.map.getCanvas().style.cursor = active ? "crosshair" : "";
    this.world.controls.setBoxToolActive(active);
  }

  wants(event) {
    return this.active || (event.shiftKey && !this.world.chooseTool.active);
  }

  startDrag(event) {
    if (event.button !== 0 || !this.wants(event)) return;
    if (event.target.closest?.(".maplibregl-marker, .maplibregl-popup")) return;
    const { map } = this.world;
    event.preventDefault();
    const from = this.canvasPoint(event);
    let last = event;
    const drawn = () => boxOf(this.world.space, map.unproject(from), this.lngLat(last));
    const move = (e) => {
      last = e;
      this.draw(drawn());
    };
    this.world.drag(move, () => {
      this.setActive(false);
      const to = this.canvasPoint(last);
      const large = Math.abs(to.x - from.x) > MIN_SIDE_PX && Math.abs(to.y - from.y) > MIN_SIDE_PX;
      if (large) this.report(drawn());
      else this.draw(this.box);
    });
  }

  canvasPoint(event) {
    const frame = this.world.map.getCanvas().getBoundingClientRect();
    const clamp = (v, high) => Math.min(Math.max(v, 0), high);
    return {
      x: clamp(event.clientX - frame.left, frame.width),
      y: clamp(event.clientY - frame.top, frame.height),
    };
  }

  lngLat(event) {
    const { x, y } = this.canvasPoint(event);
    return this.world.map.unproject([x, y]);
  }

  report(box, kind = "box") {
    this.set(box);
    this.world.emit(kind, { box });
  }

  // Take the box from Python, if it changed: a rerun that started before a box was drawn must not
  // remove it.
  sync(box) {
    const text = JSON.stringify(box ?? null);
    if (text === this.lastSynced) return;
    this.lastSynced = text;
    this.set(box ?? null);
  }

  set(box) {
    this.box = box;
    this.draw(box);
    this.world.controls.hasBox(Boolean(box));
  }

  draw(box) {
    const geometry = box && { type: "Polygon", coordinates: [ringOf(this.world.space, box)] };
    const data = box ? { type: "Feature", properties: {}, geometry } : EMPTY;
    this.world.styleLoaded.then(() => this.world.map.getSource("box")?.setData(data));
  }
}
