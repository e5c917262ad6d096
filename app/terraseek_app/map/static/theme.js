// The map follows the page's theme: Streamlit says light or dark with the page's color-scheme.

export function followTheme(element) {
  const look = () =>
    element.classList.toggle("ts-day", getComputedStyle(element).colorScheme === "light");
  // a change of theme gives Streamlit's root other classes, and reruns nothing
  const watcher = new MutationObserver(look);
  for (const root of document.querySelectorAll("html, body, #root, .stApp")) {
    watcher.observe(root, { attributes: true, attributeFilter: ["class", "style"] });
  }
  return { look, stop: () => watcher.disconnect() };
}
