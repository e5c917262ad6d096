// What Streamlit mounts: fetches the map's modules once and hands every rerun to them.
// The promise is window-wide, because each mount of the component gets its own copy of this module.

function load(data) {
  window.__terraseekModules ??= {};
  const address = `${location.origin}${data.base}/assets/map/main.js?v=${data.version}`;
  return (window.__terraseekModules[address] ??= import(/* @vite-ignore */ address));
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const place = parentElement.querySelector(".ts-place");
  place.style.height = typeof data.height === "number" ? `${data.height}px` : data.height;
  place.__wanted = component;
  load(data)
    .then((modules) => modules.ready(data))
    .then((modules) => {
      // a newer rerun may have come while the modules loaded
      if (place.__wanted !== component) return;
      modules.render(place, data, (payload) => setTriggerValue("event", payload));
    })
    .catch((problem) => {
      place.textContent = `The map could not start: ${problem.message}`;
      console.error(problem);
    });
  return () => load(data).then((modules) => modules.release(data.key, place));
}
