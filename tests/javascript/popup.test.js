// Popups lie beside the panels of the page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { anchorOf } from "../../app/terraseek_app/map/static/popup.js";

const FREE = { left: 240, top: 110, width: 650, height: 700 };

test("a popup lies above its place, or towards the middle of the free part", () => {
  assert.equal(anchorOf({ x: 560, y: 600 }, FREE), "bottom");
  assert.equal(anchorOf({ x: 300, y: 600 }, FREE), "bottom-left");
  assert.equal(anchorOf({ x: 860, y: 600 }, FREE), "bottom-right");
  assert.equal(anchorOf({ x: 560, y: 200 }, FREE), "top");
  assert.equal(anchorOf({ x: 250, y: 200 }, FREE), "top-left");
});
