// Hits as numbered pins; pins at the same position are offset so that each can be clicked.

import { make } from "./dom.js";
import { colour, css } from "./ramps.js";

const OFFSET_PX = 20;

export class HitsLayer {
  constructor(world) {
    this.world = world;
    this.hits = [];
    this.markers = new Map(); // item_id -> {marker, signature}
    this.selected = null;
    this.visible = true;
  }

  // Draw the hits; pins that did not change are kept.
  show(hits) {
    this.hits = hits;
    const countAt = new Map();
    const scores = hits.map((hit) => hit.score);
    const [low, high] = [Math.min(...scores), Math.max(...scores)];
    const wanted = new Set();
    hits.forEach((hit, index) => {
      if (hit.lon === null || hit.lat === null || hit.lon === undefined) return;
      const position = `${hit.lon.toFixed(5)},${hit.lat.toFixed(5)}`;
      const stackIndex = countAt.get(position) ?? 0;
      countAt.set(position, stackIndex + 1);
      wanted.add(hit.item_id);
      const relativeScore = high > low ? (hit.score - low) / (high - low) : 1;
      this.updateMarker(hit, hit.rank ?? index + 1, relativeScore, stackIndex);
    });
    for (const [id, { marker }] of this.markers) {
      if (wanted.has(id)) continue;
      marker.remove();
      this.markers.delete(id);
      if (this.world.popup?.itemId === id) this.world.popup.remove();
    }
    this.select(this.selected);
  }

  updateMarker(hit, rank, relativeScore, stackIndex) {
    const signature = [hit.lon, hit.lat, rank, relativeScore.toFixed(3), stackIndex].join();
    const old = this.markers.get(hit.item_id);
    if (old?.signature === signature) return;
    old?.marker.remove();
    const element = this.createPin(hit, rank, relativeScore);
    const marker = new window.maplibregl.Marker({
      element, anchor: "bottom", offset: [stackIndex * OFFSET_PX, 0], opacityWhenCovered: "0",
    });
    marker.setLngLat(this.world.space.toMap([hit.lon, hit.lat]));
    element.style.zIndex = String(1000 - rank);
    element.hidden = !this.visible;
    marker.addTo(this.world.map);
    // after adding, because MapLibre sets the label of every marker to "Map marker"
    element.setAttribute("aria-label", `Hit ${rank}${hit.caption ? `: ${hit.caption}` : ""}`);
    this.markers.set(hit.item_id, { marker, signature });
  }

  createPin(hit, rank, relativeScore) {
    const t = 0.18 + 0.82 * relativeScore;
    const [r, g, b] = colour("plasma", t);
    const isBright = 0.299 * r + 0.587 * g + 0.114 * b > 140;
    const element = make("button", "ts-hit", make("span", "ts-hit-rank", String(rank)), {
      type: "button", "data-item": hit.item_id,
    });
    element.style.setProperty("--pin", css("plasma", t));
    element.style.setProperty("--ink", isBright ? "#1b0b2e" : "#ffffff");
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
