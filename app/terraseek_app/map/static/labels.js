// Texts on the map are drawn as images when the map asks for them, because its text layers would need
// glyph files from a server.

export const LABEL = "label:"; // label:RANK:NAME, a town with its dot; rank 0 is the largest
const COUNT = "count:"; // count:12, the number on a cluster
const RATIO = 2;
const TOWN_PX = [13.5, 12.5, 12, 11.5, 11];

export function drawMissingImage(map, id) {
  if (map.hasImage(id)) return;
  if (id.startsWith(COUNT)) addImage(map, id, countImage(id.slice(COUNT.length)));
  if (id.startsWith(LABEL)) addImage(map, id, townImage(...splitLabel(id)));
}

// [rank, name] of an image's id; names may contain colons.
export function splitLabel(id) {
  const [, rank, ...name] = id.split(":");
  return [Math.min(Number(rank) || 0, TOWN_PX.length - 1), name.join(":")];
}

function addImage(map, id, image) {
  map.addImage(id, image, { pixelRatio: RATIO });
}

function countImage(text) {
  const context = canvas(22 * text.length + 12, 32);
  context.font = "600 22px system-ui, sans-serif";
  context.textAlign = "center";
  context.fillStyle = "#ffffff";
  context.fillText(text, context.canvas.width / 2, context.canvas.height / 2 + 1);
  return pixels(context);
}

function townImage(rank, name) {
  const size = TOWN_PX[rank] * RATIO;
  const font = `${rank < 2 ? 600 : 500} ${size}px system-ui, sans-serif`;
  const ruler = canvas(1, 1);
  ruler.font = font;
  const context = canvas(Math.ceil(ruler.measureText(name).width) + 30, Math.ceil(size * 1.6));
  const middle = context.canvas.height / 2;
  context.font = font;
  context.lineJoin = "round";
  context.lineWidth = 5;
  context.strokeStyle = "rgba(11, 26, 43, 0.85)";
  context.strokeText(name, 22, middle + 1);
  context.fillStyle = "#f4f8fb";
  context.fillText(name, 22, middle + 1);
  context.beginPath();
  context.arc(10, middle, rank < 2 ? 5 : 4, 0, 2 * Math.PI);
  context.lineWidth = 2.5;
  context.stroke();
  context.fill();
  return pixels(context);
}

function canvas(width, height) {
  const element = document.createElement("canvas");
  element.width = width;
  element.height = height;
  const context = element.getContext("2d", { willReadFrequently: true });
  context.textBaseline = "middle";
  return context;
}

function pixels(context) {
  return context.getImageData(0, 0, context.canvas.width, context.canvas.height);
}
