// Hits: thumbnails on stems where there is room, else numbered pins; pins that would hide each other
// are one pin with a count, which opens.

import { declutter, spread } from "./declutter.js";
import { make } from "./dom.js";
import { announceHover, onHover } from "./hover.js";
import { colour, css, parsed } from "./ramps.js";
import { LEVEL_COLOURS, LEVEL_WORDS } from "./scale.js";
import { SIDE_COLOURS } from "./sides.js";

const FRAMED_FROM_PX = 56; // above footprints of this height the mark stands on the upper edge
const SAME_PLACE_DEG = 1e-5; // about a metre; hits nearer than this are not separated by zooming
const CLOSEST_ZOOM = 18;
const CLUSTER_PADDING_PX = { top: 90, right: 90, bottom: 90, left: 90 };

export class HitsLayer {
  constructor(world) {
    this.world = world;
    this.hits = [];
    this.markers = new Map(); // item_id -> {marker, signature}
    this.groups = new Map(); // item_id -> {lead, members, mode}
    this.selected = null;
    this.visible = true;
    world.map.on("moveend", () => this.arrange());
    world.map.on("zoomstart", () => this.fold());
    world.map.on("click", () => this.fold());
    this.stopHover = onHover(world.key, (itemId) => this.light(itemId));
  }

  // Draw the hits; marks that did not change are kept.
  show(hits) {
    const text = JSON.stringify(hits);
    if (text === this.shown) return;
    this.shown = text;
    this.hits = hits;
    const scores = hits.map((hit) => hit.score);
    const [low, high] = [Math.min(...scores), Math.max(...scores)];
    this.relative = (hit) => 0.18 + 0.82 * (high > low ? (hit.score - low) / (high - low) : 1);
    const wanted = new Set();
    hits.forEach((hit, index) => {
      if (hit.lon === null || hit.lat === null || hit.lon === undefined) return;
      wanted.add(hit.item_id);
      this.updateMarker(hit, hit.rank ?? index + 1);
    });
    for (const [id, { marker }] of this.markers) {
      if (wanted.has(id)) continue;
      marker.remove();
      this.markers.delete(id);
      if (this.world.popup?.itemId === id) this.world.popup.remove();
    }
    this.world.items?.showHits(this.world.space.isPixels ? [] : hits.filter((hit) => wanted.has(hit.item_id)),
      (hit) => this.colourOf(hit));
    this.arrange();
    this.select(this.selected);
  }

  // The colour of a hit's side in a comparison, of its significance, or of its score.
  colourOf(hit) {
    return SIDE_COLOURS[hit.side] ?? LEVEL_COLOURS[hit.level] ?? css("plasma", this.relative(hit));
  }

  updateMarker(hit, rank) {
    const signature = [hit.lon, hit.lat, rank, hit.level ?? this.relative(hit).toFixed(3), hit.side].join();
    const old = this.markers.get(hit.item_id);
    if (old?.signature === signature) return;
    old?.marker.remove();
    const element = this.createPin(hit, rank);
    const marker = new window.maplibregl.Marker({ element, anchor: "bottom", opacityWhenCovered: "0" });
    marker.setLngLat(this.world.space.toMap([hit.lon, hit.lat]));
    element.style.zIndex = String(1000 - rank);
    element.hidden = !this.visible;
    marker.addTo(this.world.map);
    // after adding, because MapLibre sets the label of every marker to "Map marker"
    if (hit.level) element.title = LEVEL_WORDS[hit.level];
    element.setAttribute("aria-label", `Hit ${rank}${hit.caption ? `: ${hit.caption}` : ""}`);
    this.markers.set(hit.item_id, { marker, signature });
  }

  createPin(hit, rank) {
    const own = SIDE_COLOURS[hit.side] ?? LEVEL_COLOURS[hit.level];
    const [r, g, b] = own ? parsed(own) : colour("plasma", this.relative(hit));
    const isBright = 0.299 * r + 0.587 * g + 0.114 * b > 140;
    const element = make("button", "ts-hit", make("span", "ts-hit-rank", String(rank)), {
      type: "button", "data-item": hit.item_id, "data-precision": hit.precision ?? "", "data-side": hit.side ?? "",
    });
    element.style.setProperty("--pin", `rgb(${r},${g},${b})`);
    element.style.setProperty("--ink", isBright ? "#1b0b2e" : "#ffffff");
    element.addEventListener("click", (event) => {
      event.stopPropagation();
      if (!this.open(hit)) this.world.pick(hit, "hit");
    });
    element.addEventListener("mouseenter", () => announceHover(this.world.key, hit.item_id));
    element.addEventListener("mouseleave", () => announceHover(this.world.key, null));
    return element;
  }

  // Decide which marks are drawn as thumbnails, pins or clusters at the present view.
  arrange() {
    this.fold();
    const { map, items } = this.world;
    const canvas = map.getCanvas();
    const places = [];
    for (const hit of this.hits) {
      const known = this.markers.get(hit.item_id);
      if (!known) continue;
      const size = items?.minZoom === null ? null : items?.sizeOf(hit);
      const framed = Boolean(size) && size[1] >= FRAMED_FROM_PX;
      known.marker.setLngLat(framed ? topOf(hit.footprint) : this.world.space.toMap([hit.lon, hit.lat]));
      const at = map.project(known.marker.getLngLat());
      places.push({ id: hit.item_id, x: at.x, y: at.y, thumb: Boolean(hit.thumbnail) && !items?.isDrawn(hit) });
    }
    const first = places.findIndex((place) => place.id === this.selected);
    if (first > 0) places.unshift(...places.splice(first, 1)); // never hidden in a cluster
    this.groups = declutter(places, canvas.clientWidth, canvas.clientHeight);
    for (const [id, group] of this.groups) this.drawMark(id, group);
    this.choose(this.chosen);
  }

  drawMark(id, group) {
    const element = this.markers.get(id).marker.getElement();
    const more = group.members.length - 1;
    element.classList.toggle("ts-thumb", group.mode === "thumb");
    element.hidden = !this.visible || group.mode === "hidden";
    if (group.mode === "thumb" && !element.querySelector(".ts-hit-image")) {
      const src = `${this.world.base}${this.get(id).thumbnail}`;
      element.prepend(make("img", "ts-hit-image", [], { src, alt: "", draggable: "false" }));
    }
    element.querySelector(".ts-hit-more")?.remove();
    if (more > 0) element.append(make("span", "ts-hit-more", `+${more}`, { title: `${more} more hits here` }));
  }

  // A click on a mark with a count: zoom to its hits, or spread those at one place. False without.
  open(hit) {
    const members = this.groups.get(hit.item_id)?.members ?? [];
    if (members.length < 2 || this.spreadOf) return false;
    const { map, space } = this.world;
    const places = members.map((id) => this.get(id)).map((one) => space.toMap([one.lon, one.lat]));
    const lons = places.map((place) => place[0]);
    const lats = places.map((place) => place[1]);
    const span = Math.max(Math.max(...lons) - Math.min(...lons), Math.max(...lats) - Math.min(...lats));
    const limit = space.isPixels ? 0 : SAME_PLACE_DEG;
    if (span > limit && map.getZoom() < CLOSEST_ZOOM) {
      const bounds = new window.maplibregl.LngLatBounds();
      for (const place of places) bounds.extend(place);
      map.fitBounds(bounds, { padding: this.world.free.padding(CLUSTER_PADDING_PX), maxZoom: CLOSEST_ZOOM, duration: 700 });
      return true;
    }
    this.spreadOut(members);
    return true;
  }

  spreadOut(members) {
    this.spreadOf = members;
    spread(members.length).forEach(([dx, dy], index) => {
      const { marker } = this.markers.get(members[index]);
      const element = marker.getElement();
      marker.setOffset([dx, dy]);
      element.classList.remove("ts-thumb");
      element.classList.add("ts-spread");
      element.hidden = !this.visible;
      element.querySelector(".ts-hit-more")?.remove();
      const leg = make("span", "ts-hit-leg");
      leg.style.width = `${Math.hypot(dx, dy)}px`;
      leg.style.transform = `rotate(${Math.atan2(-dy, -dx)}rad)`;
      element.prepend(leg);
    });
  }

  // Put spread marks back.
  fold() {
    const members = this.spreadOf;
    this.spreadOf = null;
    for (const id of members ?? []) {
      const known = this.markers.get(id);
      if (!known) continue;
      known.marker.setOffset([0, 0]);
      known.marker.getElement().classList.remove("ts-spread");
      known.marker.getElement().querySelector(".ts-hit-leg")?.remove();
      if (this.groups.has(id)) this.drawMark(id, this.groups.get(id));
    }
  }

  select(itemId) {
    this.selected = itemId;
    for (const [id, { marker }] of this.markers) {
      marker.getElement().classList.toggle("ts-selected", id === itemId);
    }
    if (this.groups.get(itemId)?.mode === "hidden" && !this.spreadOf) this.arrange();
  }

  // Light the mark of a hit, or the cluster it is in, while its tile in the gallery is hovered.
  light(itemId) {
    const lead = this.groups.get(itemId)?.lead;
    for (const [id, { marker }] of this.markers) {
      marker.getElement().classList.toggle("ts-lit", id === itemId || id === lead);
    }
  }

  get(itemId) {
    return this.hits.find((hit) => hit.item_id === itemId) ?? null;
  }

  setVisible(visible) {
    this.visible = visible;
    for (const [id, { marker }] of this.markers) {
      marker.getElement().hidden = !visible || this.groups.get(id)?.mode === "hidden";
    }
  }

  // Where the mark of a hit stands now; null for other items.
  place(itemId) {
    return this.markers.get(itemId)?.marker.getLngLat() ?? null;
  }

  // Ids of the hits in a box [west, south, east, north], best first; west > east crosses the
  // antimeridian.
  within([west, south, east, north]) {
    const across = (lon) => (west <= east ? lon >= west && lon <= east : lon >= west || lon <= east);
    return this.hits
      .filter((hit) => this.markers.has(hit.item_id) && across(hit.lon) && hit.lat >= south && hit.lat <= north)
      .map((hit) => hit.item_id);
  }

  // Mark the chosen hits, and clusters with chosen ones.
  choose(ids) {
    this.chosen = new Set(ids ?? []);
    const leads = new Set([...this.chosen].map((id) => this.groups.get(id)?.lead));
    for (const [id, { marker }] of this.markers) {
      marker.getElement().classList.toggle("ts-chosen", this.chosen.has(id) || leads.has(id));
    }
  }

  places() {
    return [...this.markers.values()].map(({ marker }) => marker.getLngLat());
  }

  remove() {
    this.stopHover();
  }
}

// The middle of a footprint's northern edge on the screen.
function topOf(footprint) {
  const lons = footprint.map((corner) => corner[0]);
  return [(Math.min(...lons) + Math.max(...lons)) / 2, Math.max(...footprint.map((corner) => corner[1]))];
}
