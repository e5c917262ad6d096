// The map's style: basemap, borders, and anchors for the order of groups; without glyphs and sprites.

import { ANCHORS } from "./layers.js";

const ATTRIBUTION = "Imagery: NASA Blue Marble · Coasts: GSHHG";

export function mapStyle(base, origin) {
  return {
    version: 8,
    sources: {
      basemap: {
        type: "raster", tiles: [`${origin}${base}/tiles/basemap/{z}/{x}/{y}`],
        tileSize: 512, maxzoom: 6, attribution: ATTRIBUTION,
      },
      borders: { type: "geojson", data: `${origin}${base}/tiles/borders.json`, tolerance: 0.4 },
    },
    layers: [
      { id: "background", type: "background", paint: { "background-color": "#0b1a2b" } },
      {
        id: "basemap", type: "raster", source: "basemap",
        paint: { "raster-fade-duration": 150, "raster-saturation": -0.1, "raster-brightness-max": 0.95 },
      },
      {
        id: "borders", type: "line", source: "borders",
        paint: {
          "line-color": ["match", ["get", "kind"], "coast", "#bfe3f5", "#fff4d6"],
          "line-opacity": [
            "interpolate", ["linear"], ["zoom"],
            1, ["match", ["get", "kind"], "coast", 0.1, 0.16],
            6, ["match", ["get", "kind"], "coast", 0.42, 0.36],
          ],
          "line-width": ["interpolate", ["linear"], ["zoom"], 1, 0.5, 8, 1.3],
        },
      },
      ...ANCHORS.map((id) => ({
        id, type: "background", layout: { visibility: "none" }, paint: {},
      })),
    ],
  };
}
