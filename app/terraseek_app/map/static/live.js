// Outlines, count and area of the regions while the threshold is dragged; tells the page's table.

import { LEVEL_WORDS, levelOf } from "./scale.js";
import { areaText, groundArea, latitude, mercatorY, regionsAbove } from "./outlines.js";

const MIN_WINDOWS = 1 / 16; // smallest region in areas of the smallest window, as the server's

export class LiveRegions {
  constructor(world) {
    this.world = world;
  }

  // At most once per frame.
  schedule() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.refresh();
    });
  }

  refresh() {
    const { world } = this;
    const heats = world.heats().filter((heat) => heat.pixels);
    const threshold = Math.round(world.overlays.style.threshold * 255);
    const features = [];
    const rows = [];
    heats.forEach((heat, sentence) => {
      const place = placing(world.space, heat.overlay);
      const { width, height } = heat.canvas;
      const minArea = MIN_WINDOWS * (heat.overlay.window ?? 0) ** 2 * width * height;
      const found = regionsAbove({ ...heat, width, height }, threshold, minArea);
      found.forEach((region, index) => {
        const coordinates = region.rings.map((ring) => ring.map(place.toMap));
        const colour = heat.overlay.colour || undefined;
        const { low, high } = heat.overlay;
        const score = low + (region.value / 255) * (high - low);
        const level = levelOf(heat.overlay, score);
        const properties = { sentence, rank: index + 1, colour, significance: level ?? "unknown" };
        features.push({ type: "Feature", properties, geometry: { type: "Polygon", coordinates } });
        rows.push({
          sentence, rank: index + 1, query: heat.overlay.label, colour, level: level ? LEVEL_WORDS[level] : heat.overlay.level ?? "",
          score, where: place.label(region.peak),
          size: place.areaText(region.area / (width * height), region.peak[1]),
        });
      });
    });
    world.regions.showLive(features);
    this.rows = rows;
    const detail = { key: world.key, threshold: world.overlays.style.threshold, rows };
    window.dispatchEvent(new CustomEvent("terraseek:regions", { detail }));
  }
}

// How fractions of an overlay's width and height become positions, labels and areas.
function placing(space, overlay) {
  if (space.isPixels) {
    const pixel = ([x, y]) => [x * space.width, y * space.height];
    const count = (share) => Math.round(share * space.width * space.height).toLocaleString("en");
    return {
      toMap: (point) => space.toMap(pixel(point)),
      label: (point) => `${pixel(point).map((v) => Math.floor(v).toLocaleString("en")).join(", ")} px`,
      areaText: (share) => `${count(share)} px²`,
    };
  }
  const [ul, ur, , ll] = overlay.corners;
  const [top, bottom] = [mercatorY(ul[1]), mercatorY(ll[1])];
  const lonLat = ([x, y]) => [ul[0] + x * (ur[0] - ul[0]), latitude(top + y * (bottom - top))];
  const surface = Math.abs(((ur[0] - ul[0]) * Math.PI) / 180 * (bottom - top));
  return {
    toMap: lonLat,
    label: (point) => {
      const [lon, lat] = lonLat(point);
      return `${lat.toFixed(5)}, ${lon.toFixed(5)}`;
    },
    areaText: (share, y) => areaText(share * surface * groundArea(latitude(top + y * (bottom - top)))),
  };
}
