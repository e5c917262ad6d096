// The search box: drawn with the tool or with shift held, shown, redrawn, cleared.

import { boxOf, ringOf } from "./space.js";

const EMPTY = { type: "FeatureCollection", features: [] };
const SMALLEST_PX = 4;

export class BoxTool {
  constructor(world) {
    this.world = world;
    this.box = null;
    this.given = null;
    this.armed = false;
    const { map } = world;
    map.boxZoom.disable(); // shift-drag draws instead
    const canvas = map.getCanvasContainer();
    canvas.addEventListener("pointerdown", (event) => this.begin(event), { capture: true });
    canvas.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.arm(false);
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

  arm(on) {
    if (on) this.world.disarm(this);
    this.armed = on;
    this.world.map.getCanvas().style.cursor = on ? "crosshair" : "";
    this.world.controls.drawing(on);
  }

  begin(event) {
    if (event.button !== 0 || !(this.armed || event.shiftKey)) return;
    if (event.target.closest?.(".maplibregl-marker, .maplibregl-popup")) return;
    const { map } = this.world;
    event.preventDefault();
    const from = this.at(event);
    map.dragPan.disable();
    this.world.dragging = true;
    const move = (e) => this.paint(boxOf(this.world.space, map.unproject(from), this.lngLat(e)));
    const up = (e) => {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", up);
      map.dragPan.enable();
      this.arm(false);
      const to = this.at(e);
      const large = Math.abs(to.x - from.x) > SMALLEST_PX && Math.abs(to.y - from.y) > SMALLEST_PX;
      if (large) this.report(boxOf(this.world.space, map.unproject(from), this.lngLat(e)));
      else this.paint(this.box);
      // the click that ends a drag is not a click on the map
      setTimeout(() => (this.world.dragging = false), 50);
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", up);
  }

  at(event) {
    const frame = this.world.map.getCanvas().getBoundingClientRect();
    const clamp = (v, high) => Math.min(Math.max(v, 0), high);
    return {
      x: clamp(event.clientX - frame.left, frame.width),
      y: clamp(event.clientY - frame.top, frame.height),
    };
  }

  lngLat(event) {
    const { x, y } = this.at(event);
    return this.world.map.unproject([x, y]);
  }

  report(box, kind = "box") {
    this.set(box);
    this.world.emit(kind, { box });
  }

  // What Python says wins only when it says something new: a rerun that does not know of a box
  // drawn a moment ago must not take it away.
  give(box) {
    const text = JSON.stringify(box ?? null);
    if (text === this.given) return;
    this.given = text;
    this.set(box ?? null);
  }

  set(box) {
    this.box = box;
    this.paint(box);
    this.world.controls.hasBox(Boolean(box));
  }

  paint(box) {
    const geometry = box && { type: "Polygon", coordinates: [ringOf(this.world.space, box)] };
    const data = box ? { type: "Feature", properties: {}, geometry } : EMPTY;
    this.world.styled.then(() => this.world.map.getSource("box")?.setData(data));
  }
}
