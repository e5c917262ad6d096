// One map per key, kept as long as the browser tab: a rerun updates it, and a page that is left keeps
// its map for some minutes.

import { SplitView } from "./split.js";
import { WorldMap } from "./world.js";

const KEEP_MS = 10 * 60 * 1000;
const worlds = (window.__terraseek ??= {});
let library = null;

// MapLibre GL is a classic script, which defines window.maplibregl.
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

export function render(container, data, send) {
  let world = worlds[data.key];
  if (!world) {
    world = worlds[data.key] = new WorldMap(data);
    window.dispatchEvent(new Event("terraseek:map")); // for widgets/page_link.js
  }
  world.send = send;
  if (world.element.parentNode !== container) {
    clearTimeout(world.removalTimer);
    container.replaceChildren(world.element);
    world.map.resize();
  }
  world.update(data);
  (world.split ??= new SplitView(world)).update(data);
}

export function release(key, container) {
  const world = worlds[key];
  if (!world || world.element.parentNode !== container) return;
  world.removalTimer = setTimeout(() => {
    if (world.element.isConnected) return;
    world.split.close();
    world.remove();
    delete worlds[key];
  }, KEEP_MS);
}
