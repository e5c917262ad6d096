"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const view = byId("view"), stage = byId("stage"), canvas = byId("heat"), svg = byId("outlines");
  const place = { scale: 1, x: 0, y: 0 };
  let values = null;

  stage.style.width = data.width + "px";
  stage.style.height = data.height + "px";
  svg.setAttribute("viewBox", "0 0 " + data.width + " " + data.height);
  byId("ramp").style.background = "linear-gradient(90deg," + data.colours
    .filter((colour, index) => index % 16 === 0 || index === 255)
    .map(([r, g, b, a]) => "rgba(" + [r, g, b, a / 255].join(",") + ")").join(",") + ")";

  function move() {
    stage.style.transform = "translate(" + place.x + "px," + place.y + "px) scale(" + place.scale + ")";
  }
  function fit(box) {
    const [left, top, right, bottom] = box;
    const scale = Math.min(view.clientWidth / (right - left), view.clientHeight / (bottom - top));
    place.scale = scale * 0.96;
    place.x = view.clientWidth / 2 - place.scale * (left + right) / 2;
    place.y = view.clientHeight / 2 - place.scale * (top + bottom) / 2;
    move();
  }
  const fitAll = () => fit([0, 0, data.width, data.height]);
  function zoom(factor, x, y) {
    place.x = x - (x - place.x) * factor;
    place.y = y - (y - place.y) * factor;
    place.scale *= factor;
    move();
  }
  const zoomCentre = (factor) => zoom(factor, view.clientWidth / 2, view.clientHeight / 2);

  function draw() {
    if (!values) return;
    const lowest = Number(byId("threshold").value), opacity = Number(byId("opacity").value) / 100;
    const image = new ImageData(canvas.width, canvas.height), out = image.data;
    for (let i = 0; i < values.length; i += 4) {
      const value = values[i], colour = data.colours[value];
      out[i] = colour[0]; out[i + 1] = colour[1]; out[i + 2] = colour[2];
      const shown = values[i + 1] > 0 && value >= lowest;
      out[i + 3] = shown ? opacity * (data.by_level ? colour[3] : 255 * Math.max(value / 255, lowest > 0 ? 0.35 : 0)) : 0;
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
    byId("lowest").textContent = score(lowest).toFixed(3);
  }
  const score = (value) => data.low + value / 255 * (data.high - data.low);

  function lonlat(col, row) {
    if (!data.lonlat) return null;
    const steps = data.lonlat.length - 1;
    const y = Math.min(Math.max(row / data.height * steps, 0), steps - 1e-9);
    const x = Math.min(Math.max(col / data.width * steps, 0), steps - 1e-9);
    const j = Math.floor(y), i = Math.floor(x), v = y - j, u = x - i;
    const mix = (axis) => {
      const near = [[j, i], [j, i + 1], [j + 1, i], [j + 1, i + 1]].map(([a, b]) => data.lonlat[a][b]);
      if (near.some((one) => !one)) return null;
      const [p, q, r, s] = near.map((one) => one[axis]);
      return (p * (1 - u) + q * u) * (1 - v) + (r * (1 - u) + s * u) * v;
    };
    const lon = mix(0), lat = mix(1);
    return lon === null ? null : [(lon + 540) % 360 - 180, lat];
  }
  function report(event) {
    const box = view.getBoundingClientRect();
    const col = (event.clientX - box.left - place.x) / place.scale;
    const row = (event.clientY - box.top - place.y) / place.scale;
    if (col < 0 || row < 0 || col >= data.width || row >= data.height) {
      byId("cursor").textContent = "";
      return;
    }
    const at = lonlat(col, row);
    let text = at ? at[1].toFixed(5) + ", " + at[0].toFixed(5) + " (lat, lon)"
      : "column " + Math.floor(col) + ", row " + Math.floor(row);
    if (values) {
      const i = Math.floor(row / data.height * canvas.height) * canvas.width
        + Math.floor(col / data.width * canvas.width);
      if (values[4 * i + 1]) text += " · score " + score(values[4 * i]).toFixed(3);
    }
    byId("cursor").textContent = text;
  }

  data.regions.forEach((region, index) => {
    for (const kind of ["halo", "line"]) {
      const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
      path.setAttribute("d", region.path);
      path.setAttribute("class", kind);
      path.dataset.index = index;
      if (kind === "line") path.style.stroke = region.colour;
      svg.append(path);
    }
    const line = document.createElement("tr");
    for (const text of [index + 1, region.level, region.score, region.place, region.area]) {
      const cell = document.createElement("td");
      cell.textContent = text;
      line.append(cell);
    }
    line.tabIndex = 0;
    const show = () => {
      fit(region.box);
      svg.querySelectorAll("path.line").forEach((path) =>
        path.classList.toggle("chosen", path.dataset.index === String(index)));
    };
    line.addEventListener("click", show);
    line.addEventListener("keydown", (event) => { if (event.key === "Enter") show(); });
    byId("regions").append(line);
  });

  const held = new Map();
  view.addEventListener("pointerdown", (event) => {
    if (event.target.closest("button")) return;
    held.set(event.pointerId, event);
    view.setPointerCapture(event.pointerId);
  });
  view.addEventListener("pointermove", (event) => {
    report(event);
    const before = held.get(event.pointerId);
    if (!before) return;
    if (held.size === 2) {
      const other = [...held.values()].find((one) => one.pointerId !== event.pointerId);
      const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
      const box = view.getBoundingClientRect();
      zoom(apart(event) / Math.max(apart(before), 1), other.clientX - box.left, other.clientY - box.top);
    } else {
      place.x += event.clientX - before.clientX;
      place.y += event.clientY - before.clientY;
      move();
    }
    held.set(event.pointerId, event);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    view.addEventListener(name, (event) => held.delete(event.pointerId));
  }
  view.addEventListener("wheel", (event) => {
    event.preventDefault();
    const box = view.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY / 500), event.clientX - box.left, event.clientY - box.top);
  }, { passive: false });
  view.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
    if (event.key === "+") zoomCentre(1.3);
    else if (event.key === "-") zoomCentre(1 / 1.3);
    else if (step) { place.x += step[0]; place.y += step[1]; move(); }
  });
  byId("closer").addEventListener("click", () => zoomCentre(1.5));
  byId("farther").addEventListener("click", () => zoomCentre(1 / 1.5));
  byId("whole").addEventListener("click", fitAll);
  byId("threshold").value = data.threshold;
  byId("threshold").addEventListener("input", draw);
  byId("opacity").addEventListener("input", draw);
  window.addEventListener("resize", fitAll);

  const image = new Image();
  image.onload = () => {
    canvas.width = image.width;
    canvas.height = image.height;
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    values = context.getImageData(0, 0, image.width, image.height).data;
    draw();
  };
  image.src = data.heat;
  fitAll();
})();
