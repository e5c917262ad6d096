// Visibility of groups of layers. Empty anchor layers fix the order of the groups, bottom to top.

import { make } from "./dom.js";

const REFERENCE_LAYERS = ["rivers", "states", "borders", "coasts"];
const GROUPS = [
  ["basemap", "Basemap", (id) => id.startsWith("basemap")],
  ["borders", "Coasts, borders, rivers", (id) => REFERENCE_LAYERS.includes(id)],
  ["towns", "Towns", (id) => id === "towns"],
  ["items", "Images", (id) => id === "items" || id.startsWith("item:")],
  ["scene", "Scene", (id) => id.startsWith("scene:")],
  ["heat", "Heat map", (id) => id.startsWith("heat:")],
  ["regions", "Regions", (id) => id.startsWith("regions")],
  ["samples", "Samples", (id) => id.startsWith("sample")],
  ["cells", "Hits of all samples", (id) => id.startsWith("cells-")],
  ["hits", "Hits", (id) => id.startsWith("hit-")],
];

export const ANCHORS = ["above-items", "above-hit-images", "above-scenes", "above-heat", "above-regions", "above-samples"];

export class Layers {
  constructor(world) {
    this.world = world;
    this.hidden = new Set();
    this.panel = world.controls.layers;
  }

  ids(test) {
    return this.world.map.getLayersOrder().filter((id) => !ANCHORS.includes(id) && test(id));
  }

  // Must be called after layers were added or removed: hides them if their group is hidden, and
  // updates the panel.
  refresh() {
    const { world } = this;
    const rows = [];
    for (const [name, label, test] of GROUPS) {
      const ids = this.ids(test);
      for (const id of ids) {
        world.map.setLayoutProperty(id, "visibility", this.hidden.has(name) ? "none" : "visible");
      }
      if (name === "regions" && world.regions?.count === 0) continue;
      const needsHits = name === "hits" || name === "cells";
      if (needsHits ? world.hitsLayer.markers.size : ids.length) {
        rows.push(this.row(name, label));
      }
    }
    world.hitsLayer.setVisible(!this.hidden.has("hits"));
    this.panel.replaceChildren(...rows);
  }

  row(name, label) {
    const input = make("input", "", [], { type: "checkbox", "data-layer": name });
    input.checked = !this.hidden.has(name);
    input.addEventListener("change", () => {
      this.hidden[input.checked ? "delete" : "add"](name);
      this.refresh();
      if (name === "cells") this.world.cells.refresh();
    });
    return make("label", "ts-layer", [input, label]);
  }
}
