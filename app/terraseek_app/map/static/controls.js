// Controls over the map: drawing tools, layers, heat map style, coordinates, messages.

import { ICONS, button, icon, make } from "./dom.js";
import { PlaceSearch } from "./places.js";
import { Sentences } from "./sentences.js";
import { NAMES } from "./ramps.js";
import { byLevel, legendGradient } from "./scale.js";

export class Controls {
  constructor(world) {
    this.world = world;
    this.draw = button("ts-draw", [icon(ICONS.box), "Draw box"],
      "Draw a box to search in (or hold shift and drag)", () => world.boxTool.setActive(!world.boxTool.active));
    this.clear = button("ts-clear", [icon(ICONS.clear), "Clear box"], "Remove the box",
      () => world.boxTool.report(null));
    this.clear.hidden = true;
    this.shape = button("ts-draw-shape", [icon(ICONS.shape), "Draw shape"],
      "Click corners; a double-click or the first corner closes the shape, Escape cancels it. Afterwards "
      + "drag corners; a right-click removes one",
      () => world.shapeTool.setActive(!world.shapeTool.active));
    this.clearShape = button("ts-clear-shape", [icon(ICONS.clear), "Clear shapes"], "Remove all shapes",
      () => world.shapeTool.report([]));
    this.circle = button("ts-draw-circle", [icon(ICONS.circle), "Circle"],
      "Click its centre; the radius is set in the filters",
      () => world.circleTool.setActive(!world.circleTool.active));
    this.clearCircle = button("ts-clear-circle", [icon(ICONS.clear), "Clear circle"], "Remove the circle",
      () => world.circleTool.clear());
    this.truth = button("ts-draw-truth", [icon(ICONS.shape), "Draw truth"],
      "Outline where the sentence is true: click corners, a double-click closes; Escape ends",
      () => world.truthTool.setActive(!world.truthTool.active));
    this.choose = button("ts-choose", [icon(ICONS.choose), "Select"],
      "Drag a box over results to select them", () => world.chooseTool.setActive(!world.chooseTool.active));
    this.places = new PlaceSearch(world);
    this.has = { box: false, shape: false, circle: false };
    this.area = button("ts-area", [icon(ICONS.search), "Search this area"],
      "Limit the search to what the map shows", () => world.searchArea());
    this.area.hidden = true;
    this.coordinates = make("div", "ts-coordinates", "", { title: "Right-click copies" });
    this.toast = make("div", "ts-toast", "", { role: "status" });
    this.heat = this.heatPanel();
    this.layers = make("div", "ts-layers ts-panel");
    this.layers.hidden = true;
    const open = button("ts-layers-open", icon(ICONS.layers), "Layers",
      () => (this.layers.hidden = !this.layers.hidden));
    world.free.element.append(
      make("div", "ts-tools", [
        this.places.element, this.draw, this.clear, this.shape, this.clearShape, this.circle, this.clearCircle,
        this.truth, this.choose,
      ]),
      this.area,
      make("div", "ts-layers-corner", [open, this.layers]),
      this.heat, this.coordinates, this.toast,
    );
  }

  setBoxToolActive(active) {
    this.draw.classList.toggle("ts-on", active);
    this.draw.lastChild.textContent = active ? "Drag on the map" : "Draw box";
  }

  setShapeToolActive(active) {
    this.shape.classList.toggle("ts-on", active);
    this.shape.lastChild.textContent = active ? "Click corners, double-click ends" : "Draw shape";
  }

  setCircleToolActive(active) {
    this.circle.classList.toggle("ts-on", active);
    this.circle.lastChild.textContent = active ? "Click its centre" : "Circle";
  }

  setTruthToolActive(active) {
    this.truth.classList.toggle("ts-on", active);
    this.truth.lastChild.textContent = active ? "Click corners, double-click ends" : "Draw truth";
  }

  setChooseToolActive(active) {
    this.choose.classList.toggle("ts-on", active);
    this.choose.lastChild.textContent = active ? "Drag over results" : "Select";
  }

  hasBox(exists) {
    this.has.box = exists;
    this.updateTools();
  }

  hasShape(exists) {
    this.has.shape = exists;
    this.updateTools();
  }

  hasCircle(exists) {
    this.has.circle = exists;
    this.updateTools();
  }

  // Show the tools whose events Python wants, and buttons to clear what is drawn.
  updateTools() {
    const { world, has } = this;
    this.truth.hidden = !world.reports("truth");
    this.places.element.hidden = world.space.isPixels || !world.reports("area");
    this.choose.hidden = world.space.isPixels || !world.reports("choose") || !world.hitsLayer?.markers.size;
    for (const [draw, clear, kind, exists] of [
      [this.draw, this.clear, "box", has.box],
      [this.shape, this.clearShape, "shape", has.shape],
      [this.circle, this.clearCircle, "centre", has.circle],
    ]) {
      const allowed = world.reports(kind) && (kind === "box" || !world.space.isPixels);
      draw.hidden = !allowed;
      clear.hidden = !allowed || !exists;
    }
  }

  heatPanel() {
    const { world } = this;
    this.legend = make("div", "ts-legend-ramp");
    this.mark = make("div", "ts-legend-mark");
    this.low = make("span");
    this.high = make("span");
    this.heatLabel = make("div", "ts-heat-label");
    this.marks = make("div", "ts-legend-levels");
    this.stretch = this.stretchToggle();
    this.sentences = new Sentences(world);
    const ramp = make("select", "ts-ramp", NAMES.map((name) => make("option", "", name)), {
      "aria-label": "Colour ramp",
    });
    ramp.value = world.heatStyle.ramp;
    ramp.addEventListener("change", () => world.styleHeat({ ramp: ramp.value }));
    const panel = make("div", "ts-heat ts-panel", [
      make("div", "ts-heat-head", [this.heatLabel, ramp]),
      make("div", "ts-legend", [this.legend, this.mark]),
      this.marks,
      make("div", "ts-legend-ends", [this.low, this.high]),
      this.stretch,
      this.sentences.element,
      this.slider("Opacity", "ts-opacity", world.heatStyle.opacity, (v) => world.styleHeat({ opacity: v })),
      this.slider("Threshold", "ts-threshold", world.heatStyle.threshold,
        (v) => {
          world.styleHeat({ threshold: v });
          world.live.schedule();
        }, (v) => world.reportThreshold(v)),
    ]);
    panel.hidden = true;
    return panel;
  }

  // Colours by level are the same in every scene; the toggle spreads them over this one.
  stretchToggle() {
    this.stretchInput = make("input", "ts-stretch", [], { type: "checkbox" });
    this.stretchInput.addEventListener("change", () => {
      this.world.styleHeat({ stretch: this.stretchInput.checked });
      this.world.reportStretch(this.stretchInput.checked);
    });
    this.stretchText = make("span", "");
    return make("label", "ts-stretch-label", [this.stretchInput, this.stretchText]);
  }

  // onChange is called once, when the slider is released.
  slider(label, className, value, onInput, onChange = () => {}) {
    const shown = make("output", "", `${Math.round(value * 100)} %`);
    const input = make("input", className, [], {
      type: "range", min: "0", max: "1", step: "0.01", value: String(value), "aria-label": label,
    });
    input.addEventListener("input", () => {
      shown.textContent = `${Math.round(input.valueAsNumber * 100)} %`;
      onInput(input.valueAsNumber);
    });
    input.addEventListener("change", () => onChange(input.valueAsNumber));
    return make("label", "ts-slider", [make("span", "", label), input, shown]);
  }

  showHeats(overlays, style) {
    const [overlay] = overlays;
    this.heat.hidden = !overlay;
    if (!overlay) return;
    this.sentences.show(overlays, style.mode);
    this.heat.classList.toggle("ts-several", overlays.length > 1);
    const number = (value) => (typeof value === "number" ? value.toFixed(3) : "");
    this.heatLabel.textContent = overlay.label || "Heat map";
    this.heatLabel.title = overlay.label || "";
    const ends = byLevel(overlay, style) ? overlay.levels : overlay;
    this.low.textContent = number(ends.low);
    this.high.textContent = number(ends.high);
    this.legend.style.background = legendGradient(overlay, style);
    const lowest = overlay.low + style.threshold * (overlay.high - overlay.low);
    const share = (lowest - ends.low) / (ends.high - ends.low);
    this.mark.style.width = `${Math.min(Math.max(share, 0), 1) * 100}%`;
    this.showLevels(overlay, style);
    const slider = this.heat.querySelector(".ts-threshold");
    if (slider.valueAsNumber !== style.threshold) slider.value = String(style.threshold);
    slider.nextElementSibling.textContent = `${Math.round(style.threshold * 100)} %`;
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

  showMessage(text) {
    this.toast.textContent = text;
    this.toast.classList.add("ts-on");
    clearTimeout(this.messageTimer);
    this.messageTimer = setTimeout(() => this.toast.classList.remove("ts-on"), 1800);
  }
}
