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

const HALF_PX = 140; // half the width, and the height, that a popup may need
const HEIGHT_PX = 290;
const ABOVE_PIN_PX = 34;

// On which side of its place a popup lies, so that it stays beside the panels of the page.
export function anchorOf({ x, y }, { left, top, width }) {
  const vertical = y - top < HEIGHT_PX ? "top" : "bottom";
  if (x - left < HALF_PX) return `${vertical}-left`;
  return left + width - x < HALF_PX ? `${vertical}-right` : vertical;
}

// `whole`: an element over all maps of the place, which shows the popup where another map would cut it
// off; both have the same size.
export function openPopup(world, item, whole = null) {
  world.popup?.remove();
  const src = `${world.base}/api/thumbnails/${encodeURIComponent(item.item_id)}?size=320`;
  const image = make("img", "ts-popup-picture", [], { src, alt: item.caption ?? "sample" });
  const title = item.rank ? `${item.rank}. ${item.caption ?? ""}` : (item.caption ?? "");
  const hit = world.hitsLayer.get(item.item_id);
  const isDrawn = hit && world.items.isDrawn(hit); // the image is on the map already
  const content = make("div", "ts-popup", [
    ...(isDrawn ? [] : [image]), make("div", "ts-popup-caption", title), ...details(item, world.space),
  ]);
  const place = world.hitsLayer.place(item.item_id) ?? world.space.toMap([item.lon, item.lat]);
  const anchor = anchorOf(world.map.project(place), world.free.box());
  const offset = [0, anchor.startsWith("top") ? 10 : -(item.rank ? ABOVE_PIN_PX : 10)];
  world.popup = new window.maplibregl.Popup({
    anchor, offset, maxWidth: "250px", className: "ts-popup-frame", focusAfterOpen: false,
  });
  world.popup.itemId = item.item_id;
  world.popup.setLngLat(place);
  world.popup.setDOMContent(content).addTo(world.map);
  whole?.append(world.popup.getElement());
}
