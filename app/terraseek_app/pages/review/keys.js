// Keys struck on the Review page, kept until the server says it has taken them. Streamlit's own
// shortcuts would drop those struck while a run is under way.

const FIELDS = "input, textarea, select, [contenteditable=true], [role=combobox]";

function isTyping(event) {
  const target = event.composedPath()[0];
  if (!(target instanceof Element)) return false;
  if (target.closest(FIELDS)) return true;
  return event.key === "Enter" && Boolean(target.closest("button, a"));
}

function strike(desk, event) {
  const { data, place } = desk;
  if (!data || !place.isConnected || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (!data.keys.includes(key) || isTyping(event)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (event.repeat || desk.waiting.some((press) => data.final.includes(press.key))) return;
  desk.last = Math.max(desk.last + 1, Date.now());
  desk.waiting.push({ number: desk.last, item: data.item, key });
  desk.send("presses", [...desk.waiting]);
}

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  let desk = window.__terraseekKeys;
  if (!desk) {
    desk = window.__terraseekKeys = { waiting: [], last: 0 };
    window.addEventListener("keydown", (event) => strike(desk, event), true);
  }
  desk.data = data;
  desk.place = parentElement;
  desk.send = setStateValue;
  desk.waiting = desk.waiting.filter((press) => press.number > data.taken);
}
