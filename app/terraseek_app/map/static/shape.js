// The search polygons. Corners of finished ones are dragged, those in the middle of an edge make new
// ones, and a right-click or Alt-click removes a corner.

import { handleAt, inserted, middles, moved, removed } from "./corners.js";
import { PolygonTool, feature } from "./polygon.js";
import { ShapeHandles } from "./shape_handles.js";
import { unwrapped } from "./space.js";

const HANDLE_PX = 9;

export class ShapeTool extends PolygonTool {
  constructor(world) {
    super(world, "shape", "shape");
    this.handles = new ShapeHandles(this);
    const canvas = world.map.getCanvasContainer();
    canvas.addEventListener("pointerdown", (event) => this.startEdit(event), { capture: true });
    canvas.addEventListener("contextmenu", (event) => this.removeAt(event), { capture: true });
  }

  addLayers(before) {
    super.addLayers(before, {
      fill: { "fill-color": "#fbbf24", "fill-opacity": 0.1 },
      line: { "line-color": "#fbbf24", "line-width": 2 },
      corner: {
        "circle-radius": ["case", ["==", ["get", "middle"], true], 3, 5], "circle-color": "#fbbf24",
        "circle-opacity": ["case", ["==", ["get", "middle"], true], 0.55, 1], "circle-stroke-color": "#241a02",
        "circle-stroke-width": 1.2,
      },
    });
  }

  setControl(active) {
    this.world.controls.setShapeToolActive(active);
  }

  finished(corners) {
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
    const { boxTool } = this.world;
    const handle = this.handle(boxTool.canvasPoint(event));
    if (!handle) return;
    event.preventDefault();
    const before = this.rings;
    const { ring, isMiddle } = handle;
    const corner = handle.corner + (isMiddle ? 1 : 0);
    const at = () => (isMiddle ? inserted(before, ring, handle.corner, [0, 0]) : before);
    let rings = before;
    const move = (e) => {
      rings = moved(at(), ring, corner, boxTool.lngLat(e).toArray());
      this.drawRings(rings);
    };
    this.world.drag(move, () => {
      if (event.altKey && rings === before && !isMiddle) rings = removed(before, ring, corner);
      if (rings !== before) this.report(rings);
    });
  }

  removeAt(event) {
    const handle = this.handle(this.world.boxTool.canvasPoint(event));
    if (!handle || handle.isMiddle) return;
    event.preventDefault();
    event.stopPropagation(); // otherwise the position is copied
    this.report(removed(this.rings, handle.ring, handle.corner));
  }

  set(rings) {
    this.rings = rings;
    this.handles.show(rings);
    if (!this.active) this.draw();
    this.world.controls.hasShape(rings.length > 0);
  }

  draw(lngLat = null) {
    this.drawRings(this.rings, this.openFeatures(lngLat));
  }

  // Polygons with their handles, and further features.
  drawRings(rings, more = []) {
    const features = [];
    for (const ring of rings) {
      features.push(feature("Polygon", [[...ring, ring[0]]]));
      if (!this.world.reports("shape")) continue;
      features.push(...ring.map((corner) => feature("Point", corner)));
      features.push(...middles(ring).map((middle) => feature("Point", middle, { middle: true })));
    }
    this.showFeatures([...features, ...more]);
  }

  remove() {
    super.remove();
    this.handles.remove();
  }
}
