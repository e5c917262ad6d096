// The component that Streamlit mounts: loads the map's modules once, and passes every rerun to them.
// The promise is stored on window, because each mount gets its own copy of this module.

function load(data) {
  window.__terraseekModules ??= {};
  const url = `${location.origin}${data.base}/assets/map/main.js?v=${data.version}`;
  return (window.__terraseekModules[url] ??= import(/* @vite-ignore */ url));
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const container = parentElement.querySelector(".ts-place");
  container.style.height = typeof data.height === "number" ? `${data.height}px` : data.height;
  container.__latest = component;
  load(data)
    .then((modules) => modules.ready(data))
    .then((modules) => {
      // skip if a newer rerun came while the modules were loading
      if (container.__latest !== component) return;
      modules.render(container, data, (payload) => setTriggerValue("event", payload));
    })
    .catch((error) => {
      container.textContent = `The map could not start: ${error.message}`;
      console.error(error);
    });
  return () => load(data).then((modules) => modules.release(data.key, container));
}
