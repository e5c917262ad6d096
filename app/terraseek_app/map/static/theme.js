// The map follows the page's theme, which Streamlit sets as the page's color-scheme.

export function followTheme(element) {
  const refresh = () =>
    element.classList.toggle("ts-day", getComputedStyle(element).colorScheme === "light");
  // a change of theme changes the classes of Streamlit's root, without a rerun
  const watcher = new MutationObserver(refresh);
  for (const root of document.querySelectorAll("html, body, #root, .stApp")) {
    watcher.observe(root, { attributes: true, attributeFilter: ["class", "style"] });
  }
  return { refresh, stop: () => watcher.disconnect() };
}
