"""Rows of metadata tables by image name, whatever the order in which they are wanted."""

import numpy as np
import pandas as pd
import pytest

from terraseek.catalogue.importing.geometa import Geometa

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
