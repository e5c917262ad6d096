// A handle in the middle of each finished shape, which moves the whole shape: dragged with the mouse or
// a finger, or with the arrow keys.

import { shifted } from "./corners.js";
import { icon, make } from "./dom.js";
import { boundsOf } from "./space.js";

const ARROWS = "M12 3v18M3 12h18M9 6l3-3 3 3M9 18l3 3 3-3M6 9l-3 3 3 3M18 9l3 3-3 3";
const STEP_PX = 8; // of an arrow key
const LARGE_STEP_PX = 40; // with shift
const REPORT_MS = 500; // after the last key, so that one search follows several presses
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class ShapeHandles {
  constructor(tool) {
    this.tool = tool;
    this.markers = [];
  }

  // Put a handle into each ring; those that exist keep the focus.
  show(rings) {
    const { world } = this.tool;
    const shown = world.reports("shape") && !world.space.isPixels ? rings : [];
    while (this.markers.length > shown.length) this.markers.pop().remove();
    shown.forEach((ring, index) => {
      this.markers[index] ??= this.make(index);
      this.markers[index].setLngLat(middleOf(ring));
      if (!this.markers[index].added) this.markers[index].addTo(world.map).added = true;
    });
  }

  make(index) {
    const element = make("button", "ts-shape-handle", icon(ARROWS), {
      type: "button", title: "Move the shape: drag, or use the arrow keys",
    });
    element.addEventListener("pointerdown", (event) => this.drag(event, index));
    element.addEventListener("keydown", (event) => this.press(event, index));
    element.addEventListener("click", (event) => event.stopPropagation());
    return new window.maplibregl.Marker({ element });
  }

  drag(event, index) {
    if (event.button !== 0) return;
    event.preventDefault();
    event.stopPropagation();
    event.currentTarget.focus({ preventScroll: true });
    const { tool } = this;
    const before = tool.rings;
    const from = tool.world.map.project(middleOf(before[index]));
    const start = [event.clientX, event.clientY];
    let rings = before;
    const move = (e) => {
      rings = this.movedBy(before, index, from, [e.clientX - start[0], e.clientY - start[1]]);
      tool.set(rings);
    };
    tool.world.drag(move, () => rings !== before && tool.report(rings));
  }

  press(event, index) {
    const direction = KEYS[event.key];
    if (!direction) return;
    event.preventDefault();
    event.stopPropagation(); // otherwise the map moves
    const { tool } = this;
    const step = event.shiftKey ? LARGE_STEP_PX : STEP_PX;
    const from = tool.world.map.project(middleOf(tool.rings[index]));
    tool.set(this.movedBy(tool.rings, index, from, direction.map((value) => value * step)));
    clearTimeout(this.timer);
    this.timer = setTimeout(() => tool.report(tool.rings), REPORT_MS);
  }

  // The rings with one of them moved by pixels on the screen.
  movedBy(rings, index, from, [dx, dy]) {
    const { map } = this.tool.world;
    const [start, end] = [map.unproject(from), map.unproject([from.x + dx, from.y + dy])];
    return shifted(rings, index, [end.lng - start.lng, end.lat - start.lat]);
  }

  remove() {
    clearTimeout(this.timer);
    for (const marker of this.markers.splice(0)) marker.remove();
  }
}

// The middle of a ring's bounds.
function middleOf(ring) {
  return boundsOf(ring).getCenter();
}
