// Marks of hits that would hide each other: clusters, thumbnails where there is room, spreading.
import assert from "node:assert/strict";
import { test } from "node:test";

import { CLUSTER_PX, THUMB_PX, declutter, spread }
  from "../../app/terraseek_app/map/static/declutter.js";

const place = (id, x, y, thumb = false) => ({ id, x, y, thumb });

test("marks at one place are one mark of the best hit, with all its members", () => {
  const groups = declutter([place("a", 50, 50), place("b", 50, 50), place("c", 55, 52), place("d", 200, 50)], 800, 600);
  assert.deepEqual(groups.get("a").members, ["a", "b", "c"]);
  assert.deepEqual(["a", "b", "c", "d"].map((id) => groups.get(id).mode), ["pin", "hidden", "hidden", "pin"]);
  assert.equal(groups.get("c").lead, "a");
});

test("every hit is drawn or in the cluster of a drawn one that is near", () => {
  let seed = 7;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  const places = Array.from({ length: 500 }, (_, i) => place(i, 400 * random(), 300 * random(), true));
  const groups = declutter(places, 400, 300);
  const counted = [...groups.values()].flatMap((group) => group.members);
  assert.deepEqual(counted.toSorted((a, b) => a - b), places.map((one) => one.id));
  for (const [id, group] of groups) {
    const [own, lead] = [places[id], places[group.lead]];
    assert.ok(Math.hypot(own.x - lead.x, own.y - lead.y) <= CLUSTER_PX);
    assert.notEqual(groups.get(group.lead).mode, "hidden");
  }
});

test("thumbnails keep apart, cover no other place, and at most a quarter of the screen", () => {
  const places = [place("a", 100, 200, true), place("b", 130, 210, true), place("c", 300, 200, true),
    place("d", 300, 160)];
  const groups = declutter(places, 800, 600);
  assert.equal(groups.get("a").mode, "thumb", "b is below the foot of its stem");
  assert.equal(groups.get("b").mode, "pin", "a lies where the thumbnail of b would be");
  assert.equal(groups.get("c").mode, "pin", "d lies where the thumbnail of c would be");
  const many = Array.from({ length: 40 }, (_, i) => place(i, 40 + 100 * (i % 8), 100 + 110 * Math.floor(i / 8), true));
  const modes = [...declutter(many, 800, 600).values()].filter((group) => group.mode === "thumb");
  assert.ok(modes.length > 5);
  assert.ok(modes.length * THUMB_PX.width * THUMB_PX.height <= 0.25 * 800 * 600);
});

test("hits outside the screen or drawn in their footprint get no thumbnail", () => {
  const groups = declutter([place("out", -5, 50, true), place("drawn", 300, 200)], 800, 600);
  assert.equal(groups.get("out").mode, "pin");
  assert.equal(groups.get("drawn").mode, "pin");
});

test("spread marks do not hide each other", () => {
  for (const n of [2, 5, 9, 40]) {
    const offsets = spread(n);
    assert.equal(offsets.length, n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < i; j++) {
        const gap = Math.hypot(offsets[i][0] - offsets[j][0], offsets[i][1] - offsets[j][1]);
        assert.ok(gap > 26, `${n} marks: ${gap}`);
      }
    }
  }
});
