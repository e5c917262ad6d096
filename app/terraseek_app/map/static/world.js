// The map of one key: created once, updated by every rerun. Only the user and new views move it.

import { CellsLayer } from "./cells.js";
import { ChooseTool } from "./choose.js";
import { CircleTool } from "./circle.js";
import { winners } from "./compare.js";
import { Controls } from "./controls.js";
import { DensityLayer } from "./density.js";
import { BoxTool } from "./draw.js";
import { followPointer, make } from "./dom.js";
import { FreeArea } from "./free.js";
import { HeatLayer } from "./heat.js";
import { HitsLayer } from "./hits.js";
import { ItemsLayer } from "./items.js";
import { drawMissingImage } from "./labels.js";
import { ANCHORS, Layers } from "./layers.js";
import { LiveRegions } from "./live.js";
import { PeaksLayer, RegionsLayer } from "./marks.js";
import { PointsLayer } from "./points.js";
import { openPopup } from "./popup.js";
import { SceneLayer } from "./scene.js";
import { ShapeTool } from "./shape.js";
import { Globe, Pixels, boundsOf, ringOf } from "./space.js";
import { mapStyle } from "./style.js";
import { followTheme } from "./theme.js";
import { TruthTool } from "./truth.js";

const FIT_PADDING_PX = { top: 70, bottom: 60, left: 60, right: 60 };
const HOME = { center: [10, 25], zoom: 1.3 };
const VIEW_DELAY_MS = 400;
const ATTRIBUTION_FROM_PX = 700;
const ZOOM_OF_PRECISION = { exact: 13, point: 12, place_name: 8 };

export class WorldMap {
  constructor(data) {
    this.key = data.key;
    this.base = data.base;
    this.heatStyle = { ramp: "turbo", opacity: 0.7, threshold: 0.35, mode: "layers", stretch: false };
    this.overlays = new Map();
    this.element = make("div", "ts-world");
    const frame = make("div", "ts-map");
    this.stage = data.stage ?? this.element; // what the full screen shows
    this.element.append(frame);
    this.space = data.pixels ? new Pixels(data.pixels) : new Globe();
    this.report = data.report;
    this.map = new window.maplibregl.Map({
      container: frame, style: mapStyle(this.base, location.origin, data.basemap), ...HOME,
      maxZoom: 21, attributionControl: { compact: true }, dragRotate: false, pitchWithRotate: false,
      renderWorldCopies: true, fadeDuration: 100, canvasContextAttributes: { antialias: true },
    });
    this.map.touchZoomRotate.disableRotation();
    this.styleLoaded = new Promise((resolve) => this.map.once("load", resolve));
    this.map.on("styleimagemissing", (event) => drawMissingImage(this.map, event.id));
    this.addMapControls();
    this.free = new FreeArea(this);
    this.controls = new Controls(this);
    this.hitsLayer = new HitsLayer(this);
    this.layers = new Layers(this);
    this.items = new ItemsLayer(this);
    this.cells = new CellsLayer(this);
    this.points = new PointsLayer(this);
    this.density = new DensityLayer(this);
    this.regions = new RegionsLayer(this);
    this.live = new LiveRegions(this);
    this.peaks = new PeaksLayer(this);
    this.boxTool = new BoxTool(this);
    this.shapeTool = new ShapeTool(this);
    this.circleTool = new CircleTool(this);
    this.truthTool = new TruthTool(this);
    this.chooseTool = new ChooseTool(this);
    this.styleLoaded.then(() => {
      for (const tool of this.tools()) tool.addLayers(ANCHORS.at(-1));
      this.layers.refresh();
    });
    this.theme = followTheme(this.element);
    this.listen();
    this.resizer = new ResizeObserver(() => this.map.resize());
    this.resizer.observe(frame);
  }

  tools() {
    return [this.boxTool, this.shapeTool, this.circleTool, this.truthTool, this.chooseTool];
  }

  // Only one drawing tool is active at a time.
  deactivateOthers(active) {
    for (const tool of this.tools()) if (tool !== active && tool.active) tool.setActive(false);
  }

  addMapControls() {
    const { maplibregl } = window;
    this.map.addControl(new maplibregl.NavigationControl({ showCompass: false }), "top-right");
    this.map.addControl(new maplibregl.FullscreenControl({ container: this.stage }), "top-right");
    this.map.once("idle", () => this.collapseAttribution()); // MapLibre opens it when sources load
    this.map.addControl(new maplibregl.ScaleControl({ maxWidth: 110 }), "bottom-left");
  }

  // On narrow maps the attribution starts as its button, so that it covers nothing.
  collapseAttribution() {
    if (this.free.box().width > ATTRIBUTION_FROM_PX) return;
    const element = this.element.querySelector(".maplibregl-ctrl-attrib");
    element?.removeAttribute("open");
    element?.classList.remove("maplibregl-compact-show");
  }

  listen() {
    const { map } = this;
    map.on("click", (event) => this.onClick(event));
    map.on("mousemove", (event) => {
      this.controls.coordinates.textContent = this.space.label(this.space.fromMap(event.lngLat));
      if (!this.tools().some((tool) => tool.active)) {
        const isHandle = this.shapeTool.handle(event.point) !== null;
        map.getCanvas().style.cursor = isHandle ? "move" : this.points.at(event.point) ? "pointer" : "";
      }
    });
    map.on("contextmenu", (event) => this.copyPosition(this.space.fromMap(event.lngLat)));
    // MapLibre does not pass on the wheel event of the moves it causes, so input is observed directly
    for (const name of ["wheel", "dragstart", "dblclick", "touchmove"]) {
      map.on(name, (event) => (this.movedByUser ||= !event.defaultPrevented));
    }
    map.on("zoomstart", (event) => (this.movedByUser ||= Boolean(event.originalEvent)));
    map.on("moveend", () => this.onMoveEnd());
  }

  reports(kind) {
    return this.report.includes(kind);
  }

  update(data) {
    if (JSON.stringify(data.pixels) !== JSON.stringify(this.pixels ?? null)) this.setSpace(data.pixels);
    this.report = data.report;
    this.free.watch(data.panels);
    this.theme.refresh();
    const useDensity = Boolean(data.density_url);
    this.points.show(data.pixels || useDensity ? null : data.points_url).catch((error) => this.reportError(error));
    this.density.show(data.pixels ? null : data.density_url, data.points_url);
    this.items.show(data.pixels ? null : data.items_url).catch((error) => this.reportError(error));
    this.hitsLayer.show(data.hits);
    this.controls.updateTools(); // hits can be selected only where there are some
    this.cells.refresh().catch((error) => this.reportError(error));
    this.boxTool.sync(data.box);
    this.shapeTool.sync(data.shapes);
    this.circleTool.sync(data.circle);
    this.truthTool.sync(data.truth);
    this.showOverlays(data.overlays);
    this.followThreshold(data.threshold);
    this.followStretch(data.stretch);
    this.regions.show(data.regions);
    this.peaks.show(data.peaks);
    this.hitsLayer.choose(data.chosen);
    this.select(data.selected);
    this.styleLoaded.then(() => this.layers.refresh());
    this.moveTo(data.view ?? (this.lastView === undefined ? HOME : null));
  }

  setSpace(pixels) {
    this.pixels = pixels;
    this.space = pixels ? new Pixels(pixels) : new Globe();
    this.popup?.remove();
    this.hitsLayer.show([]);
    this.boxTool.set(null);
    this.lastView = undefined;
    this.element.classList.toggle("ts-pixels", Boolean(pixels));
    for (const layer of this.overlays.values()) layer.remove();
    this.overlays.clear();
    this.styleLoaded.then(() => {
      for (const id of ["basemap", "borders", "towns"]) {
        this.layers.hidden[pixels ? "add" : "delete"](id);
      }
      this.layers.refresh();
    });
  }

  showOverlays(wanted) {
    const ids = new Set(wanted.map((overlay) => `${overlay.kind}:${overlay.id}`));
    for (const [id, layer] of this.overlays) {
      if (ids.has(id)) continue;
      layer.remove();
      this.overlays.delete(id);
    }
    for (const overlay of wanted) {
      const id = `${overlay.kind}:${overlay.id}`;
      if (this.overlays.has(id)) continue;
      const layer = new (overlay.kind === "heat" ? HeatLayer : SceneLayer)(this, overlay);
      layer.ready.catch((error) => this.reportError(error));
      this.overlays.set(id, layer);
    }
    this.controls.showHeats(this.heats().map((heat) => heat.overlay), this.heatStyle);
  }

  heats() {
    return [...this.overlays.values()].filter((layer) => layer instanceof HeatLayer);
  }

  // Who wins where among several heat maps; null while their colours are mixed.
  winner() {
    const layers = this.heats();
    const { mode, threshold } = this.heatStyle;
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
    if (this.heatStyle.mode === "winner") for (const heat of this.heats()) heat.applyStyle(this.heatStyle);
  }

  styleHeat(change) {
    Object.assign(this.heatStyle, change);
    for (const heat of this.heats()) {
      if ("opacity" in change) heat.setOpacity(change.opacity);
      else heat.applyStyle(this.heatStyle);
    }
    this.controls.showHeats(this.heats().map((heat) => heat.overlay), this.heatStyle);
  }

  // The page's threshold, with which it draws outlines, table and files; set when it changes.
  followThreshold(threshold) {
    const text = JSON.stringify([threshold, this.heats()[0]?.id]);
    if (typeof threshold !== "number" || text === this.lastThreshold) return;
    this.lastThreshold = text;
    this.styleHeat({ threshold });
  }

  followStretch(stretch) {
    if (typeof stretch !== "boolean" || stretch === this.lastStretch) return;
    this.lastStretch = stretch;
    this.styleHeat({ stretch });
  }

  reportStretch(stretch) {
    if (this.reports("stretch")) this.emit("stretch", { stretch });
  }

  reportThreshold(threshold) {
    if (this.reports("threshold")) this.emit("threshold", { threshold });
  }

  select(itemId) {
    const previous = this.hitsLayer.selected;
    this.hitsLayer.select(itemId);
    if (!itemId || itemId === previous || itemId === this.picked) return;
    this.popup?.remove();
    const hit = this.hitsLayer.get(itemId);
    if (!hit || hit.lon === null || hit.lon === undefined) return;
    const center = this.space.toMap([hit.lon, hit.lat]);
    this.flyTo(hit, center);
  }

  // Fly to a hit that was chosen elsewhere: to its image, or as near as its place is known.
  flyTo(hit, center) {
    const shift = this.shift ?? 0; // to the part that another map leaves free (split.js)
    if (hit.footprint) {
      const { left, right, ...others } = FIT_PADDING_PX;
      const margins = { ...others, left: left + Math.max(2 * shift, 0), right: right - Math.min(2 * shift, 0) };
      this.map.fitBounds(boundsOf(hit.footprint), { padding: this.free.padding(margins), maxZoom: 19, duration: 1200 });
      return;
    }
    const zoom = Math.max(this.map.getZoom(), ZOOM_OF_PRECISION[hit.precision] ?? 4);
    const [right, down] = this.free.offset();
    this.map.flyTo({ center, zoom, offset: [right + shift, down], duration: 1200 });
  }

  // Something on the map follows the pointer, and the map does not.
  drag(onMove, onEnd) {
    this.map.dragPan.disable();
    this.dragging = true;
    followPointer(onMove, () => {
      this.map.dragPan.enable();
      onEnd();
      // the click event at the end of a drag must not be handled as a click on the map
      setTimeout(() => (this.dragging = false), 50);
    });
  }

  async onClick(event) {
    if (this.dragging) return;
    const tool = [this.shapeTool, this.circleTool, this.truthTool].find((candidate) => candidate.active);
    if (tool) return tool.click(event);
    if (this.reports("region") && this.regions.isAt(event.point)) {
      return this.emit("region", { click: this.space.fromMap(event.lngLat) });
    }
    const found = this.points.at(event.point);
    if (found?.cluster !== undefined) return this.points.expandCluster(found);
    const item = found || this.space.isPixels ? null : await this.items.at(this.space.fromMap(event.lngLat));
    if (item) return this.pick(item, "sample");
    if (!found && this.density.shown) this.controls.showMessage("Zoom in to see single samples");
    if (!found) return this.reports("click") && this.emit("click", { click: this.space.fromMap(event.lngLat) });
    const response = await fetch(`${this.base}/api/rows/${found.row}`);
    if (!response.ok) return this.reportError(new Error(`sample ${found.row}: ${response.status}`));
    this.pick(await response.json(), "sample");
  }

  pick(item, from) {
    this.picked = item.item_id;
    this.hitsLayer.select(item.item_id);
    if (!this.split?.isOpen && item.popup !== false) openPopup(this, item); // the other map would cut it off
    if (this.reports("select")) this.emit("select", { item_id: item.item_id, click: [item.lon, item.lat], from });
  }

  // Only moves by the user offer a new search, not those that the page started.
  onMoveEnd() {
    if (!this.movedByUser) return;
    this.movedByUser = false;
    this.controls.area.hidden = !this.reports("area");
    clearTimeout(this.viewTimer);
    if (this.reports("view")) this.viewTimer = setTimeout(() => this.emit("view", {}), VIEW_DELAY_MS);
  }

  searchArea() {
    this.controls.area.hidden = true;
    this.boxTool.report(this.view().bounds, "area");
  }

  // What is seen beside the panels of the page.
  view() {
    const center = this.space.fromMap(this.free.center());
    const [low, high] = this.free.corners();
    const [[west, south], [east, north]] = [this.space.fromMap(low), this.space.fromMap(high)];
    const bounds = high.lng - low.lng >= 360 ? [-180, south, 180, north] : [west, south, east, north];
    return { center, zoom: this.map.getZoom(), bounds };
  }

  // Every event contains the view, so a pending view event is cancelled; sent later, it could replace
  // an event that Python has not read yet.
  emit(kind, values) {
    clearTimeout(this.viewTimer);
    this.send({ kind, ...values, view: this.view() });
  }

  // Move to a view when it changes: {center, zoom} | {bounds} | {fit: hits|overlays|box}.
  moveTo(view) {
    const text = JSON.stringify(view ?? null);
    if (!view || text === this.lastView) return;
    const duration = this.lastView === undefined ? 0 : 900;
    this.lastView = text;
    this.controls.area.hidden = true;
    this.styleLoaded.then(() => {
      this.free.measure(); // the page may have been drawn after the map
      if (view.return) this.viewBefore ??= this.view();
      if ("back" in view) return this.goBack(view.back);
      if (view.center) {
        const offset = this.free.offset();
        this.map.easeTo({ center: this.space.toMap(view.center), zoom: view.zoom, offset, duration });
        return;
      }
      const corners = this.cornersOf(view);
      if (corners.length === 0) return;
      const maxZoom = view.fit === "hits" ? 9 : 20;
      this.map.fitBounds(boundsOf(corners), { padding: this.free.padding(FIT_PADDING_PX), maxZoom, duration });
    });
  }

  // To the view before a heat map was shown; 0 stays, after another hit was chosen.
  goBack(turn) {
    const before = this.viewBefore;
    this.viewBefore = null;
    if (!turn || !before) return;
    const { center, zoom } = before;
    this.map.easeTo({ center: this.space.toMap(center), zoom, offset: this.free.offset(), duration: 900 });
  }

  cornersOf(view) {
    if (view.bounds) return ringOf(this.space, view.bounds);
    if (view.fit === "box") return this.boxTool.box ? ringOf(this.space, this.boxTool.box) : [];
    if (view.fit === "hits") return [...this.hitsLayer.places(), ...(this.split?.places() ?? [])];
    if (this.space.isPixels) return this.space.corners();
    return [...this.overlays.values()].flatMap((layer) => layer.overlay.corners ?? []);
  }

  async copyPosition(position) {
    const text = this.space.copyText(position);
    try {
      await navigator.clipboard.writeText(text);
      this.controls.showMessage(`Copied ${text}`);
    } catch {
      this.controls.showMessage(text); // browsers forbid copying on pages without https
    }
  }

  address(url) {
    return url.startsWith("/") ? `${location.origin}${this.base}${url}` : url;
  }

  reportError(error) {
    console.error(error);
    this.controls.showMessage(error.message);
  }

  remove() {
    this.resizer.disconnect();
    this.theme.stop();
    this.free.remove();
    this.hitsLayer.remove();
    this.shapeTool.remove();
    this.circleTool.remove();
    this.truthTool.remove();
    this.map.remove();
  }

  // For tests.
  get state() {
    return {
      hits: this.hitsLayer.markers.size, samples: this.points.count, density: this.density.shown, box: this.boxTool.box,
      shapes: this.shapeTool.rings, circle: this.circleTool.circle, armed: this.tools().some((tool) => tool.active),
      images: this.items.minZoom !== null, hitImages: this.items.drawn.size,
      marks: [...this.hitsLayer.groups.values()].map((group) => group.mode),
      selected: this.hitsLayer.selected, chosen: [...(this.hitsLayer.chosen ?? [])], zoom: this.map.getZoom(), idle: this.map.loaded(),
      moving: this.map.isMoving(),
      heatVisible: this.heats().some((heat) => Boolean(this.map.getLayer(heat.id))
        && this.map.getLayoutProperty(heat.id, "visibility") !== "none"),
      heatStyle: { ...this.heatStyle },
    };
  }
}
