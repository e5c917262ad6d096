// Hits for each available sample: cells are Web Mercator tiles, and shares are counted in them.
import assert from "node:assert/strict";
import { test } from "node:test";

import { cellOf, ringOfCell, shares } from "../../app/terraseek_app/map/static/cells.js";

test("a cell holds the position it was made for", () => {
  for (const position of [[2.35, 48.86], [-179.9, -84], [179.9, 84], [0.001, -0.001]]) {
    for (const zoom of [0, 3, 9]) {
      const ring = ringOfCell(cellOf(position, zoom), zoom);
      const [[west, north], , [east, south]] = ring;
      assert.ok(west <= position[0] && position[0] <= east, `${position} at ${zoom}`);
      assert.ok(south <= position[1] && position[1] <= north, `${position} at ${zoom}`);
    }
  }
});

test("the known tile of Paris", () => {
  assert.deepEqual(cellOf([2.35, 48.86], 6), [32, 22]);
});

test("hits are divided by the samples of their cell; cells out of view are left out", () => {
  const paris = cellOf([2.35, 48.86], 6);
  const hits = [{ lon: 2.35, lat: 48.86 }, { lon: 2.36, lat: 48.86 }, { lon: 100, lat: 0 }];
  const found = shares(hits, [[...paris, 8], [0, 0, 5]], 6);
  assert.deepEqual(found, [{ cell: paris, hits: 2, samples: 8, share: 0.25 }]);
});
