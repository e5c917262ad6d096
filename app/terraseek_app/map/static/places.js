// Go to a place: names of towns and coordinates in any usual notation; the map flies there.

import { ICONS, icon, make } from "./dom.js";

const DELAY_MS = 180;

export class PlaceSearch {
  constructor(world) {
    this.world = world;
    this.places = [];
    this.active = -1;
    this.input = make("input", "ts-place-input", [], {
      type: "search", placeholder: "Go to a place", "aria-label": "Go to a place or to coordinates",
      title: "A town, or coordinates: 45.76, 4.84 · 45°45'N 4°50'E · 31T 643000 5068000 · 31TFL4368",
      autocomplete: "off", spellcheck: "false", role: "combobox", "aria-expanded": "false",
    });
    this.list = make("div", "ts-place-list ts-panel", [], { role: "listbox" });
    this.list.hidden = true;
    this.element = make("div", "ts-place-search", [icon(ICONS.search), this.input, this.list]);
    this.input.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.look(), DELAY_MS);
    });
    this.input.addEventListener("keydown", (event) => this.onKey(event));
    this.input.addEventListener("blur", () => setTimeout(() => this.close(), 150));
    // keys typed here must not move the map
    for (const name of ["keydown", "keyup", "pointerdown", "dblclick", "wheel"]) {
      this.element.addEventListener(name, (event) => event.stopPropagation());
    }
  }

  // Fetch the places of the typed text; an answer to earlier text is ignored.
  async look() {
    const text = this.input.value.trim();
    if (!text) return this.close();
    const response = await fetch(`${this.world.base}/api/places?q=${encodeURIComponent(text)}`);
    if (text !== this.input.value.trim()) return undefined;
    const answer = await response.json();
    if (!response.ok) return this.show([], answer.what);
    return this.show(answer.places, "No place of this name");
  }

  show(places, otherwise) {
    this.places = places;
    this.active = places.length ? 0 : -1;
    const rows = places.map((place, index) => {
      const row = make("div", "ts-place-row", [
        make("span", "", place.name), make("span", "ts-place-region", place.region),
      ], { role: "option" });
      row.addEventListener("pointerdown", () => this.go(index));
      return row;
    });
    this.list.replaceChildren(...(rows.length ? rows : [make("div", "ts-place-none", otherwise)]));
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.highlight();
  }

  highlight() {
    [...this.list.children].forEach((row, index) => {
      row.classList.toggle("ts-on", index === this.active);
      row.setAttribute("aria-selected", String(index === this.active));
    });
  }

  async onKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.places.length) {
      event.preventDefault();
      this.active = (this.active + step + this.places.length) % this.places.length;
      this.highlight();
    }
    if (event.key === "Escape") this.close();
    if (event.key === "Enter") {
      clearTimeout(this.timer);
      if (this.list.hidden || !this.places.length) await this.look();
      if (this.active >= 0) this.go(this.active);
    }
  }

  go(index) {
    const { map } = this.world;
    const { lon, lat, zoom, name } = this.places[index];
    this.input.value = name;
    this.close();
    this.mark?.remove();
    this.mark = new window.maplibregl.Marker({ element: make("div", "ts-place-mark", [], { title: name }) });
    this.mark.setLngLat([lon, lat]).addTo(map);
    this.world.movedByUser = true; // offers a search of the area
    map.flyTo({ center: [lon, lat], zoom, offset: this.world.free.offset(), duration: 1400 });
  }

  close() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    if (!this.input.value) this.mark?.remove();
  }
}
