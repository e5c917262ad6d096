// Polygons of the truth: drawn one after the other, in the globe's or the image's coordinates. Each
// click adds a corner; a double-click, Enter or the first corner closes the polygon.

const EMPTY = { type: "FeatureCollection", features: [] };
const SAME_CORNER_PX = 7; // the second click of a double-click must not add a corner
const MIN_CORNERS = 3;
const COLOUR = "#22d3ee";

export class TruthTool {
  constructor(world) {
    this.world = world;
    this.active = false;
    this.rings = []; // [[x, y], ...] in the space's coordinates, not closed
    this.open = []; // corners of the polygon being drawn, in map coordinates
    const { map } = world;
    map.on("mousemove", (event) => this.active && this.open.length && this.draw(event.lngLat));
    map.on("dblclick", (event) => {
      if (!this.active) return;
      event.preventDefault(); // otherwise the map zooms
      this.finish();
    });
    this.onKeyDown = (event) => {
      if (!this.active) return;
      if (event.key === "Escape") this.setActive(false);
      if (event.key === "Enter") this.finish();
    };
    window.addEventListener("keydown", this.onKeyDown);
  }

  addLayers(before) {
    const { map } = this.world;
    map.addSource("truth", { type: "geojson", data: EMPTY });
    map.addLayer({
      id: "truth-fill", type: "fill", source: "truth", filter: ["==", ["geometry-type"], "Polygon"],
      paint: { "fill-color": COLOUR, "fill-opacity": 0.12 },
    }, before);
    map.addLayer({
      id: "truth-line", type: "line", source: "truth",
      paint: { "line-color": COLOUR, "line-width": 2, "line-dasharray": [2, 1.2] },
    }, before);
    map.addLayer({
      id: "truth-corner", type: "circle", source: "truth", filter: ["==", ["geometry-type"], "Point"],
      paint: { "circle-radius": 4.5, "circle-color": COLOUR, "circle-stroke-color": "#0b1a2b", "circle-stroke-width": 1.2 },
    }, before);
    this.draw();
  }

  setActive(active) {
    if (active) this.world.deactivateOthers(this);
    this.active = active;
    this.open = [];
    this.world.map.getCanvas().style.cursor = active ? "crosshair" : "";
    this.world.controls.setTruthToolActive(active);
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

  // The tool stays active for the next polygon.
  finish() {
    if (this.open.length < MIN_CORNERS) {
      this.world.controls.showMessage(`A region needs ${MIN_CORNERS} corners; click one more, or press Escape`);
      return;
    }
    const ring = this.open.map(([lng, lat]) => this.world.space.fromMap(new window.maplibregl.LngLat(lng, lat)));
    this.open = [];
    this.rings = [...this.rings, ring];
    this.draw();
    this.world.emit("truth", { truth: this.rings });
  }

  // Take the polygons from Python, if they changed; see BoxTool.sync.
  sync(rings) {
    const text = JSON.stringify([rings ?? [], this.world.space.isPixels]);
    if (text === this.lastSynced) return;
    this.lastSynced = text;
    this.rings = rings ?? [];
    this.draw();
  }

  draw(lngLat = null) {
    const { space, styleLoaded, map } = this.world;
    const features = this.rings.map((ring) => {
      const corners = ring.map((point) => space.toMap(point));
      return feature("Polygon", [[...corners, corners[0]]]);
    });
    if (this.open.length) {
      features.push(feature("LineString", [...this.open, ...(lngLat ? [lngLat.toArray()] : [this.open[0]])]));
      for (const corner of this.open) features.push(feature("Point", corner));
    }
    styleLoaded.then(() => map.getSource("truth")?.setData({ type: "FeatureCollection", features }));
  }

  remove() {
    window.removeEventListener("keydown", this.onKeyDown);
  }
}

function feature(type, coordinates) {
  return { type: "Feature", properties: {}, geometry: { type, coordinates } };
}
