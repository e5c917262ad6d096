// A scene below the heat map: tiles if it has a position on the globe, else one image. Until it is
// there, a grey field stands in its place.

export class SceneLayer {
  constructor(world, overlay) {
    this.world = world;
    this.overlay = overlay;
    this.id = `scene:${overlay.id}`;
    this.ready = world.styleLoaded.then(() => this.removed || this.add());
  }

  add() {
    const { map, space, base } = this.world;
    this.addSkeleton();
    map.addSource(this.id, this.source(space, base));
    map.addLayer({
      id: this.id, type: "raster", source: this.id, paint: { "raster-fade-duration": 150 },
    }, "above-scenes");
    this.world.layers.refresh();
  }

  get skeleton() {
    return `scene:loading:${this.overlay.id}`;
  }

  addSkeleton() {
    const { map, space } = this.world;
    const corners = space.isPixels ? space.corners() : this.overlay.corners;
    const data = { type: "Feature", properties: {}, geometry: { type: "Polygon", coordinates: [[...corners, corners[0]]] } };
    map.addSource(this.skeleton, { type: "geojson", data });
    map.addLayer({
      id: this.skeleton, type: "fill", source: this.skeleton,
      paint: { "fill-color": "#64748b", "fill-opacity": 0.55 },
    }, "above-scenes");
    this.whenLoaded = (event) => {
      if (event.sourceId === this.id && map.isSourceLoaded(this.id)) this.removeSkeleton();
    };
    map.on("sourcedata", this.whenLoaded);
  }

  removeSkeleton() {
    const { map } = this.world;
    map.off("sourcedata", this.whenLoaded);
    if (map.getLayer(this.skeleton)) map.removeLayer(this.skeleton);
    if (map.getSource(this.skeleton)) map.removeSource(this.skeleton);
  }

  source(space) {
    const { overlay, world } = this;
    const url = world.address(overlay.url);
    if (!url.includes("{z}")) {
      const coordinates = space.isPixels ? space.corners() : overlay.corners;
      return { type: "image", url, coordinates };
    }
    const lons = overlay.corners.map((corner) => corner[0]);
    const lats = overlay.corners.map((corner) => corner[1]);
    const bounds = [Math.min(...lons), Math.min(...lats), Math.max(...lons), Math.max(...lats)];
    const source = { type: "raster", tiles: [url], tileSize: 256, maxzoom: 22 };
    // a scene across the antimeridian has corners on both sides; its tiles are not limited to bounds
    return bounds[2] - bounds[0] > 180 ? source : { ...source, bounds };
  }

  remove() {
    this.removed = true;
    this.removeSkeleton();
    const { map } = this.world;
    if (map.getLayer(this.id)) map.removeLayer(this.id);
    if (map.getSource(this.id)) map.removeSource(this.id);
  }
}
