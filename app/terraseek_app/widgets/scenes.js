// Scenes as thumbnails to choose from; hovering one lights its mark on the map, and the reverse.

const HOVER = "terraseek:hover"; // also used by the map (map/static/hover.js)

function create(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function tile({ source, name, url, on }, send) {
  const node = create("button", on ? "scene on" : "scene");
  node.type = "button";
  node.title = name;
  node.setAttribute("aria-pressed", String(on));
  const frame = create("span", "frame");
  if (url) {
    const image = create("img");
    image.alt = "";
    image.loading = "lazy";
    image.onload = () => frame.classList.add("ready");
    image.onerror = () => {
      frame.classList.add("ready");
      frame.replaceChildren(create("span", "broken", "cannot be read"));
    };
    image.src = url;
    frame.append(image);
  } else {
    frame.classList.add("ready");
  }
  node.append(frame, create("span", "name", name));
  node.onclick = () => send(source);
  node.dataset.source = source;
  for (const [kind, item] of [["mouseenter", source], ["mouseleave", null], ["focus", source], ["blur", null]]) {
    node.addEventListener(kind, () => window.dispatchEvent(new CustomEvent(HOVER, { detail: { from: "scenes", itemId: item } })));
  }
  return node;
}

function listen(place) {
  const light = ({ detail }) => {
    if (!place.isConnected) return window.removeEventListener(HOVER, light);
    for (const node of place.children) node.classList.toggle("lit", node.dataset.source === detail.itemId);
  };
  window.addEventListener(HOVER, light);
  return light;
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  let place = parentElement.querySelector(".scenes");
  if (!place) parentElement.append((place = create("div", "scenes")));
  const text = JSON.stringify(data.tiles);
  if (place.shown === text) return;
  place.shown = text;
  place.listener ??= listen(place);
  place.replaceChildren(...data.tiles.map((one) => tile(one, (source) => setTriggerValue("chosen", source))));
}
