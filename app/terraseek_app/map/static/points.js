// Samples as points: fetched as binary columns, clustered if there are many.

const CLUSTER_FROM = 1500; // samples
const MAX_DRAWN = 250000; // of more samples, only every second, third, ... is drawn

// The columns at a URL; null if the server has too many samples to list.
export async function fetchPoints(url) {
  const response = await fetch(url);
  if (response.status === 204) return null;
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  const buffer = await response.arrayBuffer();
  const n = new Uint32Array(buffer, 0, 1)[0];
  return {
    n,
    row: new Uint32Array(buffer, 4, n),
    lon: new Float32Array(buffer, 4 + 4 * n, n),
    lat: new Float32Array(buffer, 4 + 8 * n, n),
    precision: new Uint8Array(buffer, 4 + 12 * n, n),
  };
}

function toGeoJSON(points) {
  const step = Math.max(1, Math.ceil(points.n / MAX_DRAWN));
  const features = [];
  for (let i = 0; i < points.n; i += step) {
    features.push({
      type: "Feature",
      geometry: { type: "Point", coordinates: [points.lon[i], points.lat[i]] },
      properties: { row: points.row[i], approximate: points.precision[i] > 1 },
    });
  }
  return { type: "FeatureCollection", features };
}

export class PointsLayer {
  constructor(world) {
    this.world = world;
    this.count = 0;
    this.url = null;
  }

  async show(url) {
    if (url === this.url) return;
    this.url = url;
    this.clear();
    if (!url) return;
    const points = await fetchPoints(url);
    if (url !== this.url) return; // the catalogue was changed meanwhile
    await this.world.styleLoaded;
    this.setPoints(points, points.n > CLUSTER_FROM);
  }

  // Replace the points, without a request to the server.
  setPoints(points, cluster) {
    this.count = points.n;
    const source = this.world.map.getSource("samples");
    if (source && !cluster) return source.setData(toGeoJSON(points));
    this.clear();
    this.add(toGeoJSON(points), cluster);
    this.world.layers.refresh();
  }

  clear() {
    const { map } = this.world;
    for (const id of ["samples", "sample-clusters", "sample-counts"]) {
      if (map.getLayer(id)) map.removeLayer(id);
    }
    if (map.getSource("samples")) map.removeSource("samples");
  }

  add(data, cluster) {
    const { map } = this.world;
    map.addSource("samples", {
      type: "geojson", data, cluster, clusterRadius: 46, clusterMaxZoom: 13,
    });
    const before = "above-samples";
    map.addLayer({
      id: "sample-clusters", type: "circle", source: "samples", filter: ["has", "point_count"],
      paint: {
        "circle-color": "#0e7490",
        "circle-opacity": 0.62,
        "circle-radius": [
          "interpolate", ["linear"], ["ln", ["get", "point_count"]], 0.7, 9, 4.6, 15, 9.2, 27,
        ],
        "circle-stroke-width": 1.25,
        "circle-stroke-color": "rgba(207,250,254,0.75)",
      },
    }, before);
    map.addLayer({
      id: "sample-counts", type: "symbol", source: "samples", filter: ["has", "point_count"],
      layout: {
        "icon-image": ["concat", "count:", ["to-string", ["get", "point_count_abbreviated"]]],
        "icon-allow-overlap": true,
      },
    }, before);
    map.addLayer({
      id: "samples", type: "circle", source: "samples", filter: ["!", ["has", "point_count"]],
      paint: {
        "circle-color": ["case", ["get", "approximate"], "rgba(103,232,249,0.15)", "#67e8f9"],
        "circle-radius": ["interpolate", ["linear"], ["zoom"], 1, 2.6, 6, 3.8, 12, 6],
        "circle-opacity": 0.9,
        "circle-stroke-width": ["case", ["get", "approximate"], 1.5, 0.75],
        "circle-stroke-color": ["case", ["get", "approximate"], "#67e8f9", "rgba(8,47,73,0.9)"],
      },
    }, before);
    this.world.items.fadePoints();
  }

  // What is at a screen point: {row} of a sample, {cluster} id, or null.
  at(point) {
    const { map } = this.world;
    const layers = ["samples", "sample-clusters"].filter((id) => map.getLayer(id));
    if (!layers.length) return null;
    const box = [[point.x - 4, point.y - 4], [point.x + 4, point.y + 4]];
    const found = map.queryRenderedFeatures(box, { layers })[0];
    if (!found) return null;
    const position = found.geometry.coordinates;
    const { cluster_id: cluster, row } = found.properties;
    return cluster === undefined ? { row, position } : { cluster, position };
  }

  async expandCluster(found) {
    const { map } = this.world;
    const zoom = await map.getSource("samples").getClusterExpansionZoom(found.cluster);
    map.easeTo({ center: found.position, zoom: Math.min(zoom + 0.3, 15) });
  }
}
