// Hits as numbered pins, best first; pins at one place are fanned out so that each can be clicked.

import { make } from "./dom.js";
import { colour, css } from "./ramps.js";

const STEP_PX = 20;

export class HitsLayer {
  constructor(world) {
    this.world = world;
    this.hits = [];
    this.markers = new Map(); // item_id -> {marker, signature}
    this.selected = null;
    this.visible = true;
  }

  // Only pins that changed are touched.
  show(hits) {
    this.hits = hits;
    const places = new Map();
    const scores = hits.map((hit) => hit.score);
    const [low, high] = [Math.min(...scores), Math.max(...scores)];
    const wanted = new Set();
    hits.forEach((hit, index) => {
      if (hit.lon === null || hit.lat === null || hit.lon === undefined) return;
      const spot = `${hit.lon.toFixed(5)},${hit.lat.toFixed(5)}`;
      const nth = places.get(spot) ?? 0;
      places.set(spot, nth + 1);
      wanted.add(hit.item_id);
      this.put(hit, hit.rank ?? index + 1, high > low ? (hit.score - low) / (high - low) : 1, nth);
    });
    for (const [id, { marker }] of this.markers) {
      if (wanted.has(id)) continue;
      marker.remove();
      this.markers.delete(id);
      if (this.world.popup?.itemId === id) this.world.popup.remove();
    }
    this.select(this.selected);
  }

  put(hit, rank, share, nth) {
    const signature = [hit.lon, hit.lat, rank, share.toFixed(3), nth].join();
    const old = this.markers.get(hit.item_id);
    if (old?.signature === signature) return;
    old?.marker.remove();
    const element = this.pin(hit, rank, share);
    const marker = new window.maplibregl.Marker({
      element, anchor: "bottom", offset: [nth * STEP_PX, 0], opacityWhenCovered: "0",
    });
    marker.setLngLat(this.world.space.toMap([hit.lon, hit.lat]));
    element.style.zIndex = String(1000 - rank);
    element.hidden = !this.visible;
    marker.addTo(this.world.map);
    // after adding, because MapLibre calls every marker "Map marker"
    element.setAttribute("aria-label", `Hit ${rank}${hit.caption ? `: ${hit.caption}` : ""}`);
    this.markers.set(hit.item_id, { marker, signature });
  }

  pin(hit, rank, share) {
    const t = 0.18 + 0.82 * share;
    const [r, g, b] = colour("plasma", t);
    const dark = 0.299 * r + 0.587 * g + 0.114 * b > 140;
    const element = make("button", "ts-hit", make("span", "ts-hit-rank", String(rank)), {
      type: "button", "data-item": hit.item_id,
    });
    element.style.setProperty("--pin", css("plasma", t));
    element.style.setProperty("--ink", dark ? "#1b0b2e" : "#ffffff");
    element.addEventListener("click", (event) => {
      event.stopPropagation();
      this.world.pick(hit, "hit");
    });
    return element;
  }

  select(itemId) {
    this.selected = itemId;
    for (const [id, { marker }] of this.markers) {
      marker.getElement().classList.toggle("ts-selected", id === itemId);
    }
  }

  get(itemId) {
    return this.hits.find((hit) => hit.item_id === itemId) ?? null;
  }

  setVisible(visible) {
    this.visible = visible;
    for (const { marker } of this.markers.values()) marker.getElement().hidden = !visible;
  }

  places() {
    return [...this.markers.values()].map(({ marker }) => marker.getLngLat());
  }
}
