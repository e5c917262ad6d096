// The part of the map that no panel of the page covers. Controls lie in it, and the map moves so that
// what it shows is seen there.

import { make } from "./dom.js";

const SIDES = ["top", "right", "bottom", "left"];
const LEAST_PX = 80; // of the map, which paddings leave free
const RETRIES = 40; // frames in which panels that Streamlit has not drawn yet are looked for

export class FreeArea {
  constructor(world) {
    this.world = world;
    this.panels = {};
    this.element = make("div", "ts-free");
    world.element.append(this.element);
    this.observer = new ResizeObserver(() => this.measure());
    this.onFullscreen = () => this.measure();
    document.addEventListener("fullscreenchange", this.onFullscreen);
    this.insets = { top: 0, right: 0, bottom: 0, left: 0, corner: 0 };
  }

  // `panels`: key of a container of the page -> top, left, right or corner.
  watch(panels) {
    this.panels = panels ?? {};
    this.observer.disconnect();
    this.observer.observe(this.world.element);
    for (const node of this.found().keys()) this.observer.observe(node);
    this.measure();
    this.await(RETRIES);
  }

  // Panels that were not there at the last rerun are observed once they are drawn.
  await(frames) {
    const missing = Object.keys(this.panels).length - this.found().size;
    if (!missing || !frames) return;
    const before = this.found().size;
    requestAnimationFrame(() => (this.found().size === before ? this.await(frames - 1) : this.watch(this.panels)));
  }

  found() {
    const nodes = Object.entries(this.panels).map(([key, side]) => [document.querySelector(`.st-key-${key}`), side]);
    return new Map(nodes.filter(([node]) => node));
  }

  measure() {
    this.insets = this.insetsOf(this.world.map.getContainer());
    for (const [name, length] of Object.entries(this.insets)) {
      this.world.element.style.setProperty(`--free-${name}`, `${Math.round(length)}px`);
    }
    this.onMeasure?.();
  }

  // What the panels cover of an element, from each side.
  insetsOf(element) {
    const frame = element.getBoundingClientRect();
    const covered = { top: 0, right: 0, bottom: 0, left: 0, corner: 0 };
    const panels = document.fullscreenElement ? [] : this.found();
    for (const [node, side] of panels) {
      const [name, length] = coveredBy(node.getBoundingClientRect(), frame, side);
      if (length > 0) covered[name] = Math.max(covered[name], length);
    }
    covered.corner = Math.max(0, covered.corner - covered.right);
    return covered;
  }

  // Paddings for MapLibre: margins beside what is covered, as far as the map has room for them.
  padding(margins) {
    const { insets } = this;
    const covered = { ...insets, right: insets.right + insets.corner };
    const canvas = this.world.map.getCanvas();
    const wanted = Object.fromEntries(SIDES.map((side) => [side, margins[side] + covered[side]]));
    for (const [a, b, size] of [["left", "right", canvas.clientWidth], ["top", "bottom", canvas.clientHeight]]) {
      const shrink = Math.min(1, Math.max(0, size - LEAST_PX) / (wanted[a] + wanted[b]));
      wanted[a] *= shrink;
      wanted[b] *= shrink;
    }
    return wanted;
  }

  // From the middle of the map to the middle of the free part, in pixels.
  offset() {
    const { top, right, bottom, left } = this.insets;
    return [(left - right) / 2, (top - bottom) / 2];
  }

  // The middle and the edges of the free part, as the map's coordinates.
  center() {
    const { left, top, width, height } = this.box();
    return this.world.map.unproject([left + width / 2, top + height / 2]);
  }

  corners() {
    const { left, top, width, height } = this.box();
    return [this.world.map.unproject([left, top + height]), this.world.map.unproject([left + width, top])];
  }

  box() {
    const { top, right, bottom, left } = this.insets;
    const canvas = this.world.map.getCanvas();
    return { left, top, width: canvas.clientWidth - left - right, height: canvas.clientHeight - top - bottom };
  }

  remove() {
    this.observer.disconnect();
    document.removeEventListener("fullscreenchange", this.onFullscreen);
  }
}

// Side and length that a panel covers of a frame; a panel in the corner that leaves little beside it
// covers the bottom.
export function coveredBy(panel, frame, side) {
  const across = Math.min(panel.right, frame.right) - Math.max(panel.left, frame.left);
  const down = Math.min(panel.bottom, frame.bottom) - Math.max(panel.top, frame.top);
  if (across <= 0 || down <= 0) return [side, 0];
  if (side === "top") return ["top", panel.bottom - frame.top];
  if (side === "left") return ["left", panel.right - frame.left];
  if (side === "corner" && across > frame.width / 2) return ["bottom", frame.bottom - panel.top];
  return [side, frame.right - panel.left];
}
