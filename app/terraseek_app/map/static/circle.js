// The search circle: its centre is clicked on the map, its radius is set in the filter panel.

import { circlePolygon } from "./space.js";

const EMPTY = { type: "FeatureCollection", features: [] };

export class CircleTool {
  constructor(world) {
    this.world = world;
    this.circle = null; // [lon, lat, km]
    this.lastSynced = null;
    this.active = false;
    this.onKeyDown = (event) => this.active && event.key === "Escape" && this.setActive(false);
    window.addEventListener("keydown", this.onKeyDown);
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

  setActive(active) {
    if (active) this.world.deactivateOthers(this);
    this.active = active;
    this.world.map.getCanvas().style.cursor = active ? "crosshair" : "";
    this.world.controls.setCircleToolActive(active);
  }

  // A click on the map while the tool is active; Python adds the radius and sends the circle.
  click(event) {
    this.setActive(false);
    this.world.emit("centre", { click: this.world.space.fromMap(event.lngLat) });
  }

  clear() {
    this.set(null);
    this.world.emit("centre", { click: null });
  }

  sync(circle) {
    const text = JSON.stringify(circle ?? null);
    if (text === this.lastSynced) return;
    this.lastSynced = text;
    this.set(circle ?? null);
  }

  set(circle) {
    this.circle = circle;
    const data = circle ? toGeoJSON(circlePolygon(circle)) : EMPTY;
    this.world.styleLoaded.then(() => this.world.map.getSource("circle")?.setData(data));
    this.world.controls.hasCircle(Boolean(circle));
  }

  remove() {
    window.removeEventListener("keydown", this.onKeyDown);
  }
}

// The filled area, and the circle's line without the edge of the map.
function toGeoJSON(rings) {
  const feature = (type, coordinates) => ({ type: "Feature", properties: {}, geometry: { type, coordinates } });
  return {
    type: "FeatureCollection",
    features: [feature("Polygon", rings), feature("LineString", rings.at(-1))],
  };
}
