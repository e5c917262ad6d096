// A circle: its centre is clicked here, its radius set beside the map.

import { circlePolygon } from "./space.js";

const EMPTY = { type: "FeatureCollection", features: [] };

export class CircleTool {
  constructor(world) {
    this.world = world;
    this.circle = null; // [lon, lat, km]
    this.given = null;
    this.armed = false;
    this.keys = (event) => this.armed && event.key === "Escape" && this.arm(false);
    window.addEventListener("keydown", this.keys);
  }

  addLayers(before) {
    const { map } = this.world;
    map.addSource("circle", { type: "geojson", data: EMPTY });
    map.addLayer({
      id: "circle-fill", type: "fill", source: "circle", filter: ["==", ["geometry-type"], "Polygon"],
      paint: { "fill-color": "#fbbf24", "fill-opacity": 0.1 },
    }, before);
    map.addLayer({
      id: "circle-line", type: "line", source: "circle", filter: ["==", ["geometry-type"], "LineString"],
      paint: { "line-color": "#fbbf24", "line-width": 2, "line-dasharray": [1.5, 1.5] },
    }, before);
    this.set(this.circle);
  }

  arm(on) {
    if (on) this.world.disarm(this);
    this.armed = on;
    this.world.map.getCanvas().style.cursor = on ? "crosshair" : "";
    this.world.controls.circling(on);
  }

  // A click of the map while armed; Python knows the radius and gives the circle back.
  click(event) {
    this.arm(false);
    this.world.emit("centre", { click: this.world.space.fromMap(event.lngLat) });
  }

  clear() {
    this.set(null);
    this.world.emit("centre", { click: null });
  }

  give(circle) {
    const text = JSON.stringify(circle ?? null);
    if (text === this.given) return;
    this.given = text;
    this.set(circle ?? null);
  }

  set(circle) {
    this.circle = circle;
    const data = circle ? drawn(circlePolygon(circle)) : EMPTY;
    this.world.styled.then(() => this.world.map.getSource("circle")?.setData(data));
    this.world.controls.hasCircle(Boolean(circle));
  }

  remove() {
    window.removeEventListener("keydown", this.keys);
  }
}

// The filled area, and its edge without the map's own.
function drawn(rings) {
  const feature = (type, coordinates) => ({ type: "Feature", properties: {}, geometry: { type, coordinates } });
  return {
    type: "FeatureCollection",
    features: [feature("Polygon", rings), feature("LineString", rings.at(-1))],
  };
}
