// Gallery of results. Tiles are rebuilt only when their data changes, so that images do not flicker
// and the scroll position is kept across reruns.

const HOVER = "terraseek:hover";
const THUMB_UP = "M7 11v9H4v-9zm0 0 4-8 2 1v5h6l-2 11H7";
const THUMB_DOWN = "M17 13V4h3v9zm0 0-4 8-2-1v-5H5L7 4h10";

function createElement(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function createVoteButton(name, iconPath, label, tile, send) {
  const button = createElement("button", `vote ${name}`);
  button.type = "button";
  button.title = label;
  button.setAttribute("aria-label", `${label}: result ${tile.rank}`);
  button.setAttribute("aria-pressed", String(name === "good" && tile.liked));
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", iconPath);
  svg.append(path);
  button.append(svg);
  button.onclick = () => send(name, tile.item_id);
  return button;
}

function createPickButton(tile, send) {
  const button = createElement("button", "pick");
  button.type = "button";
  button.setAttribute("aria-label", `Result ${tile.rank}: ${tile.caption || "no caption"}`);
  const frame = createElement("span", "frame");
  const image = createElement("img");
  image.loading = "lazy";
  image.decoding = "async";
  image.alt = tile.caption || `result ${tile.rank}`;
  image.src = tile.thumbnail;
  const score = createElement("span", `score ${tile.level}`.trim(), tile.score);
  if (tile.level) score.title = tile.level === "none" ? "no evidence" : tile.level;
  frame.append(image, createElement("span", "rank", String(tile.rank)), score);
  const bar = createElement("span", "bar");
  const fill = createElement("span", `fill ${tile.level}`.trim());
  fill.style.width = `${Math.round(100 * tile.strength)}%`;
  bar.append(fill);
  button.append(frame, bar, createElement("span", "caption", tile.caption || "no caption"));
  const facts = [tile.place, tile.facts].filter(Boolean);
  facts.forEach((text) => button.append(createElement("span", "place", text)));
  button.onclick = (event) => {
    if (event.shiftKey || event.ctrlKey || event.metaKey) return chooseTiles(button, event.shiftKey, send);
    return send("picked", tile.item_id);
  };
  return button;
}

// The corner button of a tile, which chooses it together with others.
function createChooseButton(tile, send) {
  const button = createElement("button", "choose");
  button.type = "button";
  button.title = "Select together with others (also: shift-click)";
  button.setAttribute("aria-label", `Select result ${tile.rank}`);
  button.onclick = (event) => chooseTiles(button, event.shiftKey, send);
  return button;
}

// With shift, all tiles from the one chosen last up to this one.
function chooseTiles(button, range, send) {
  const article = button.closest(".tile");
  const grid = article.parentElement;
  if (!grid.classList.contains("choosing-allowed")) return;
  const tiles = [...grid.children];
  const [from, to] = [tiles.indexOf(grid.lastChosen), tiles.indexOf(article)];
  const on = !article.classList.contains("chosen");
  const run = range && from >= 0 && on ? tiles.slice(Math.min(from, to), Math.max(from, to) + 1) : [article];
  grid.lastChosen = article;
  send("choose", { items: run.map((one) => one.dataset.id), on });
}

function createTile(tile, send) {
  const article = createElement("article", "tile");
  article.dataset.id = tile.item_id;
  const like = createElement("button", "like", "More like this");
  like.type = "button";
  like.onclick = () => send("like", tile.item_id);
  const votes = createElement("span", "votes");
  votes.append(
    createVoteButton("good", THUMB_UP, "This is what I meant", tile, send),
    createVoteButton("bad", THUMB_DOWN, "This is not what I meant", tile, send),
  );
  const foot = createElement("span", "foot");
  foot.append(like, votes);
  article.append(createPickButton(tile, send), createChooseButton(tile, send), foot);
  article.onmouseenter = () => announceHover(tile.item_id);
  article.onmouseleave = () => announceHover(null);
  return article;
}

// The map lights the mark of the hovered tile, and the other way round (map/static/hover.js).
function announceHover(itemId) {
  window.dispatchEvent(new CustomEvent(HOVER, { detail: { from: "gallery", itemId } }));
}

function followHover(grid) {
  const light = ({ detail }) => {
    if (!grid.isConnected) return window.removeEventListener(HOVER, light);
    if (detail.from === "gallery") return;
    for (const node of grid.children) node.classList.toggle("lit", node.dataset.id === detail.itemId);
  };
  window.addEventListener(HOVER, light);
}

// Arrow keys move the focus from tile to tile.
function moveFocus(grid, event) {
  const steps = { ArrowRight: 1, ArrowLeft: -1 };
  const buttons = [...grid.querySelectorAll(".pick")];
  const index = buttons.indexOf(event.target);
  if (index < 0 || !(event.key in steps)) return;
  event.preventDefault();
  buttons[Math.min(buttons.length - 1, Math.max(0, index + steps[event.key]))].focus();
}

// The panel that scrolls the gallery; null where only the whole page scrolls, which a click on the map
// must not move.
function scrollerOf(grid) {
  for (let node = grid.getRootNode().host ?? grid.parentElement; node; node = node.parentElement) {
    if (node.matches("[data-testid=stMain]")) return null;
    if (/auto|scroll/.test(getComputedStyle(node).overflowY)) return node;
  }
  return null;
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  let grid = parentElement.querySelector(".grid");
  if (!grid) {
    grid = createElement("div", "grid");
    grid.setAttribute("role", "list");
    grid.onkeydown = (event) => moveFocus(grid, event);
    followHover(grid);
    parentElement.append(grid);
  }
  const shown = JSON.stringify(data.tiles);
  const changed = grid.dataset.shown !== shown;
  if (changed) {
    grid.dataset.shown = shown;
    grid.replaceChildren(...data.tiles.map((tile) => createTile(tile, setTriggerValue)));
    scrollerOf(grid)?.scrollTo({ top: 0 });
  }
  grid.classList.toggle("choosing-allowed", Boolean(data.chosen));
  grid.classList.toggle("choosing", Boolean(data.chosen?.length));
  for (const node of grid.children) {
    const isChosen = Boolean(data.chosen?.includes(node.dataset.id));
    node.classList.toggle("selected", node.dataset.id === data.selected);
    node.classList.toggle("chosen", isChosen);
    node.querySelector(".choose").setAttribute("aria-pressed", String(isChosen));
  }
  if (data.selected && (grid.dataset.selected !== data.selected || changed)) {
    const tile = grid.querySelector(".selected");
    if (tile && scrollerOf(grid)) tile.scrollIntoView({ block: "nearest", behavior: "smooth" });
  }
  grid.dataset.selected = data.selected ?? "";
}
