// The binary columns of /api/points, read as the server writes them.
import assert from "node:assert/strict";
import { test } from "node:test";

import { fetchPoints } from "../../app/terraseek_app/map/static/points.js";

function columns(rows, lon, lat, precision) {
  const n = rows.length;
  const buffer = new ArrayBuffer(4 + 13 * n);
  new Uint32Array(buffer, 0, 1)[0] = n;
  new Uint32Array(buffer, 4, n).set(rows);
  new Float32Array(buffer, 4 + 4 * n, n).set(lon);
  new Float32Array(buffer, 4 + 8 * n, n).set(lat);
  new Uint8Array(buffer, 4 + 12 * n, n).set(precision);
  return buffer;
}

function answering(status, buffer = new ArrayBuffer(0)) {
  globalThis.fetch = async () => ({
    status, ok: status < 400, arrayBuffer: async () => buffer,
  });
}

test("columns come back as they were written", async () => {
  answering(200, columns([7, 4_000_000_000], [2.5, -179.5], [48.5, -12.25], [0, 3]));
  const points = await fetchPoints("/api/points");
  assert.equal(points.n, 2);
  assert.deepEqual([...points.row], [7, 4_000_000_000]);
  assert.deepEqual([...points.lon], [2.5, -179.5]);
  assert.deepEqual([...points.lat], [48.5, -12.25]);
  assert.deepEqual([...points.precision], [0, 3]);
});

test("too many to list is null, and a failure names address and status", async () => {
  answering(204);
  assert.equal(await fetchPoints("/api/points?most=1"), null);
  answering(503);
  await assert.rejects(fetchPoints("/api/points"), /\/api\/points answered 503/);
});
