"""Rows of metadata tables by image name, whatever the order in which they are wanted."""

import gc

import numpy as np
import pandas as pd
import pytest

from terraseek.catalogue.importing.geometa import Geometa
from terraseek.catalogue.importing.tables import CHUNK_ROWS

COUNT = 2000


@pytest.mark.parametrize("order", ["rising", "falling", "random", "alternating", "repeated"])
def test_every_row_is_found_in_any_order(order):
    names = [f"image_{n}.jpg" for n in range(COUNT)]
    frame = pd.DataFrame({"img_name": names, "label": [f"class {n}" for n in range(COUNT)]})
    frame["lon"] = np.linspace(-10, 10, COUNT)
    frame["lat"] = np.where(np.arange(COUNT) % 3 == 0, "", "45.5")
    rows = {
        "rising": np.arange(COUNT),
        "falling": np.arange(COUNT)[::-1],
        "random": np.random.default_rng(0).permutation(COUNT),
        "alternating": np.arange(COUNT).reshape(2, -1).T.ravel(),
        "repeated": np.repeat(np.arange(0, COUNT, 7), 3),
    }[order]
    table = Geometa.from_frame(frame, "made")
    for row in rows.tolist():
        found = table.find(names[row])
        assert found is not None
        assert found["label"] == f"class {row}"
        assert found["lon"] == pytest.approx(frame["lon"][row])
        assert found.get("lat") == (None if row % 3 == 0 else "45.5")
        found["label"] = "changed by the caller"
    assert table.unused == COUNT - len(set(rows.tolist()))
    assert table.find("image_9999.jpg") is None


def test_rows_of_a_large_table_are_not_in_memory(tmp_path, monkeypatch):
    import pyarrow as pa

    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    count = 3 * CHUNK_ROWS
    with (tmp_path / "table.csv").open("w") as file:
        file.write("img_name,label\n")
        file.writelines(f"image_{n}.jpg,class {n} {'x' * 200}\n" for n in range(count))
    before = pa.total_allocated_bytes()
    table = Geometa.read(tmp_path / "table.csv")
    # the columns have 13 million bytes, of which one piece of three stays
    assert pa.total_allocated_bytes() - before < 7_000_000
    for row in (0, CHUNK_ROWS, count - 1):
        found = table.find(f"image_{row}.jpg")
        assert found is not None
        assert found["label"] == f"class {row} {'x' * 200}"
    assert len(table) == count
    assert len(list((tmp_path / "temporary").rglob("*.arrow"))) == 2
    del table, found
    gc.collect()
    assert not list((tmp_path / "temporary").iterdir())
