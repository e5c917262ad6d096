// Controls over the map: drawing tools, layers, coordinates, messages.

import { ICONS, button, icon, make } from "./dom.js";
import { PlaceSearch } from "./places.js";

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
      world.heatPanel.element, this.coordinates, this.toast,
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

  showMessage(text) {
    this.toast.textContent = text;
    this.toast.classList.add("ts-on");
    clearTimeout(this.messageTimer);
    this.messageTimer = setTimeout(() => this.toast.classList.remove("ts-on"), 1800);
  }
}
