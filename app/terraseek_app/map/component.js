// The component that Streamlit mounts: loads the map's modules once, and passes every rerun to them.
// The promise is stored on window, because each mount gets its own copy of this module.

function load(data) {
  window.__terraseekModules ??= {};
  const url = `${location.origin}${data.base}/assets/map/main.js?v=${data.version}`;
  return (window.__terraseekModules[url] ??= import(/* @vite-ignore */ url));
}

// The stylesheets are loaded once, too: as part of the component, 88 kB would be sent at every rerun.
function styles({ base, version }) {
  window.__terraseekStyles ??= {};
  return (window.__terraseekStyles[version] ??= Promise.all(
    ["maplibre-gl.css", "component.css"].map(async (name) => {
      const answer = await fetch(`${location.origin}${base}/assets/map/${name}?v=${version}`);
      if (!answer.ok) throw new Error(`${name} did not load`);
      return new CSSStyleSheet().replace(await answer.text());
    }),
  ));
}

function adopt(root, sheets) {
  const known = root.adoptedStyleSheets ?? [];
  if (!sheets.every((sheet) => known.includes(sheet))) root.adoptedStyleSheets = [...known, ...sheets];
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const container = parentElement.querySelector(".ts-place");
  container.style.height = typeof data.height === "number" ? `${data.height}px` : data.height;
  container.__latest = component;
  Promise.all([load(data).then((modules) => modules.ready(data)), styles(data)])
    .then(([modules, sheets]) => {
      // skip if a newer rerun came while the modules were loading
      if (container.__latest !== component) return;
      adopt(container.getRootNode(), sheets);
      modules.render(container, data, (payload) => setTriggerValue("event", payload));
    })
    .catch((error) => {
      container.textContent = `The map could not start: ${error.message}`;
      console.error(error);
    });
  return () => load(data).then((modules) => modules.release(data.key, container));
}
