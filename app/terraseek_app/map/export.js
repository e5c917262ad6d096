// The stand-alone map: all its data is in the page.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const MAX_LATITUDE = 85.0511287798066; // of Web Mercator
  const map = new maplibregl.Map({
    container: "map", center: [10, 25], zoom: 1.4, dragRotate: false, maxZoom: 14,
    style: {
      version: 8,
      sources: {
        world: {
          type: "image", url: data.world,
          coordinates: [[-180, MAX_LATITUDE], [180, MAX_LATITUDE], [180, -MAX_LATITUDE], [-180, -MAX_LATITUDE]],
        },
        borders: { type: "geojson", data: data.borders, attribution: "NASA Blue Marble · GSHHG" },
      },
      layers: [
        { id: "background", type: "background", paint: { "background-color": "#0b1a2b" } },
        { id: "world", type: "raster", source: "world" },
        {
          id: "borders", type: "line", source: "borders",
          paint: { "line-color": "#d5ecf7", "line-opacity": 0.3, "line-width": 0.8 },
        },
      ],
    },
  });
  map.addControl(new maplibregl.NavigationControl({ showCompass: false }));
  map.addControl(new maplibregl.ScaleControl());
  window.__terraseekExport = map;

  function make(tag, className, children = []) {
    const element = document.createElement(tag);
    element.className = className;
    element.append(...children);
    return element;
  }

  function createImage(hit) {
    const image = make("img", "ts-popup-picture");
    image.src = hit.picture;
    image.alt = hit.caption;
    return image;
  }

  const bounds = new maplibregl.LngLatBounds();
  const popup = new maplibregl.Popup({ offset: [0, -34], maxWidth: "250px", className: "ts-popup-frame" });

  function open(hit) {
    const position = `lon ${hit.lon.toFixed(5)}  lat ${hit.lat.toFixed(5)}`;
    popup.setLngLat([hit.lon, hit.lat]).setDOMContent(make("div", "ts-popup", [
      createImage(hit), make("div", "ts-popup-caption", [`${hit.rank}. ${hit.caption}`]),
      make("div", "ts-popup-facts", [`score ${hit.score.toFixed(3)} · ${hit.source}\n${position}`]),
    ])).addTo(map);
  }

  for (const hit of data.hits) {
    const located = hit.lon !== null && hit.lat !== null;
    const position = located ? `${hit.lon.toFixed(3)}, ${hit.lat.toFixed(3)}` : "no place";
    const row = make("button", "hit", [
      createImage(hit),
      make("span", "", [`${hit.rank}. ${hit.caption}`, make("small", "", [`${hit.score.toFixed(3)} · ${position}`])]),
    ]);
    document.getElementById("list").append(row);
    if (!located) continue;
    bounds.extend([hit.lon, hit.lat]);
    const pin = make("button", "ts-hit", [make("span", "ts-hit-rank", [String(hit.rank)])]);
    pin.style.setProperty("--pin", "#fbbf24");
    pin.style.setProperty("--ink", "#241a02");
    pin.style.zIndex = String(1000 - hit.rank);
    pin.addEventListener("click", (event) => {
      event.stopPropagation();
      open(hit);
    });
    row.addEventListener("click", () => {
      map.easeTo({ center: [hit.lon, hit.lat], zoom: Math.max(map.getZoom(), 4) });
      open(hit);
    });
    new maplibregl.Marker({ element: pin, anchor: "bottom" }).setLngLat([hit.lon, hit.lat]).addTo(map);
  }
  if (!bounds.isEmpty()) map.fitBounds(bounds, { padding: 70, maxZoom: 8, animate: false });
})();
