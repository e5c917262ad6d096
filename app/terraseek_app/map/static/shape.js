// A polygon clicked corner by corner: double-click, Enter or the first corner closes it.

import { unwrapped } from "./space.js";

const EMPTY = { type: "FeatureCollection", features: [] };
const SAME_PX = 7; // the second click of a double-click is no corner of its own
const FEWEST = 3;

export class ShapeTool {
  constructor(world) {
    this.world = world;
    this.corners = null; // as Python knows them: [[lon, lat], ...]
    this.given = null;
    this.armed = false;
    this.open = []; // while drawing
    const { map } = world;
    map.on("mousemove", (event) => this.armed && this.open.length && this.sketch(event.lngLat));
    map.on("dblclick", (event) => {
      if (!this.armed) return;
      event.preventDefault(); // would zoom
      this.close();
    });
    // the drawing goes on when the mouse leaves the map, so keys are heard wherever the focus is
    this.keys = (event) => {
      if (!this.armed) return;
      if (event.key === "Escape") this.arm(false);
      if (event.key === "Enter") this.close();
    };
    window.addEventListener("keydown", this.keys);
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
    this.paint(this.corners, true);
  }

  arm(on) {
    if (on) this.world.disarm(this);
    this.armed = on;
    this.open = [];
    this.world.map.getCanvas().style.cursor = on ? "crosshair" : "";
    this.world.controls.shaping(on);
    this.paint(this.corners, true);
  }

  // A click of the map while armed.
  click(event) {
    const { map } = this.world;
    const near = (corner) => {
      const at = map.project(corner);
      return Math.hypot(at.x - event.point.x, at.y - event.point.y) <= SAME_PX;
    };
    if (this.open.length >= FEWEST && near(this.open[0])) return this.close();
    if (this.open.length && near(this.open.at(-1))) return;
    this.open.push(event.lngLat.toArray());
    this.sketch(event.lngLat);
  }

  sketch(lngLat) {
    this.paint([...this.open, lngLat.toArray()], false);
  }

  close() {
    const corners = this.open;
    if (corners.length < FEWEST) {
      this.world.controls.say(`A shape needs ${FEWEST} corners; click one more, or press Escape`);
      return;
    }
    this.arm(false);
    this.report(unwrapped(corners));
  }

  report(corners) {
    this.set(corners);
    this.world.emit("shape", { shape: corners });
  }

  // As for the box: what Python says wins only when it says something new.
  give(corners) {
    const text = JSON.stringify(corners ?? null);
    if (text === this.given) return;
    this.given = text;
    this.set(corners ?? null);
  }

  set(corners) {
    this.corners = corners;
    if (!this.armed) this.paint(corners, true);
    this.world.controls.hasShape(Boolean(corners));
  }

  paint(corners, closed) {
    const features = [];
    const add = (type, coordinates) =>
      features.push({ type: "Feature", properties: {}, geometry: { type, coordinates } });
    if (corners && closed) add("Polygon", [[...corners, corners[0]]]);
    if (corners && !closed) {
      add("LineString", corners);
      for (const corner of this.open) add("Point", corner);
    }
    const data = { type: "FeatureCollection", features };
    this.world.styled.then(() => this.world.map.getSource("shape")?.setData(data));
  }

  remove() {
    window.removeEventListener("keydown", this.keys);
  }
}
