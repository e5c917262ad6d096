// Helpers to create elements. Text is always inserted as text, never as HTML.

export function make(tag, className, children = [], attributes = {}) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...[children].flat());
  return element;
}

export function button(className, label, title, onClick) {
  const element = make("button", `ts-button ${className}`, label, {
    type: "button", title, "aria-label": title,
  });
  element.addEventListener("click", (event) => {
    event.stopPropagation();
    onClick(event);
  });
  return element;
}

// Calls back with each event of a pointer that is pressed, and once when it is released or lost.
export function followPointer(onMove, onEnd = () => {}) {
  const ends = ["pointerup", "pointercancel"];
  const end = () => {
    window.removeEventListener("pointermove", onMove);
    for (const name of ends) window.removeEventListener(name, end);
    onEnd();
  };
  window.addEventListener("pointermove", onMove);
  for (const name of ends) window.addEventListener(name, end);
}

// A line icon from an SVG path on a 24 x 24 grid.
export function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

export const ICONS = {
  box: "M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4M9 9h6v6H9z",
  shape: "M5 9l8-5 7 8-4 8-9-2zM5 9h.01",
  circle: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 12h.01",
  choose: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM14 17l2 2 4-4",
  clear: "M6 6l12 12M18 6L6 18",
  layers: "M12 3l9 5-9 5-9-5zM3 12.5l9 5 9-5M3 17l9 5 9-5",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16.2 16.2L21 21",
  home: "M4 12l8-8 8 8M6 10v10h12V10",
};
