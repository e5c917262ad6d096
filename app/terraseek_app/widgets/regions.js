// The table of regions. While the map's threshold is dragged it shows what the map found meanwhile.

function create(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined && text !== null) node.textContent = text;
  return node;
}

function heading(several, levels) {
  const row = create("tr");
  const names = ["#", ...(several ? ["sentence"] : []), ...(levels ? ["level"] : []), "score", "size", ...(several ? ["best"] : []), "where"];
  for (const name of names) {
    const cell = create("th", name === "size" || name === "best" ? "n" : "", name);
    cell.scope = "col";
    row.append(cell);
  }
  return row;
}

function scoreCell(row) {
  const cell = create("td", "score");
  const bar = create("span", "bar");
  bar.style.setProperty("--share", `${100 * Math.min(Math.max(row.share ?? 1, 0.04), 1)}%`);
  if (row.colour) bar.style.setProperty("--bar", row.colour);
  cell.append(bar, create("span", "", row.score.toFixed(3)));
  return cell;
}

function line(row, several, levels, selected, send) {
  const node = create("tr", selected ? "on" : "");
  const pick = create("button", "pick", String(row.rank));
  pick.type = "button";
  pick.title = "Show this region";
  pick.setAttribute("aria-pressed", String(selected));
  const first = create("td");
  first.append(pick);
  node.append(first);
  if (several) {
    const sentence = create("td", "sentence");
    const swatch = create("span", "swatch");
    swatch.style.background = row.colour;
    sentence.title = row.query;
    sentence.append(swatch, create("span", "", row.query));
    node.append(sentence);
  }
  if (levels) node.append(create("td", "level", row.level));
  node.append(scoreCell(row), create("td", "n", row.size));
  if (several) node.append(create("td", "n", row.won ?? ""));
  node.append(create("td", "where", row.where));
  if (send) node.onclick = () => send({ sentence: row.sentence, rank: row.rank, turn: Date.now() });
  return node;
}

function draw(place, rows, selected, send) {
  const several = rows.some((row) => row.colour);
  const levels = rows.some((row) => row.level);
  const count = create("p", "count", rows.length === 1 ? "1 region" : `${rows.length} regions`);
  const table = create("table");
  const head = create("thead");
  head.append(heading(several, levels));
  const body = create("tbody");
  body.append(...rows.map((row) => {
    const isOn = Boolean(selected) && selected[0] === row.sentence && selected[1] === row.rank;
    return line(row, several, levels, isOn, send);
  }));
  table.append(head, body);
  const box = create("div", "scroll");
  box.append(table);
  place.replaceChildren(count, box);
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  let place = parentElement.querySelector(".regions");
  if (!place) parentElement.append((place = create("div", "regions")));
  const send = (chosen) => setTriggerValue("chosen", chosen);
  draw(place, data.rows, data.selected, send);
  if (place.follow) window.removeEventListener("terraseek:regions", place.follow);
  place.follow = (event) => {
    if (event.detail.key === data.map) draw(place, event.detail.rows, null, null);
  };
  window.addEventListener("terraseek:regions", place.follow);
  return () => window.removeEventListener("terraseek:regions", place.follow);
}
