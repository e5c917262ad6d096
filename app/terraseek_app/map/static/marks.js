// The result of a localization: outlines of regions, and peaks.

import { make } from "./dom.js";
import { LEVEL_COLOURS } from "./scale.js";

const EMPTY = { type: "FeatureCollection", features: [] };

function toMapCoordinates(coordinates, space) {
  if (typeof coordinates[0] === "number") return space.toMap(coordinates);
  return coordinates.map((part) => toMapCoordinates(part, space));
}

export class RegionsLayer {
  constructor(world) {
    this.world = world;
    this.count = 0;
    world.styleLoaded.then(() => this.add());
  }

  add() {
    const { map } = this.world;
    map.addSource("regions", { type: "geojson", data: EMPTY });
    map.addLayer({
      id: "regions-fill", type: "fill", source: "regions", paint: { "fill-color": "#ffffff", "fill-opacity": 0 },
    }, "above-regions"); // invisible: what a click hits
    const { likely, possible, none, unknown } = LEVEL_COLOURS;
    const level = ["match", ["get", "significance"], "likely", likely, "possible", possible, "none", none, unknown];
    const own = ["case", ["has", "colour"], ["get", "colour"], level];
    const halo = ["case", ["has", "colour"], "#0b1a2b", "#ffffff"];
    for (const [id, color, width] of [["regions-halo", halo, 4.4], ["regions-line", own, 2.2]]) {
      map.addLayer({
        id, type: "line", source: "regions",
        paint: { "line-color": color, "line-width": width, "line-opacity": 0.85 },
      }, "above-regions");
    }
  }

  show(collection) {
    const { space, map, styleLoaded } = this.world;
    const text = JSON.stringify([collection ?? null, space.isPixels]);
    if (text === this.shown) return;
    this.shown = text;
    const features = (collection?.features ?? []).filter((feature) => feature.geometry);
    const data = {
      type: "FeatureCollection",
      features: features.map((feature) => ({
        ...feature,
        geometry: {
          ...feature.geometry, coordinates: toMapCoordinates(feature.geometry.coordinates, space),
        },
      })),
    };
    this.count = features.length;
    styleLoaded.then(() => map.getSource("regions").setData(data));
  }

  // Outlines made in the browser, in map coordinates, until the page sends its own.
  showLive(features) {
    const { map, styleLoaded } = this.world;
    this.shown = null;
    this.count = features.length;
    styleLoaded.then(() => map.getSource("regions").setData({ type: "FeatureCollection", features }));
  }

  isAt(point) {
    const { map } = this.world;
    return map.getLayer("regions-fill") && map.queryRenderedFeatures(point, { layers: ["regions-fill"] }).length > 0;
  }
}

export class PeaksLayer {
  constructor(world) {
    this.world = world;
    this.markers = [];
  }

  show(peaks) {
    const text = JSON.stringify([peaks, this.world.space.isPixels]);
    if (text === this.shown) return;
    this.shown = text;
    for (const marker of this.markers) marker.remove();
    this.markers = peaks.map((peak) => {
      const label = String(peak.label ?? "");
      const element = make("div", "ts-peak", make("span", "ts-peak-label", label), { title: label });
      const marker = new window.maplibregl.Marker({ element });
      return marker.setLngLat(this.world.space.toMap([peak.x, peak.y])).addTo(this.world.map);
    });
  }
}
