// A button that copies the address of what is shown, and keeps the map's view in the address. The
// view replaces the current history entry, so that Back goes to the query before.

const WAIT_MS = 400;

function viewText(map) {
  const { lng, lat } = map.getCenter();
  return `${lng.toFixed(5)},${lat.toFixed(5)},${map.getZoom().toFixed(2)}`;
}

function address(mapKey) {
  const url = new URL(window.location.href);
  const map = window.__terraseek?.[mapKey]?.map;
  if (map) url.searchParams.set("view", viewText(map));
  url.search = url.search.replaceAll("%2C", ",");
  return url.href;
}

function keepView(mapKey) {
  const href = address(mapKey);
  if (href !== window.location.href) window.history.replaceState(window.history.state, "", href);
}

// The map is made by another component, perhaps later, and made anew after a while away.
function watch(button, mapKey) {
  const look = () => {
    if (!button.isConnected) return clearInterval(button.timer);
    const map = window.__terraseek?.[mapKey]?.map;
    if (!map || map === button.watched) return;
    button.watched = map;
    map.on("moveend", () => button.isConnected && keepView(mapKey));
  };
  clearInterval(button.timer);
  button.timer = setInterval(look, WAIT_MS);
}

async function copy(text) {
  // browsers offer the clipboard API on https and localhost only; execCommand works elsewhere
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

export default function ({ data, parentElement }) {
  let button = parentElement.querySelector("button");
  if (!button) {
    button = document.createElement("button");
    button.type = "button";
    button.textContent = "Link";
    button.title = "Copy the address of exactly what is shown";
    parentElement.append(button);
  }
  button.onclick = async () => {
    button.dataset.copied = address(data.map);
    await copy(button.dataset.copied);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Link"; }, 1400);
  };
  if (!data.map) return;
  watch(button, data.map);
  if (button.watched && !button.watched.isMoving()) keepView(data.map);
}
