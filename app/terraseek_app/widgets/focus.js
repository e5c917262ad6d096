// Gives the focus to the button of a container of the page, once for each turn.

const FRAMES = 60; // in which the open popover, which keeps the focus, is waited for

function focusButton(key, frames) {
  const isOpen = document.querySelector("[data-testid=stPopoverBody]");
  const button = document.querySelector(`.st-key-${key} button`);
  if (frames && (isOpen || !button)) return requestAnimationFrame(() => focusButton(key, frames - 1));
  button?.focus();
}

export default function ({ data }) {
  window.__terraseekFocus ??= 0; // on window, because each mount gets its own copy of this module
  if (!data.of || data.turn === window.__terraseekFocus) return;
  window.__terraseekFocus = data.turn;
  focusButton(data.of, FRAMES);
}
