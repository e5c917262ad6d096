// The popup of a clicked sample or hit: image, caption, score, position.

import { make } from "./dom.js";

function details(item, space) {
  const parts = [];
  if (typeof item.score === "number") parts.push(`score ${item.score.toFixed(3)}`);
  for (const name of ["label", "source"]) if (item[name]) parts.push(String(item[name]));
  if (item.captured_at) parts.push(String(item.captured_at).slice(0, 10));
  if (typeof item.gsd_m === "number") parts.push(`${item.gsd_m} m/px`);
  const position = typeof item.lon === "number" ? space.label([item.lon, item.lat]) : "no place";
  return [make("div", "ts-popup-facts", parts.join(" · ")), make("div", "ts-popup-place", position)];
}

export function openPopup(world, item) {
  world.popup?.remove();
  const src = `${world.base}/api/thumbnails/${encodeURIComponent(item.item_id)}?size=320`;
  const image = make("img", "ts-popup-picture", [], { src, alt: item.caption ?? "sample" });
  const title = item.rank ? `${item.rank}. ${item.caption ?? ""}` : (item.caption ?? "");
  const hit = world.hitsLayer.get(item.item_id);
  const isDrawn = hit && world.items.isDrawn(hit); // the image is on the map already
  const content = make("div", "ts-popup", [
    ...(isDrawn ? [] : [image]), make("div", "ts-popup-caption", title), ...details(item, world.space),
  ]);
  world.popup = new window.maplibregl.Popup({
    offset: item.rank ? [0, -34] : 10, maxWidth: "250px", className: "ts-popup-frame",
    focusAfterOpen: false,
  });
  world.popup.itemId = item.item_id;
  world.popup.setLngLat(world.hitsLayer.place(item.item_id) ?? world.space.toMap([item.lon, item.lat]));
  world.popup.setDOMContent(content).addTo(world.map);
}
