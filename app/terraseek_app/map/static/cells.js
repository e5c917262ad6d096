// Hits for each available sample, by map cell: where many hits are only because there are many images,
// the share is low. Off until it is switched on in the layers.

import { css } from "./ramps.js";

const EMPTY = { type: "FeatureCollection", features: [] };
const FINER = 4; // zooms between the map and its cells, which are then about 32 pixels wide
const MAX_CELL_ZOOM = 18;

// Column and row of the tile of a zoom that contains a position.
export function cellOf([lon, lat], zoom) {
  const side = 2 ** zoom;
  const phi = (Math.min(Math.max(lat, -85.0511), 85.0511) * Math.PI) / 180;
  const x = Math.floor(((lon + 180) / 360) * side);
  const y = Math.floor(((1 - Math.asinh(Math.tan(phi)) / Math.PI) / 2) * side);
  return [Math.min(Math.max(x, 0), side - 1), Math.min(Math.max(y, 0), side - 1)];
}

// The corners of a cell as a closed ring.
export function ringOfCell([x, y], zoom) {
  const side = 2 ** zoom;
  const lon = (column) => (column / side) * 360 - 180;
  const lat = (row) => (Math.atan(Math.sinh(Math.PI * (1 - (2 * row) / side))) * 180) / Math.PI;
  return [[lon(x), lat(y)], [lon(x + 1), lat(y)], [lon(x + 1), lat(y + 1)], [lon(x), lat(y + 1)], [lon(x), lat(y)]];
}

// Cells with hits: {cell, hits, samples, share}. counts: [[x, y, samples], ...] of the cells in view.
export function shares(hits, counts, zoom) {
  const samples = new Map(counts.map(([x, y, n]) => [`${x},${y}`, n]));
  const found = new Map();
  for (const hit of hits) {
    const cell = cellOf([hit.lon, hit.lat], zoom);
    const key = cell.join();
    if (!samples.has(key)) continue; // out of view
    const entry = found.get(key) ?? { cell, hits: 0, samples: samples.get(key) };
    entry.hits += 1;
    entry.share = entry.hits / entry.samples;
    found.set(key, entry);
  }
  return [...found.values()];
}

export class CellsLayer {
  constructor(world) {
    this.world = world;
    world.layers.hidden.add("cells");
    world.styleLoaded.then(() => this.addLayers());
    world.map.on("moveend", () => this.refresh());
  }

  addLayers() {
    const { map } = this.world;
    map.addSource("cells", { type: "geojson", data: EMPTY });
    map.addLayer({
      id: "cells-fill", type: "fill", source: "cells",
      paint: { "fill-color": ["get", "colour"], "fill-opacity": 0.6, "fill-outline-color": "#0b1a2b" },
    }, "above-samples");
    map.addLayer({
      id: "cells-text", type: "symbol", source: "cells", minzoom: 2,
      layout: { "icon-image": ["concat", "count:", ["get", "text"]], "icon-allow-overlap": false, "icon-size": 0.85 },
    }, "above-samples");
  }

  async refresh() {
    const { world } = this;
    const source = world.map.getSource("cells");
    if (!source || world.layers.hidden.has("cells")) return;
    const zoom = Math.min(Math.round(world.map.getZoom()) + FINER, MAX_CELL_ZOOM);
    const request = (this.lastRequest = {});
    const response = await fetch(`${world.base}/api/cells?bbox=${world.view().bounds.join()}&zoom=${zoom}`);
    if (request !== this.lastRequest || response.status !== 200) return;
    const { cells } = await response.json();
    const features = shares(world.hitsLayer.hits, cells, zoom).map((entry) => ({
      type: "Feature",
      properties: { colour: css("plasma", entry.share), text: `${entry.hits}/${entry.samples}` },
      geometry: { type: "Polygon", coordinates: [ringOfCell(entry.cell, zoom)] },
    }));
    source.setData({ type: "FeatureCollection", features });
    this.count = features.length;
  }
}
