// Choose hits with a box: those whose place lies in it are reported, hidden ones of a cluster too.

import { BoxTool } from "./draw.js";

export class ChooseTool extends BoxTool {
  addLayers() {} // the rubber band is drawn by the search box's layers

  wants() {
    return this.active;
  }

  setActive(active) {
    if (active) this.world.deactivateOthers(this);
    this.active = active;
    this.world.map.getCanvas().style.cursor = active ? "crosshair" : "";
    this.world.controls.setChooseToolActive(active);
  }

  report(box) {
    this.draw(null);
    const items = this.world.hitsLayer.within(box);
    if (!items.length) return this.world.controls.showMessage("No result in this box");
    return this.world.emit("choose", { items });
  }

  // The rubber band, and afterwards the search box again.
  draw(box) {
    super.draw(box ?? this.world.boxTool.box);
  }
}
