// Hovering a hit in one part of the page lights it in the others, without a rerun of the page.

const NAME = "terraseek:hover"; // also used by the gallery (widgets/gallery.js)

export function announceHover(from, itemId) {
  window.dispatchEvent(new CustomEvent(NAME, { detail: { from, itemId } }));
}

// Calls back with the item that is hovered elsewhere, or null; returns a function that stops it.
export function onHover(own, callback) {
  const listener = ({ detail }) => detail.from !== own && callback(detail.itemId);
  window.addEventListener(NAME, listener);
  return () => window.removeEventListener(NAME, listener);
}
