// Outlines of the regions above a threshold, from the values of a heat map that the browser has: while
// the threshold is dragged, nothing is asked of the server. The page's own outlines replace them.

const TOLERANCE_PX = 1; // the stair steps of pixels are an artefact of the grid

// Pixels as connected areas (sharing a side): {labels, areas}; labels are 0 below the threshold.
export function components(values, opacities, width, threshold) {
  const labels = new Int32Array(values.length);
  const areas = [0];
  const stack = new Int32Array(values.length);
  const isIn = (i) => labels[i] === 0 && opacities[i] >= 128 && values[i] >= threshold;
  for (let start = 0; start < values.length; start++) {
    if (!isIn(start)) continue;
    const label = areas.length;
    let top = 0;
    let area = 0;
    stack[top++] = start;
    labels[start] = label;
    while (top) {
      const i = stack[--top];
      area++;
      const col = i % width;
      for (const j of [col > 0 ? i - 1 : -1, col < width - 1 ? i + 1 : -1, i - width, i + width]) {
        if (j < 0 || j >= values.length || !isIn(j)) continue;
        labels[j] = label;
        stack[top++] = j;
      }
    }
    areas.push(area);
  }
  return { labels, areas };
}

const STEPS = [[1, 0], [0, 1], [-1, 0], [0, -1]]; // right, down, left, up

// Sides of an area's pixels that lie on its edge, by the corner they start at; the area is to the right.
function edgesOf(labels, width, height, wanted) {
  const edges = new Map(); // label -> Map(corner -> directions)
  const stride = width + 1;
  const at = (col, row) => (col < 0 || row < 0 || col >= width || row >= height ? 0 : labels[row * width + col]);
  for (let row = 0; row < height; row++) {
    for (let col = 0; col < width; col++) {
      const label = labels[row * width + col];
      if (!label || !wanted(label)) continue;
      const add = (x, y, direction) => {
        if (!edges.has(label)) edges.set(label, new Map());
        const own = edges.get(label);
        const corner = y * stride + x;
        if (own.has(corner)) own.get(corner).push(direction);
        else own.set(corner, [direction]);
      };
      if (at(col, row - 1) !== label) add(col, row, 0);
      if (at(col + 1, row) !== label) add(col + 1, row, 1);
      if (at(col, row + 1) !== label) add(col + 1, row + 1, 2);
      if (at(col - 1, row) !== label) add(col, row + 1, 3);
    }
  }
  return edges;
}

// Closed rings [[x, y], ...] along the edges; where two areas touch at a corner, they stay apart.
function ringsOf(edges, stride) {
  const rings = [];
  for (const start of edges.keys()) {
    while (edges.get(start)?.length) {
      let corner = start;
      let direction = edges.get(start).pop();
      const ring = [[corner % stride, Math.floor(corner / stride)]];
      for (;;) {
        corner += STEPS[direction][0] + STEPS[direction][1] * stride;
        if (corner === start) break;
        const outgoing = edges.get(corner);
        const turns = [(direction + 1) % 4, direction, (direction + 3) % 4];
        const next = turns.find((turn) => outgoing.includes(turn));
        outgoing.splice(outgoing.indexOf(next), 1);
        if (next !== direction) ring.push([corner % stride, Math.floor(corner / stride)]);
        direction = next;
      }
      rings.push([...ring, ring[0]]);
    }
  }
  return rings;
}

// Douglas and Peucker's simplification of a line.
export function simplified(points, tolerance) {
  if (points.length < 3) return points;
  const [a, b] = [points[0], points.at(-1)];
  const length = Math.hypot(b[0] - a[0], b[1] - a[1]);
  let [farthest, at] = [0, 0];
  for (let i = 1; i < points.length - 1; i++) {
    const [x, y] = points[i];
    const away = length === 0
      ? Math.hypot(x - a[0], y - a[1])
      : Math.abs((b[0] - a[0]) * (a[1] - y) - (a[0] - x) * (b[1] - a[1])) / length;
    if (away > farthest) [farthest, at] = [away, i];
  }
  if (farthest <= tolerance) return [a, b];
  return [...simplified(points.slice(0, at + 1), tolerance).slice(0, -1), ...simplified(points.slice(at), tolerance)];
}

// Regions of at least minArea pixels (or the only ones), highest value first: {area, value, peak, rings},
// positions as fractions of width and height.
export function regionsAbove({ values, opacities, width, height }, threshold, minArea = 1) {
  const { labels, areas } = components(values, opacities, width, threshold);
  const large = areas.filter((area) => area >= minArea).length > 0;
  const wanted = (label) => !large || areas[label] >= minArea;
  const best = new Map();
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i];
    if (label && wanted(label) && !(values[i] <= (best.get(label)?.value ?? -1))) best.set(label, { value: values[i], i });
  }
  const found = [];
  for (const [label, edges] of edgesOf(labels, width, height, wanted)) {
    const { value, i } = best.get(label);
    const rings = ringsOf(edges, width + 1)
      .map((ring) => {
        const simple = simplified(ring, TOLERANCE_PX);
        return simple.length >= 4 ? simple : ring;
      })
      .map((ring) => ring.map(([x, y]) => [x / width, y / height]));
    const peak = [((i % width) + 0.5) / width, (Math.floor(i / width) + 0.5) / height];
    if (rings.length) found.push({ area: areas[label], value, peak, rings });
  }
  return found.sort((one, other) => other.value - one.value);
}

const EQUATOR_M = 6378137;
const FLATNESS = 0.00669437999014; // first eccentricity of WGS84, squared

// Square metres on the ellipsoid of one square unit of Web Mercator (in earth radii) at a latitude.
export function groundArea(latDegrees) {
  const phi = (latDegrees * Math.PI) / 180;
  const root = 1 - FLATNESS * Math.sin(phi) ** 2;
  const across = 1 / Math.sqrt(root);
  const along = (1 - FLATNESS) / root ** 1.5;
  return EQUATOR_M ** 2 * across * along * Math.cos(phi) ** 2;
}

export const mercatorY = (lat) => Math.asinh(Math.tan((lat * Math.PI) / 180));
export const latitude = (y) => (Math.atan(Math.sinh(y)) * 180) / Math.PI;

// An area in m², ha or km², whichever reads best; as `area_text` of the library.
export function areaText(squareMetres) {
  for (const [unit, size] of [["km²", 1e6], ["ha", 1e4]]) {
    if (squareMetres < size) continue;
    const value = squareMetres / size;
    const shown = value >= 100 ? Math.round(value) : Number(value.toPrecision(3));
    return `${shown.toLocaleString("en")} ${unit}`;
  }
  return `${Math.round(squareMetres).toLocaleString("en")} m²`;
}
