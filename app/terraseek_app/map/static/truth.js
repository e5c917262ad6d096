// Polygons of the truth: drawn one after the other, in the globe's or the image's coordinates.

import { PolygonTool, feature } from "./polygon.js";

const COLOUR = "#22d3ee";

export class TruthTool extends PolygonTool {
  constructor(world) {
    super(world, "truth", "region");
  }

  addLayers(before) {
    super.addLayers(before, {
      fill: { "fill-color": COLOUR, "fill-opacity": 0.12 },
      line: { "line-color": COLOUR, "line-width": 2, "line-dasharray": [2, 1.2] },
      corner: { "circle-radius": 4.5, "circle-color": COLOUR, "circle-stroke-color": "#0b1a2b", "circle-stroke-width": 1.2 },
    });
  }

  setControl(active) {
    this.world.controls.setTruthToolActive(active);
  }

  // The tool stays active for the next polygon.
  finished(corners) {
    const { space } = this.world;
    const ring = corners.map(([lng, lat]) => space.fromMap(new window.maplibregl.LngLat(lng, lat)));
    this.open = [];
    this.set([...this.rings, ring]);
    this.world.emit("truth", { truth: this.rings });
  }

  set(rings) {
    this.rings = rings;
    this.draw();
  }

  draw(lngLat = null) {
    const { space } = this.world;
    const outlines = this.rings.map((ring) => {
      const corners = ring.map((point) => space.toMap(point));
      return feature("Polygon", [[...corners, corners[0]]]);
    });
    this.showFeatures([...outlines, ...this.openFeatures(lngLat)]);
  }
}
