// A button that copies the address of what is shown, and keeps the map's view in the address. The
// view replaces the current history entry, so that Back goes to the query before. In one module with
// copy.js.

/* global copyFrom, smallButton */

const LABEL = "Link";
const MAP_MADE = "terraseek:map"; // sent by map/static/main.js
const CHECK_MS = 1000;
const SPLIT_CHANGED = "terraseek:split"; // sent by map/static/split.js

function mapOf(mapKey) {
  return window.__terraseek?.[mapKey]?.map;
}

// The place in the middle of the map's free part, so that other windows show it in theirs.
function viewText(mapKey) {
  const { center, zoom } = window.__terraseek[mapKey].view();
  return `${center[0].toFixed(5)},${center[1].toFixed(5)},${zoom.toFixed(2)}`;
}

function address(mapKey) {
  const url = new URL(window.location.href);
  const map = mapOf(mapKey);
  if (map) url.searchParams.set("view", viewText(mapKey));
  const split = map && window.__terraseek[mapKey].split?.text();
  if (split) url.searchParams.set("split", split);
  else url.searchParams.delete("split");
  url.search = url.search.replaceAll("%2C", ",");
  return url.href;
}

function keepView(mapKey) {
  if (!mapOf(mapKey)) return;
  const href = address(mapKey);
  if (href !== window.location.href) window.history.replaceState(window.history.state, "", href);
}

// Follow the map's moves until the button is gone or has another map.
function watch(button, mapKey) {
  const map = mapOf(mapKey);
  if (!map || map === button.watched) return;
  button.watched = map;
  const isWatched = () => button.isConnected && button.watched === map;
  const onMove = () => (isWatched() ? keepView(mapKey) : map.off("moveend", onMove));
  map.on("moveend", onMove);
  // Streamlit may set the address after the last move, which no event tells
  const timer = setInterval(() => {
    if (!isWatched()) clearInterval(timer);
    else if (!map.isMoving()) keepView(mapKey);
  }, CHECK_MS);
  const onSplit = () => (isWatched() ? keepView(mapKey) : window.removeEventListener(SPLIT_CHANGED, onSplit));
  window.addEventListener(SPLIT_CHANGED, onSplit);
}

// The map is made by another component, perhaps later, and made anew after a while away.
function awaitMap(button, mapKey) {
  const onMade = () => (button.isConnected ? watch(button, mapKey) : window.removeEventListener(MAP_MADE, onMade));
  window.addEventListener(MAP_MADE, onMade);
}

export default function ({ data, parentElement }) {
  const button = smallButton(parentElement);
  if (!button.textContent) {
    button.textContent = LABEL;
    button.title = "Copy the address of exactly what is shown";
    if (data.map) awaitMap(button, data.map);
  }
  button.onclick = () => {
    button.dataset.copied = address(data.map);
    return copyFrom(button, button.dataset.copied, LABEL);
  };
  if (!data.map) return;
  watch(button, data.map);
  if (button.watched && !button.watched.isMoving()) keepView(data.map);
}
