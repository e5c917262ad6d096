// The legend of several heat maps: a colour for each sentence, and whether colours mix or the best wins.

import { make } from "./dom.js";

const MODES = [["layers", "All layers"], ["winner", "Best only"]];

export class Sentences {
  constructor(world) {
    this.list = make("div", "ts-sentences");
    this.modes = MODES.map(([mode, label]) => {
      const one = make("button", "ts-mode", label, { type: "button", "data-mode": mode });
      one.addEventListener("click", () => world.overlays.setStyle({ mode }));
      return one;
    });
    const choice = make("div", "ts-modes", this.modes, { role: "group", "aria-label": "How sentences are shown" });
    this.element = make("div", "ts-sentence-legend", [choice, this.list]);
  }

  show(overlays, mode) {
    this.element.hidden = overlays.length < 2;
    for (const one of this.modes) one.setAttribute("aria-pressed", String(one.dataset.mode === mode));
    const rows = overlays.map(({ label, colour, level }) => {
      const swatch = make("span", "ts-swatch");
      swatch.style.background = colour;
      const parts = [swatch, make("span", "ts-sentence-text", label), make("span", "ts-sentence-level", level ?? "")];
      return make("div", "ts-sentence", parts, { title: label });
    });
    const none = make("div", "ts-sentence ts-none", [make("span", "ts-swatch"), make("span", "ts-sentence-text", "none of them")]);
    this.list.replaceChildren(...rows, ...(mode === "winner" ? [none] : []));
  }
}
