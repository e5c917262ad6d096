// A scene under the heat map: tiles where it has a place on the globe, one picture where not.

export class SceneLayer {
  constructor(world, overlay) {
    this.world = world;
    this.overlay = overlay;
    this.id = `scene:${overlay.id}`;
    this.ready = world.styled.then(() => this.removed || this.add());
  }

  add() {
    const { map, space, base } = this.world;
    map.addSource(this.id, this.source(space, base));
    map.addLayer({
      id: this.id, type: "raster", source: this.id, paint: { "raster-fade-duration": 150 },
    }, "above-scenes");
    this.world.layers.refresh();
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
    // a scene over the antimeridian has corners on both sides; then any tile may be asked for
    return bounds[2] - bounds[0] > 180 ? source : { ...source, bounds };
  }

  remove() {
    this.removed = true;
    const { map } = this.world;
    if (map.getLayer(this.id)) map.removeLayer(this.id);
    if (map.getSource(this.id)) map.removeSource(this.id);
  }
}
