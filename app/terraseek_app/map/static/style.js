// The map's style: basemap, lines and towns, and anchors for the order of groups; without glyphs and
// sprites, so that names are drawn as images (labels.js).

import { LABEL } from "./labels.js";
import { ANCHORS } from "./layers.js";

const BLUE_MARBLE = "Imagery: NASA Blue Marble";
const REFERENCE = "Coasts: GSHHG · Borders, rivers: WDB II · Towns: GeoNames";

// `operator`: {url, attribution} of a basemap from the server's settings, or null; with bounds,
// tile_size, minzoom and maxzoom if it is an archive, which lies above the Blue Marble.
export function mapStyle(base, origin, operator) {
  return {
    version: 8,
    sources: {
      ...basemapSources(operator, origin, base),
      reference: {
        type: "vector", tiles: [`${origin}${base}/tiles/reference/{z}/{x}/{y}`], maxzoom: 10,
        attribution: REFERENCE,
      },
    },
    layers: [
      { id: "background", type: "background", paint: { "background-color": "#0b1a2b" } },
      ...basemapLayers(operator),
      line("rivers", "#8ec5ea", 0.5, 1.4),
      line("states", "#fff4d6", 0.3, 1, [3, 2]),
      line("borders", "#fff4d6", 0.4, 1.6),
      line("coasts", "#bfe3f5", 0.42, 1.3),
      towns(),
      ...ANCHORS.map((id) => ({
        id, type: "background", layout: { visibility: "none" }, paint: {},
      })),
    ],
  };
}

function basemapSources(operator, origin, base) {
  const marble = {
    type: "raster", tiles: [`${origin}${base}/tiles/basemap/{z}/{x}/{y}`],
    tileSize: 512, maxzoom: 6, attribution: BLUE_MARBLE,
  };
  if (!operator) return { basemap: marble };
  const { url, attribution, bounds, minzoom, maxzoom, tile_size: tileSize = 256 } = operator;
  const own = {
    type: "raster", tiles: [url.startsWith("/") ? `${origin}${base}${url}` : url], tileSize, attribution,
  };
  return bounds ? { basemap: marble, archive: { ...own, bounds, minzoom, maxzoom } } : { basemap: own };
}

function basemapLayers(operator) {
  const isAbove = Boolean(operator?.bounds);
  const paint = operator && !isAbove ? {} : blueMarblePaint();
  const layers = [{ id: "basemap", type: "raster", source: "basemap", paint }];
  if (isAbove) layers.push({ id: "basemap-archive", type: "raster", source: "archive", paint: {} });
  return layers;
}

// The Blue Marble has pixels of 7 km; beyond its zooms it recedes behind the lines and names.
function blueMarblePaint() {
  return {
    "raster-fade-duration": 150, "raster-saturation": -0.1, "raster-brightness-max": 0.95,
    "raster-opacity": ["interpolate", ["linear"], ["zoom"], 7, 1, 11, 0.55],
  };
}

function line(id, colour, opacity, width, dashes) {
  return {
    id, type: "line", source: "reference", "source-layer": id,
    paint: {
      "line-color": colour,
      "line-opacity": ["interpolate", ["linear"], ["zoom"], 1, opacity / 3, 6, opacity, 12, Math.min(1, 2 * opacity)],
      "line-width": ["interpolate", ["linear"], ["zoom"], 1, 0.4, 8, width, 14, 1.5 * width],
      ...(dashes ? { "line-dasharray": dashes } : {}),
    },
  };
}

function towns() {
  return {
    id: "towns", type: "symbol", source: "reference", "source-layer": "towns",
    layout: {
      "icon-image": ["concat", LABEL, ["to-string", ["get", "rank"]], ":", ["get", "name"]],
      "icon-anchor": "left", "icon-offset": [-5, 0], "icon-padding": 4,
      "symbol-sort-key": ["get", "rank"],
    },
    paint: { "icon-opacity": 0.92 },
  };
}
