// The panel of heat maps: legend, colours, opacity, threshold. On phones it is a sheet, which is pulled
// down to the legend and the threshold, so that the map is seen.

import { followPointer, make } from "./dom.js";
import { Sentences } from "./sentences.js";
import { NAMES } from "./ramps.js";
import { byLevel, legendGradient } from "./scale.js";

const PULL_PX = 14;
const NARROW = "(max-width: 640px)"; // as in component.css

export class HeatPanel {
  constructor(world) {
    this.world = world;
    this.legend = make("div", "ts-legend-ramp");
    this.mark = make("div", "ts-legend-mark");
    this.low = make("span");
    this.high = make("span");
    this.label = make("div", "ts-heat-label");
    this.marks = make("div", "ts-legend-levels");
    this.sentences = new Sentences(world);
    this.grip = this.makeGrip();
    this.element = make("div", "ts-heat ts-panel", [
      this.grip,
      make("div", "ts-heat-head", [this.label, this.rampChoice()]),
      make("div", "ts-legend", [this.legend, this.mark]),
      this.marks,
      make("div", "ts-legend-ends", [this.low, this.high]),
      this.stretchToggle(),
      this.sentences.element,
      this.opacitySlider(),
      this.thresholdSlider(),
    ]);
    this.element.hidden = true;
    this.fold(window.matchMedia(NARROW).matches);
  }

  rampChoice() {
    const { overlays } = this.world;
    const ramp = make("select", "ts-ramp", NAMES.map((name) => make("option", "", name)), { "aria-label": "Colour ramp" });
    ramp.value = overlays.style.ramp;
    ramp.addEventListener("change", () => overlays.setStyle({ ramp: ramp.value }));
    return ramp;
  }

  opacitySlider() {
    const { overlays } = this.world;
    return slider("Opacity", "ts-opacity", overlays.style.opacity, (opacity) => overlays.setStyle({ opacity }));
  }

  thresholdSlider() {
    const { world } = this;
    const { overlays } = world;
    const onInput = (threshold) => {
      overlays.setStyle({ threshold });
      world.live.schedule();
      world.split?.second?.live.schedule();
    };
    const report = (threshold) => world.reports("threshold") && world.emit("threshold", { threshold });
    return slider("Threshold", "ts-threshold", overlays.style.threshold, onInput, report);
  }

  // Colours by level are the same in every scene; the toggle spreads them over this one.
  stretchToggle() {
    this.stretchInput = make("input", "ts-stretch", [], { type: "checkbox" });
    this.stretchInput.addEventListener("change", () => {
      const stretch = this.stretchInput.checked;
      this.world.overlays.setStyle({ stretch });
      if (this.world.reports("stretch")) this.world.emit("stretch", { stretch });
    });
    this.stretchText = make("span", "");
    this.stretch = make("label", "ts-stretch-label", [this.stretchInput, this.stretchText]);
    return this.stretch;
  }

  // Pulled down or up, or pressed.
  makeGrip() {
    const grip = make("button", "ts-heat-grip", make("span", "ts-heat-grip-bar"), { type: "button" });
    let pulled = false;
    grip.addEventListener("pointerdown", (start) => {
      pulled = false;
      followPointer((event) => {
        const down = event.clientY - start.clientY;
        if (Math.abs(down) < PULL_PX) return;
        pulled = true;
        this.fold(down > 0);
      });
    });
    grip.addEventListener("click", () => {
      if (!pulled) this.fold(!this.isFolded);
      pulled = false;
    });
    return grip;
  }

  // What the sheet covers of the map's lower edge, in pixels.
  get sheetHeight() {
    return window.matchMedia(NARROW).matches ? this.element.offsetHeight : 0;
  }

  fold(isFolded) {
    this.isFolded = isFolded;
    this.element.classList.toggle("ts-folded", isFolded);
    const title = isFolded ? "More about the heat map" : "Legend and threshold only";
    for (const [name, value] of [["aria-expanded", String(!isFolded)], ["aria-label", title], ["title", title]]) {
      this.grip.setAttribute(name, value);
    }
  }

  show(overlays, style) {
    const [overlay] = overlays;
    this.element.hidden = !overlay;
    if (!overlay) return;
    this.sentences.show(overlays, style.mode);
    this.element.classList.toggle("ts-several", overlays.length > 1);
    const number = (value) => (typeof value === "number" ? value.toFixed(3) : "");
    this.label.textContent = overlay.label || "Heat map";
    this.label.title = overlay.label || "";
    const ends = byLevel(overlay, style) ? overlay.levels : overlay;
    this.low.textContent = number(ends.low);
    this.high.textContent = number(ends.high);
    this.legend.style.background = legendGradient(overlay, style);
    const lowest = overlay.low + style.threshold * (overlay.high - overlay.low);
    const share = (lowest - ends.low) / (ends.high - ends.low);
    this.mark.style.width = `${Math.min(Math.max(share, 0), 1) * 100}%`;
    this.showLevels(overlay, style);
    const input = this.element.querySelector(".ts-threshold");
    if (input.valueAsNumber !== style.threshold) input.value = String(style.threshold);
    input.nextElementSibling.textContent = `${Math.round(style.threshold * 100)} %`;
  }

  showLevels(overlay, style) {
    const known = overlay.levels;
    const marks = byLevel(overlay, style) ? [["no evidence", 0], ["possible", known.possible], ["likely", known.likely]] : [];
    this.marks.replaceChildren(...marks.map(([word, at]) => {
      const mark = make("span", at ? "ts-legend-level ts-begins" : "ts-legend-level", word);
      mark.style.left = `${at * 100}%`;
      return mark;
    }));
    this.stretchInput.checked = !byLevel(overlay, style);
    this.stretchInput.disabled = !known;
    this.stretchText.textContent = known ? "Stretch to this scene" : "Levels unknown: stretched to this scene";
    this.stretch.title = known
      ? "Colours show the level of evidence, the same in every scene; stretched, the best place of each scene is red"
      : "This model or query is not calibrated, so colours can only be compared within this scene";
  }
}

// onChange is called once, when the slider is released.
function slider(label, className, value, onInput, onChange = () => {}) {
  const shown = make("output", "", `${Math.round(value * 100)} %`);
  const input = make("input", className, [], {
    type: "range", min: "0", max: "1", step: "0.01", value: String(value), "aria-label": label,
  });
  input.addEventListener("input", () => {
    shown.textContent = `${Math.round(input.valueAsNumber * 100)} %`;
    onInput(input.valueAsNumber);
  });
  input.addEventListener("change", () => onChange(input.valueAsNumber));
  return make("label", `ts-slider ${className}-row`, [make("span", "", label), input, shown]);
}
