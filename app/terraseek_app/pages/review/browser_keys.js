// Keys of the raters who use this browser. They are in its local storage, which no other port of
// this computer can read, and are sent to the server to choose a rater only.

function read(slot) {
  try {
    const kept = JSON.parse(window.localStorage.getItem(slot) ?? "{}");
    return kept && typeof kept === "object" && !Array.isArray(kept) ? kept : {};
  } catch {
    return {}; // damaged, or the browser keeps nothing for this page
  }
}

function write(slot, kept) {
  try {
    window.localStorage.setItem(slot, JSON.stringify(kept));
  } catch {
    // the personal link still works
  }
}

// A personal link has the key behind "#", which browsers send to no server.
function keyOfAddress() {
  const found = /^#key=([a-z0-9-]+)$/i.exec(window.location.hash);
  const rater = new URLSearchParams(window.location.search).get("rater");
  if (!found || !rater) return null;
  window.history.replaceState(window.history.state, "", window.location.pathname + window.location.search);
  return [rater, found[1]];
}

export default function ({ data, setStateValue }) {
  const slot = `terraseek-raters-${data.log}`;
  const kept = read(slot);
  const linked = keyOfAddress();
  if (linked) kept[linked[0]] = linked[1];
  if (data.rater) kept[data.rater] = data.key;
  for (const rater of data.forget) delete kept[rater];
  write(slot, kept);
  const entries = Object.entries(kept).slice(-data.most);
  if (!data.rater && JSON.stringify(entries) !== JSON.stringify(data.known)) {
    setStateValue("kept", entries);
  }
}
