// Two searches on one map: a second map with the hits of the other search has the view of the first.
// It lies over the first, to the right of a divider that is dragged, or beside it.

import { Divider } from "./divider.js";
import { button, make } from "./dom.js";
import { openPopup } from "./popup.js";

const CHANGED = "terraseek:split"; // also used by widgets/page_link.js
const REPORT_MS = 200; // browsers limit how often the address may change
const LEAST_SIDE_PX = 90; // of a side of the divider that hits are shown on
const SIDES_FROM_PX = 460; // of free width; narrower places show a swipe

export class SplitView {
  constructor(world) {
    this.world = world;
    this.mode = "swipe";
    this.share = 0.5;
    this.second = null;
  }

  get isOpen() {
    return this.second !== null;
  }

  update(data) {
    if (!data.second) return this.close();
    if (!this.isOpen) this.open(data);
    const { second, world } = this;
    this.take(data.second.split);
    this.legend.first.textContent = data.second.titles[0];
    this.legend.second.textContent = data.second.titles[1];
    // what was clicked on a map stays in view; one of both flies to what was chosen elsewhere
    if (data.selected === world.picked || world.hitsLayer.get(data.selected)) second.picked = data.selected;
    second.update({
      ...data, hits: data.second.hits, second: null, report: ["select"], truth: [], chosen: [], view: null,
    });
    const nBoth = data.second.hits.filter((hit) => hit.side === "both").length;
    this.legend.both.textContent = `in both: ${nBoth}`;
    this.place();
  }

  open(data) {
    const { world } = this;
    const second = new world.constructor({ ...data, key: `${data.key}:second`, stage: world.stage, report: ["select"] });
    second.element.classList.add("ts-second");
    second.views.last = "followed"; // has no view of its own
    // one panel of layers, one line of coordinates, and one place that reports
    second.layers.hidden = world.layers.hidden;
    Object.assign(second.controls, { coordinates: world.controls.coordinates, toast: world.controls.toast });
    second.pick = (item, from) => world.pick(item, from, second);
    Object.assign(second.overlays.style, world.overlays.style);
    second.onMoveEnd = () => this.passMove();
    this.second = second;
    this.divider = new Divider(this);
    this.legend = this.makeLegend();
    world.free.element.before(second.element, this.divider.element);
    world.free.element.querySelector(".ts-tools").append(this.legend.element);
    world.element.classList.add("ts-split");
    world.popup?.remove();
    this.onLayers = () => {
      second.layers.refresh();
      second.cells.refresh();
    };
    world.controls.layers.addEventListener("change", this.onLayers);
    this.onMove = () => this.follow(world, second);
    this.onResize = () => this.keepCentre();
    world.map.on("move", this.onMove);
    world.map.on("resize", this.onResize);
    second.map.on("move", () => this.follow(second, world));
    second.map.on("resize", () => this.follow(world, second));
    world.free.onMeasure = () => this.place();
    second.free.watch(data.panels);
    this.size = this.sizeNow();
    this.follow(world, second);
  }

  // Over both maps where they share one place; in its own map where they lie side by side.
  openPopup(item, map) {
    this.closePopups();
    if (this.isBeside) return openPopup(map, item);
    openPopup(this.world, item, this.world.element);
  }

  closePopups() {
    for (const map of [this.world, this.second]) map.popup?.remove();
  }

  get isBeside() {
    return this.world.element.classList.contains("ts-sides");
  }

  makeLegend() {
    const legend = { first: make("span", "ts-side-title"), second: make("span", "ts-side-title"), both: make("span") };
    this.modes = {
      swipe: button("ts-mode", "Swipe", "One map with a divider", () => this.setMode("swipe")),
      sides: button("ts-mode", "Side by side", "Two maps with the same view", () => this.setMode("sides")),
    };
    for (const one of Object.values(this.modes)) one.classList.remove("ts-button");
    legend.modes = make("span", "ts-modes", Object.values(this.modes), {
      role: "group", "aria-label": "How both are shown",
    });
    const entry = (side, text) => make("span", "ts-side-entry", [make("i", "ts-side-mark", [], { "data-side": side }), text]);
    legend.element = make("div", "ts-split-legend ts-panel", [
      entry("first", legend.first), entry("second", legend.second), entry("both", legend.both),
      legend.modes,
    ]);
    return legend;
  }

  // Both maps show the same place at the middle of their free parts.
  follow(from, to) {
    if (this.isFollowing) return;
    this.isFollowing = true;
    to.map.easeTo({ center: from.free.center(), zoom: from.map.getZoom(), offset: to.free.offset(), duration: 0 });
    this.isFollowing = false;
    this.remember();
  }

  // What is in the middle; MapLibre announces a new size as a move first, which is none.
  remember() {
    if (this.sizeNow() === this.size) this.centre = this.world.free.center();
  }

  sizeNow() {
    const { clientWidth, clientHeight } = this.world.map.getCanvas();
    return `${clientWidth} x ${clientHeight}`;
  }

  // The first map has a new size: what was in the middle stays there.
  keepCentre() {
    const { world, second, centre } = this;
    this.size = this.sizeNow();
    world.free.measure();
    world.map.easeTo({ center: centre, offset: world.free.offset(), duration: 0 });
    this.follow(world, second);
  }

  // A move that the user made on the second map offers what one on the first does.
  passMove() {
    if (!this.second.movedByUser) return;
    this.second.movedByUser = false;
    this.world.movedByUser = true;
    this.world.onMoveEnd();
  }

  // What was seen stays in sight: half the width shows as much a zoom further out.
  setMode(mode) {
    const { map, free } = this.world;
    const before = this.isBeside;
    this.mode = mode;
    this.closePopups();
    this.place();
    const zoom = map.getZoom() + Number(before) - Number(this.isBeside);
    map.easeTo({ center: this.centre, zoom, offset: free.offset(), duration: 0 });
    this.announce();
  }

  announce() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => window.dispatchEvent(new Event(CHANGED)), REPORT_MS);
  }

  setShare(share) {
    this.share = Math.min(Math.max(share, 0), 1);
    this.place();
    this.announce();
  }

  // The split of a link, when it changes: `sides`, or the share left of the divider.
  take(text) {
    if (text === this.taken) return;
    this.taken = text;
    this.mode = text === "sides" ? "sides" : "swipe";
    if (text !== "sides") this.share = Number(text);
  }

  // As `terraseek_app.map.second.parse_split` reads it; null while nothing is compared.
  text() {
    if (!this.isOpen) return null;
    return this.mode === "sides" ? "sides" : this.share.toFixed(2);
  }

  // The free part of both maps together, in pixels of their place.
  room() {
    const { free, element } = this.world;
    const { left, right } = free.insetsOf(element);
    return { left, width: Math.max(element.clientWidth - left - right, 1) };
  }

  // Put the divider in its place, and the maps on its sides.
  place() {
    const { world, second } = this;
    const { left, width } = this.room();
    const isBeside = this.mode === "sides" && width >= SIDES_FROM_PX;
    const at = Math.round(left + width * (isBeside ? 0.5 : this.share));
    // hits that were chosen elsewhere are shown on their side of the divider, where it has room
    const shift = (side) => (isBeside || side < LEAST_SIDE_PX ? 0 : (width - side) / 2);
    world.shift = -shift(at - left);
    second.shift = shift(left + width - at);
    const key = [isBeside, at, world.element.clientWidth].join();
    this.legend.modes.hidden = width < SIDES_FROM_PX;
    this.modes.sides.setAttribute("aria-pressed", String(isBeside));
    this.modes.swipe.setAttribute("aria-pressed", String(!isBeside));
    if (key === this.placed) return;
    this.placed = key;
    world.element.classList.toggle("ts-sides", isBeside);
    world.element.style.setProperty("--split", `${at}px`);
    this.divider.show(this.share, !isBeside);
    world.map.resize(); // now, so that what is measured is what is seen
    second.map.resize();
    world.free.measure();
    second.free.measure();
  }

  // For tests.
  get state() {
    return { ...this.second.state, share: this.share, beside: this.isBeside };
  }

  places() {
    return this.second?.hitsLayer.places() ?? [];
  }

  close() {
    if (!this.isOpen) return;
    const { world, second } = this;
    this.closePopups();
    world.map.off("move", this.onMove);
    world.map.off("resize", this.onResize);
    world.controls.layers.removeEventListener("change", this.onLayers);
    world.free.onMeasure = null;
    world.shift = 0;
    world.element.classList.remove("ts-split", "ts-sides");
    second.reportError = () => {}; // of requests that are under way
    second.remove();
    for (const element of [second.element, this.divider.element, this.legend.element]) element.remove();
    Object.assign(this, { second: null, placed: null, taken: null, centre: null });
    world.free.measure();
    this.announce();
  }
}
