// The map of one key: created once, updated by every rerun. Only the user and new views move it.

import { CellsLayer } from "./cells.js";
import { ChooseTool } from "./choose.js";
import { CircleTool } from "./circle.js";
import { Controls } from "./controls.js";
import { DensityLayer } from "./density.js";
import { BoxTool } from "./draw.js";
import { followPointer, make } from "./dom.js";
import { FreeArea } from "./free.js";
import { HeatPanel } from "./heat_panel.js";
import { HitsLayer } from "./hits.js";
import { ItemsLayer } from "./items.js";
import { drawMissingImage } from "./labels.js";
import { ANCHORS, Layers } from "./layers.js";
import { LiveRegions } from "./live.js";
import { PeaksLayer, RegionsLayer } from "./marks.js";
import { Overlays } from "./overlays.js";
import { PointsLayer } from "./points.js";
import { openPopup } from "./popup.js";
import { ShapeTool } from "./shape.js";
import { Globe, Pixels } from "./space.js";
import { mapStyle } from "./style.js";
import { followTheme } from "./theme.js";
import { TruthTool } from "./truth.js";
import { HOME, Views } from "./views.js";

const VIEW_DELAY_MS = 400;
const ATTRIBUTION_FROM_PX = 700;

export class WorldMap {
  constructor(data) {
    this.key = data.key;
    this.base = data.base;
    this.overlays = new Overlays(this);
    this.views = new Views(this);
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
    this.heatPanel = new HeatPanel(this);
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
    this.overlays.show(data.overlays);
    this.overlays.follow(data.threshold, data.stretch);
    this.regions.show(data.regions);
    this.peaks.show(data.peaks);
    this.hitsLayer.choose(data.chosen);
    this.select(data.selected);
    this.styleLoaded.then(() => this.layers.refresh());
    this.views.follow(data.view);
  }

  setSpace(pixels) {
    this.pixels = pixels;
    this.space = pixels ? new Pixels(pixels) : new Globe();
    this.popup?.remove();
    this.hitsLayer.show([]);
    this.boxTool.set(null);
    this.views.last = undefined;
    this.element.classList.toggle("ts-pixels", Boolean(pixels));
    this.overlays.clear();
    this.styleLoaded.then(() => {
      for (const id of ["basemap", "borders", "towns"]) {
        this.layers.hidden[pixels ? "add" : "delete"](id);
      }
      this.layers.refresh();
    });
  }

  select(itemId) {
    const previous = this.hitsLayer.selected;
    this.hitsLayer.select(itemId);
    if (!itemId || itemId === previous || itemId === this.picked) return;
    this.popup?.remove();
    const hit = this.hitsLayer.get(itemId);
    if (!hit || hit.lon === null || hit.lon === undefined) return;
    this.views.flyTo(hit);
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

  // `map`: where it was clicked, if another search is compared.
  pick(item, from, map = this) {
    this.picked = item.item_id;
    this.hitsLayer.select(item.item_id);
    if (item.popup !== false) {
      if (this.split?.isOpen) this.split.openPopup(item, map);
      else openPopup(this, item);
    }
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
    this.boxTool.report(this.views.current().bounds, "area");
  }

  // Every event contains the view, so a pending view event is cancelled; sent later, it could replace
  // an event that Python has not read yet.
  emit(kind, values) {
    clearTimeout(this.viewTimer);
    this.send({ kind, ...values, view: this.views.current() });
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

  heats() {
    return this.overlays.heats();
  }

  view() {
    return this.views.current();
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
      heatStyle: { ...this.overlays.style },
    };
  }
}
