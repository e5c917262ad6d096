// The line between two maps, moved with the mouse, a finger or the arrow keys.

import { followPointer, icon, make } from "./dom.js";

const ARROWS = "M9 7l-5 5 5 5M15 7l5 5-5 5";
const STEP = 0.02;
const LARGE_STEP = 0.1;

export class Divider {
  constructor(split) {
    this.split = split;
    this.handle = make("div", "ts-divider-handle", [
      make("i", "ts-side-mark", [], { "data-side": "first" }), icon(ARROWS),
      make("i", "ts-side-mark", [], { "data-side": "second" }),
    ], {
      role: "slider", tabindex: "0", "aria-label": "Divider between both searches", "aria-valuemin": "0",
      "aria-valuemax": "100", "aria-orientation": "horizontal", title: "Drag, or use the arrow keys",
    });
    this.element = make("div", "ts-divider", this.handle);
    this.element.addEventListener("pointerdown", (event) => this.drag(event));
    this.handle.addEventListener("keydown", (event) => this.press(event));
  }

  // share: 0-1, what lies left of the divider; isMovable: not between maps side by side.
  show(share, isMovable) {
    this.handle.hidden = !isMovable;
    this.element.classList.toggle("ts-fixed", !isMovable);
    const percent = Math.round(share * 100);
    this.handle.setAttribute("aria-valuenow", String(percent));
    this.handle.setAttribute("aria-valuetext", `${percent} % of the map shows the first search`);
  }

  drag(event) {
    if (event.button !== 0 || this.handle.hidden) return;
    event.preventDefault();
    this.handle.focus({ preventScroll: true });
    const offset = event.clientX - this.element.getBoundingClientRect().x;
    const frame = this.split.world.element.getBoundingClientRect();
    followPointer((e) => {
      const { left, width } = this.split.room();
      this.split.setShare((e.clientX - offset - frame.x - left) / width);
    });
  }

  press(event) {
    const step = event.shiftKey ? LARGE_STEP : STEP;
    const { share } = this.split;
    const wanted = { ArrowLeft: share - step, ArrowRight: share + step, Home: 0, End: 1 }[event.key];
    if (wanted === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.split.setShare(wanted);
  }
}
