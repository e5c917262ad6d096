// Grid of result pictures. Tiles are kept between reruns: only what changed is touched, so that
// pictures do not flicker and the scroll position stays.

const STYLE_HEIGHT = "--ts-gallery-height";

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function vote(name, path, label, picture, send) {
  const button = element("button", `vote ${name}`);
  button.type = "button";
  button.title = label;
  button.setAttribute("aria-label", `${label}: result ${picture.rank}`);
  button.setAttribute("aria-pressed", String(name === "good" && picture.liked));
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", path);
  svg.append(line);
  button.append(svg);
  button.onclick = () => send(name, picture.item_id);
  return button;
}

function tile(picture, send) {
  const article = element("article", "tile");
  article.dataset.id = picture.item_id;
  const pick = element("button", "pick");
  pick.type = "button";
  pick.setAttribute("aria-label", `Result ${picture.rank}: ${picture.caption || "no caption"}`);
  const frame = element("span", "frame");
  const image = element("img");
  image.loading = "lazy";
  image.decoding = "async";
  image.alt = picture.caption || `result ${picture.rank}`;
  image.src = picture.thumbnail;
  frame.append(image, element("span", "rank", String(picture.rank)));
  const score = element("span", picture.weak ? "score weak" : "score", picture.score);
  frame.append(score);
  const bar = element("span", "bar");
  const fill = element("span", picture.weak ? "fill weak" : "fill");
  fill.style.width = `${Math.round(100 * picture.strength)}%`;
  bar.append(fill);
  pick.append(frame, bar, element("span", "caption", picture.caption || "no caption"));
  if (picture.place) pick.append(element("span", "place", picture.place));
  pick.onclick = () => send("picked", picture.item_id);
  const like = element("button", "like", "More like this");
  like.type = "button";
  like.onclick = () => send("like", picture.item_id);
  const votes = element("span", "votes");
  votes.append(
    vote("good", "M7 11v9H4v-9zm0 0 4-8 2 1v5h6l-2 11H7", "This is what I meant", picture, send),
    vote("bad", "M17 13V4h3v9zm0 0-4 8-2-1v-5H5L7 4h10", "This is not what I meant", picture, send),
  );
  const foot = element("span", "foot");
  foot.append(like, votes);
  article.append(pick, foot);
  return article;
}

function walk(grid, event) {
  const steps = { ArrowRight: 1, ArrowLeft: -1 };
  const tiles = [...grid.querySelectorAll(".pick")];
  const at = tiles.indexOf(event.target);
  if (at < 0 || !(event.key in steps)) return;
  event.preventDefault();
  tiles[Math.min(tiles.length - 1, Math.max(0, at + steps[event.key]))].focus();
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  let grid = parentElement.querySelector(".grid");
  if (!grid) {
    grid = element("div", "grid");
    grid.setAttribute("role", "list");
    grid.onkeydown = (event) => walk(grid, event);
    parentElement.append(grid);
  }
  grid.style.setProperty(STYLE_HEIGHT, data.height);
  const shown = JSON.stringify(data.pictures);
  const changed = grid.dataset.shown !== shown;
  if (changed) {
    grid.dataset.shown = shown;
    grid.replaceChildren(...data.pictures.map((picture) => tile(picture, setTriggerValue)));
    grid.scrollTop = 0;
  }
  for (const node of grid.children) {
    node.classList.toggle("selected", node.dataset.id === data.selected);
  }
  if (data.selected && (grid.dataset.selected !== data.selected || changed)) {
    grid.querySelector(".selected")?.scrollIntoView({ block: "nearest", behavior: "smooth" });
  }
  grid.dataset.selected = data.selected ?? "";
}
