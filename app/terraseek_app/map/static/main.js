// Keeps one map per key for the life of the tab: a rerun updates it, a page change parks it.

import { WorldMap } from "./world.js";

const PARKED_MS = 10 * 60 * 1000;
const worlds = (window.__terraseek ??= {});
let library = null;

// MapLibre GL is a classic script that leaves its name on window.
function loadLibrary(base) {
  library ??= new Promise((resolve, reject) => {
    if (window.maplibregl) return resolve();
    const script = document.createElement("script");
    script.src = `${base}/assets/map/maplibre-gl.js`;
    script.onload = () => resolve();
    script.onerror = () => reject(new Error(`${script.src} did not load`));
    document.head.append(script);
  });
  return library;
}

export async function ready(data) {
  await loadLibrary(data.base);
  return { render, release };
}

export function render(place, data, send) {
  let world = worlds[data.key];
  if (!world) world = worlds[data.key] = new WorldMap(data);
  world.send = send;
  if (world.element.parentNode !== place) {
    clearTimeout(world.parking);
    place.replaceChildren(world.element);
    world.map.resize();
  }
  world.update(data);
}

export function release(key, place) {
  const world = worlds[key];
  if (!world || world.element.parentNode !== place) return;
  world.parking = setTimeout(() => {
    if (world.element.isConnected) return;
    world.remove();
    delete worlds[key];
  }, PARKED_MS);
}
