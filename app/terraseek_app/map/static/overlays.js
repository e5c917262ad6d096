// Scenes and heat maps over the map, and the style that all heat maps share.

import { winners } from "./compare.js";
import { HeatLayer } from "./heat.js";
import { SceneLayer } from "./scene.js";

export class Overlays {
  constructor(world) {
    this.world = world;
    this.style = { ramp: "turbo", opacity: 0.7, threshold: 0.35, mode: "layers", stretch: false };
    this.layers = new Map();
  }

  show(wanted) {
    const { world } = this;
    const ids = new Set(wanted.map((overlay) => `${overlay.kind}:${overlay.id}`));
    for (const [id, layer] of this.layers) {
      if (ids.has(id)) continue;
      layer.remove();
      this.layers.delete(id);
    }
    for (const overlay of wanted) {
      const id = `${overlay.kind}:${overlay.id}`;
      if (this.layers.has(id)) continue;
      const layer = new (overlay.kind === "heat" ? HeatLayer : SceneLayer)(world, overlay);
      layer.ready.catch((error) => world.reportError(error));
      this.layers.set(id, layer);
    }
    this.showPanel();
  }

  clear() {
    for (const layer of this.layers.values()) layer.remove();
    this.layers.clear();
  }

  heats() {
    return [...this.layers.values()].filter((layer) => layer instanceof HeatLayer);
  }

  // Corners of all that are placed on the globe.
  corners() {
    return [...this.layers.values()].flatMap((layer) => layer.overlay.corners ?? []);
  }

  // Who wins where among several heat maps; null while their colours are mixed.
  winner() {
    const layers = this.heats();
    const { mode, threshold } = this.style;
    if (mode !== "winner" || layers.length < 2 || layers.some((heat) => !heat.pixels)) return null;
    const key = JSON.stringify([threshold, layers.map((heat) => heat.id)]);
    if (this.lastWinner?.key !== key) {
      const winner = winners(layers.map((heat) => ({ ...heat.overlay, values: heat.values, opacities: heat.opacities })), threshold);
      this.lastWinner = { key, winner };
    }
    return this.lastWinner.winner;
  }

  // A heat map has arrived: the others show where it wins.
  heatLoaded() {
    if (this.style.mode === "winner") for (const heat of this.heats()) heat.applyStyle(this.style);
  }

  setStyle(change) {
    Object.assign(this.style, change);
    for (const heat of this.heats()) {
      if ("opacity" in change) heat.setOpacity(change.opacity);
      else heat.applyStyle(this.style);
    }
    this.showPanel();
    this.world.split?.second?.overlays.setStyle(change);
  }

  showPanel() {
    this.world.heatPanel.show(this.heats().map((heat) => heat.overlay), this.style);
  }

  // The page's threshold, with which it draws outlines, table and files, and its stretch; each is
  // set when it changes.
  follow(threshold, stretch) {
    const text = JSON.stringify([threshold, this.heats()[0]?.id]);
    if (typeof threshold === "number" && text !== this.lastThreshold) {
      this.lastThreshold = text;
      this.setStyle({ threshold });
    }
    if (typeof stretch === "boolean" && stretch !== this.lastStretch) {
      this.lastStretch = stretch;
      this.setStyle({ stretch });
    }
  }
}
