// Key presses on the Review page, kept until the server confirms them. Streamlit's own shortcuts
// would drop the presses made during a run.

const FIELDS = "input, textarea, select, [contenteditable=true], [role=combobox]";

function isTyping(event) {
  const target = event.composedPath()[0];
  if (!(target instanceof Element)) return false;
  if (target.closest(FIELDS)) return true;
  return event.key === "Enter" && Boolean(target.closest("button, a"));
}

function onKeyDown(listener, event) {
  const { data, element } = listener;
  if (!data || !element.isConnected || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (!data.keys.includes(key) || isTyping(event)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  // after a decision, keys are ignored until the next item is shown
  if (event.repeat || listener.pending.some((press) => data.final.includes(press.key))) return;
  listener.lastNumber = Math.max(listener.lastNumber + 1, Date.now());
  listener.pending.push({ number: listener.lastNumber, item: data.item, key });
  listener.send("presses", [...listener.pending]);
}

// The list of queues keeps the focus after a choice and would take the next keys as typing.
function leaveClosedList() {
  const active = document.activeElement;
  if (active?.closest(".stSelectbox, [role=combobox]")) active.blur();
}

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  let listener = window.__terraseekKeys;
  if (!listener) {
    listener = window.__terraseekKeys = { pending: [], lastNumber: 0 };
    window.addEventListener("keydown", (event) => onKeyDown(listener, event), true);
  }
  if (listener.queue !== data.queue) leaveClosedList();
  listener.queue = data.queue;
  listener.data = data;
  listener.element = parentElement;
  listener.send = setStateValue;
  listener.pending = listener.pending.filter((press) => press.number > data.taken);
}
