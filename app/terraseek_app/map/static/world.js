// One map: made once, updated by every rerun, asked by nobody but the user where to look.

import { CircleTool } from "./circle.js";
import { Controls } from "./controls.js";
import { DensityLayer } from "./density.js";
import { BoxTool } from "./draw.js";
import { make } from "./dom.js";
import { HeatLayer } from "./heat.js";
import { HitsLayer } from "./hits.js";
import { ANCHORS, Layers } from "./layers.js";
import { PeaksLayer, RegionsLayer } from "./marks.js";
import { PointsLayer, drawCount } from "./points.js";
import { openPopup } from "./popup.js";
import { SceneLayer } from "./scene.js";
import { ShapeTool } from "./shape.js";
import { Globe, Pixels, boundsOf, ringOf } from "./space.js";
import { styleOf } from "./style.js";
import { followTheme } from "./theme.js";

const PADDING = { top: 70, bottom: 60, left: 60, right: 60 };
const VIEW_DELAY_MS = 400;

export class WorldMap {
  constructor(data) {
    this.key = data.key;
    this.base = data.base;
    this.heatStyle = { ramp: "turbo", opacity: 0.7, threshold: 0.35 };
    this.overlays = new Map();
    this.element = make("div", "ts-world");
    const frame = make("div", "ts-map");
    this.element.append(frame);
    this.space = data.pixels ? new Pixels(data.pixels) : new Globe();
    this.report = data.report;
    this.map = new window.maplibregl.Map({
      container: frame, style: styleOf(this.base, location.origin), center: [10, 25], zoom: 1.3,
      maxZoom: 21, attributionControl: { compact: true }, dragRotate: false, pitchWithRotate: false,
      renderWorldCopies: true, fadeDuration: 100, canvasContextAttributes: { antialias: true },
    });
    this.map.touchZoomRotate.disableRotation();
    this.styled = new Promise((resolve) => this.map.once("load", resolve));
    this.map.on("styleimagemissing", (event) => drawCount(this.map, event.id));
    this.addBuiltIn();
    this.controls = new Controls(this);
    this.hitsLayer = new HitsLayer(this);
    this.layers = new Layers(this);
    this.points = new PointsLayer(this);
    this.density = new DensityLayer(this);
    this.regions = new RegionsLayer(this);
    this.peaks = new PeaksLayer(this);
    this.boxTool = new BoxTool(this);
    this.shapeTool = new ShapeTool(this);
    this.circleTool = new CircleTool(this);
    this.styled.then(() => {
      for (const tool of this.tools()) tool.addLayers(ANCHORS.at(-1));
      this.layers.refresh();
    });
    this.theme = followTheme(this.element);
    this.listen();
    new ResizeObserver(() => this.map.resize()).observe(frame);
  }

  tools() {
    return [this.boxTool, this.shapeTool, this.circleTool];
  }

  // One tool at a time.
  disarm(but) {
    for (const tool of this.tools()) if (tool !== but && tool.armed) tool.arm(false);
  }

  addBuiltIn() {
    const { maplibregl } = window;
    this.map.addControl(new maplibregl.NavigationControl({ showCompass: false }), "top-right");
    this.map.addControl(new maplibregl.FullscreenControl({ container: this.element }), "top-right");
    this.map.addControl(new maplibregl.ScaleControl({ maxWidth: 110 }), "bottom-left");
  }

  listen() {
    const { map } = this;
    map.on("click", (event) => this.clicked(event));
    map.on("mousemove", (event) => {
      this.controls.coordinates.textContent = this.space.label(this.space.fromMap(event.lngLat));
      if (!this.tools().some((tool) => tool.armed)) {
        map.getCanvas().style.cursor = this.points.at(event.point) ? "pointer" : "";
      }
    });
    map.on("contextmenu", (event) => this.copy(this.space.fromMap(event.lngLat)));
    // MapLibre drops the wheel's event from the moves it causes, so hands are watched directly
    for (const name of ["wheel", "dragstart", "dblclick", "touchmove"]) {
      map.on(name, (event) => (this.byHand ||= !event.defaultPrevented));
    }
    map.on("zoomstart", (event) => (this.byHand ||= Boolean(event.originalEvent)));
    map.on("moveend", () => this.moved());
  }

  can(what) {
    return this.report.includes(what);
  }

  update(data) {
    if (JSON.stringify(data.pixels) !== JSON.stringify(this.pixels ?? null)) this.setSpace(data.pixels);
    this.report = data.report;
    this.controls.allow();
    this.theme.look();
    const many = Boolean(data.density_url);
    this.points.show(data.pixels || many ? null : data.points_url).catch((problem) => this.fail(problem));
    this.density.show(data.pixels ? null : data.density_url, data.points_url);
    this.hitsLayer.show(data.hits);
    this.boxTool.give(data.box);
    this.shapeTool.give(data.shape);
    this.circleTool.give(data.circle);
    this.showOverlays(data.overlays);
    this.regions.show(data.regions);
    this.peaks.show(data.peaks);
    this.select(data.selected);
    this.styled.then(() => this.layers.refresh());
    this.lookAt(data.view);
  }

  setSpace(pixels) {
    this.pixels = pixels;
    this.space = pixels ? new Pixels(pixels) : new Globe();
    this.popup?.remove();
    this.hitsLayer.show([]);
    this.boxTool.set(null);
    this.wish = undefined;
    this.element.classList.toggle("ts-pixels", Boolean(pixels));
    for (const layer of this.overlays.values()) layer.remove();
    this.overlays.clear();
    this.styled.then(() => {
      for (const id of ["basemap", "borders"]) {
        this.layers.off[pixels ? "add" : "delete"](id);
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
      layer.ready.catch((problem) => this.fail(problem));
      this.overlays.set(id, layer);
    }
    this.controls.showHeat(this.heats()[0]?.overlay, this.heatStyle);
  }

  heats() {
    return [...this.overlays.values()].filter((layer) => layer instanceof HeatLayer);
  }

  styleHeat(change) {
    Object.assign(this.heatStyle, change);
    for (const heat of this.heats()) {
      if ("opacity" in change) heat.opacity(change.opacity);
      else heat.colour(this.heatStyle);
    }
    this.controls.showHeat(this.heats()[0]?.overlay, this.heatStyle);
  }

  select(itemId) {
    const before = this.hitsLayer.selected;
    this.hitsLayer.select(itemId);
    if (!itemId || itemId === before || itemId === this.picked) return;
    this.popup?.remove();
    const hit = this.hitsLayer.get(itemId);
    if (!hit || hit.lon === null || hit.lon === undefined) return;
    const place = this.space.toMap([hit.lon, hit.lat]);
    if (!this.map.getBounds().contains(place)) this.map.easeTo({ center: place, duration: 700 });
  }

  async clicked(event) {
    if (this.dragging) return;
    const drawing = [this.shapeTool, this.circleTool].find((tool) => tool.armed);
    if (drawing) return drawing.click(event);
    const found = this.points.at(event.point);
    if (found?.cluster !== undefined) return this.points.open(found);
    if (!found && this.density.shown) this.controls.say("Zoom in to see single samples");
    if (!found) return this.can("click") && this.emit("click", { click: this.space.fromMap(event.lngLat) });
    const answer = await fetch(`${this.base}/api/rows/${found.row}`);
    if (!answer.ok) return this.fail(new Error(`sample ${found.row}: ${answer.status}`));
    this.pick(await answer.json(), "sample");
  }

  pick(item, from) {
    this.picked = item.item_id;
    this.hitsLayer.select(item.item_id);
    openPopup(this, item);
    if (this.can("select")) this.emit("select", { item_id: item.item_id, click: [item.lon, item.lat], from });
  }

  // Only the user's own moves offer a new search, not the flights that start here.
  moved() {
    if (!this.byHand) return;
    this.byHand = false;
    this.controls.area.hidden = !this.can("area");
    clearTimeout(this.viewTimer);
    if (this.can("view")) this.viewTimer = setTimeout(() => this.emit("view", {}), VIEW_DELAY_MS);
  }

  searchArea() {
    this.controls.area.hidden = true;
    this.boxTool.report(this.view().bounds, "area");
  }

  view() {
    const center = this.space.fromMap(this.map.getCenter());
    const seen = this.map.getBounds();
    const wide = seen.getEast() - seen.getWest() >= 360;
    const wrapped = ([lng, lat]) => this.space.fromMap(new window.maplibregl.LngLat(lng, lat));
    const [west, south] = wrapped([seen.getWest(), seen.getSouth()]);
    const [east, north] = wrapped([seen.getEast(), seen.getNorth()]);
    const bounds = wide ? [-180, south, 180, north] : [west, south, east, north];
    return { center, zoom: this.map.getZoom(), bounds };
  }

  // Every event tells the view, so one that waits to tell it has nothing left to say; sent later, it
  // would take the place of an event Python has not read yet.
  emit(kind, values) {
    clearTimeout(this.viewTimer);
    this.send({ kind, ...values, view: this.view() });
  }

  // A view is a wish, followed when it is new: {center, zoom} | {bounds} | {fit: hits|overlays|box}.
  lookAt(wish) {
    const text = JSON.stringify(wish ?? null);
    if (!wish || text === this.wish) return;
    const duration = this.wish === undefined ? 0 : 900;
    this.wish = text;
    this.controls.area.hidden = true;
    this.styled.then(() => {
      if (wish.center) {
        this.map.easeTo({ center: this.space.toMap(wish.center), zoom: wish.zoom, duration });
        return;
      }
      const corners = this.cornersOf(wish);
      if (corners.length === 0) return;
      const maxZoom = wish.fit === "hits" ? 9 : 20;
      this.map.fitBounds(boundsOf(corners), { padding: PADDING, maxZoom, duration });
    });
  }

  cornersOf(wish) {
    if (wish.bounds) return ringOf(this.space, wish.bounds);
    if (wish.fit === "box") return this.boxTool.box ? ringOf(this.space, this.boxTool.box) : [];
    if (wish.fit === "hits") return this.hitsLayer.places();
    if (this.space.isPixels) return this.space.corners();
    return [...this.overlays.values()].flatMap((layer) => layer.overlay.corners ?? []);
  }

  async copy(place) {
    const text = this.space.copyText(place);
    try {
      await navigator.clipboard.writeText(text);
      this.controls.say(`Copied ${text}`);
    } catch {
      this.controls.say(text); // the browser forbids copying on pages without https
    }
  }

  address(url) {
    return url.startsWith("/") ? `${location.origin}${this.base}${url}` : url;
  }

  fail(problem) {
    console.error(problem);
    this.controls.say(problem.message);
  }

  remove() {
    this.theme.stop();
    this.shapeTool.remove();
    this.circleTool.remove();
    this.map.remove();
  }

  // What tests look at.
  get state() {
    return {
      hits: this.hitsLayer.markers.size, samples: this.points.count, density: this.density.shown, box: this.boxTool.box,
      shape: this.shapeTool.corners, circle: this.circleTool.circle, armed: this.tools().some((tool) => tool.armed),
      selected: this.hitsLayer.selected, zoom: this.map.getZoom(), idle: this.map.loaded(),
      moving: this.map.isMoving(),
      heatVisible: this.heats().some((heat) => Boolean(this.map.getLayer(heat.id))
        && this.map.getLayoutProperty(heat.id, "visibility") !== "none"),
      heatStyle: { ...this.heatStyle },
    };
  }
}
