// Counts by column: values as rows to click, numbers and dates as histograms to brush. Only what
// changed is rebuilt, so that a brush keeps the focus and the lists their length.

const SHOWN = 6;
const number = new Intl.NumberFormat();

function create(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function valueRow(facet, bin, most, send) {
  const row = create("button", "row");
  row.type = "button";
  row.setAttribute("aria-pressed", String(bin.on));
  row.title = bin.text;
  row.style.setProperty("--share", `${(100 * bin.count) / most}%`);
  row.append(create("span", "name", bin.text || "unknown"), create("span", "n", number.format(bin.count)));
  row.onclick = () => send({ name: facet.name, text: bin.text });
  return row;
}

function valueList(facet, send, open) {
  const list = create("div", "values");
  const most = Math.max(1, ...facet.bins.map((bin) => bin.count));
  const rows = facet.bins.map((bin) => valueRow(facet, bin, most, send));
  // what is chosen is always visible
  rows.forEach((row, at) => { row.hidden = !open.has(facet.name) && at >= SHOWN && !facet.bins[at].on; });
  list.append(...rows);
  const hidden = rows.filter((row) => row.hidden).length;
  if (hidden || open.has(facet.name)) {
    const more = create("button", "more", hidden ? `${hidden} more` : "fewer");
    more.type = "button";
    more.onclick = () => {
      if (!open.delete(facet.name)) open.add(facet.name);
      list.replaceWith(valueList(facet, send, open));
    };
    list.append(more);
  }
  return list;
}

function rangeText(facet, from, to) {
  const [first, last] = [facet.bins[from], facet.bins[to]];
  return facet.kind === "dates" ? `${first.text}..${last.text}` : `${first.low}..${last.high}`;
}

function label(value) {
  return typeof value === "number" ? Number(value.toPrecision(3)).toLocaleString() : value;
}

function histogram(facet, send) {
  const box = create("div", "histogram");
  const bars = create("div", "bars");
  bars.setAttribute("role", "group");
  bars.setAttribute("aria-label", `${facet.title}: drag over bars to filter`);
  const most = Math.max(1, ...facet.bins.map((bin) => bin.count));
  const nodes = facet.bins.map((bin, at) => {
    const bar = create("button", bin.on ? "bar on" : "bar");
    bar.type = "button";
    bar.tabIndex = at === 0 ? 0 : -1;
    const single = facet.kind === "dates" || bin.low === bin.high;
    const span = single ? bin.text : `${label(bin.low)} to ${label(bin.high)}`;
    bar.title = `${span}: ${number.format(bin.count)}`;
    bar.setAttribute("aria-label", bar.title);
    bar.style.setProperty("--height", `${bin.count ? Math.max(6, (100 * bin.count) / most) : 0}%`);
    return bar;
  });
  bars.append(...nodes);
  let start = null;
  const at = (event) => {
    const frame = bars.getBoundingClientRect();
    const share = (event.clientX - frame.left) / frame.width;
    return Math.min(nodes.length - 1, Math.max(0, Math.floor(share * nodes.length)));
  };
  const mark = (a, b) => nodes.forEach((node, n) =>
    node.classList.toggle("brushed", n >= Math.min(a, b) && n <= Math.max(a, b)));
  const finish = (a, b) => send({
    name: facet.name, text: rangeText(facet, Math.min(a, b), Math.max(a, b)), range: true,
  });
  bars.onpointerdown = (event) => {
    start = at(event);
    bars.setPointerCapture(event.pointerId);
    mark(start, start);
  };
  bars.onpointermove = (event) => { if (start !== null) mark(start, at(event)); };
  bars.onpointercancel = () => { start = null; mark(1, 0); };
  bars.onpointerup = (event) => {
    if (start === null) return;
    finish(start, at(event));
    start = null;
  };
  // arrow keys move along the bars, with Shift they extend the range, Enter filters
  let anchor = null;
  bars.onkeydown = (event) => {
    const here = nodes.indexOf(event.target);
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) {
      const next = Math.min(nodes.length - 1, Math.max(0, here + step));
      anchor = event.shiftKey ? anchor ?? here : null;
      mark(anchor ?? next, next);
      nodes[next].focus();
      event.preventDefault();
    } else if (event.key === "Enter" || event.key === " ") {
      finish(anchor ?? here, here);
      event.preventDefault();
    }
  };
  const first = facet.bins[0];
  const last = facet.bins[facet.bins.length - 1];
  const ends = create("div", "ends");
  const dates = facet.kind === "dates";
  ends.append(create("span", "", label(dates ? first.text : first.low)), create("span", "", label(dates ? last.text : last.high)));
  box.append(bars, ends);
  return box;
}

function section(facet, send, open) {
  const node = create("section", "facet");
  node.dataset.name = facet.name;
  const head = create("div", "head");
  head.append(create("h4", "", facet.title));
  if (facet.chosen) {
    const clear = create("button", "clear", "clear");
    clear.type = "button";
    clear.setAttribute("aria-label", `clear the filter on ${facet.title}`);
    clear.onclick = () => send({ name: facet.name, clear: true });
    head.append(clear);
  }
  node.append(head);
  if (facet.bins.length) {
    node.append(facet.kind === "values" ? valueList(facet, send, open) : histogram(facet, send));
  }
  if (facet.unknown) {
    node.append(create("div", "note", `${number.format(facet.unknown)} without a value`));
  }
  return node;
}

export default function ({ data, parentElement, setTriggerValue }) {
  let root = parentElement.querySelector(".facets");
  if (!root) {
    root = create("div", "facets");
    root.open = new Set();
    parentElement.append(root);
  }
  const send = (choice) => setTriggerValue("chosen", JSON.stringify(choice));
  const known = new Map([...root.children].map((node) => [node.dataset.name, node]));
  const nodes = data.facets.map((facet) => {
    const text = JSON.stringify(facet);
    const old = known.get(facet.name);
    if (old?.shown === text) return old;
    const made = section(facet, send, root.open);
    made.shown = text;
    return made;
  });
  if (nodes.length !== root.children.length || nodes.some((node, at) => node !== root.children[at])) {
    root.replaceChildren(...nodes);
  }
}
