"""Counts by resolution, UTM zone and season, and the long tail of counts."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from terraseek.catalogue import Catalogue, catalogue_stats, import_source
from terraseek.catalogue.stats import long_tail, utm_zones


def test_everything_is_counted(tmp_path: Path):
    rows = [
        ("a", "port", "Kenya", "2019-03-01", "0.5", "36.8", "-1.3", "", ""),
        ("b", "port", "Kenya", "2019-07-01", "0.31", "", "", "29N", ""),
        ("c", "barn", "", "", "10", "", "", "31U", ""),
        ("d", "port", "Peru", "2020-03-09", "", "", "", "33S", "hemisphere"),
    ]
    header = "filename label country date gsd longitude latitude utm utm_kind"
    names = header.split()
    for row in rows:
        Image.new("RGB", (4, 4)).save(tmp_path / f"{row[0]}.png")
    table = pd.DataFrame([(f"{row[0]}.png", *row[1:]) for row in rows], columns=names)
    table.to_csv(tmp_path / "items.csv", index=False)
    import_source(tmp_path / "items.csv", tmp_path / "cat")
    stats = catalogue_stats(Catalogue.open(tmp_path / "cat"))
    assert stats["gsd"] == {"below 0.5 m": 1, "0.5 to 1 m": 1, "10 to 30 m": 1, "": 1}
    assert stats["year"] == {"2019": 2, "2020": 1, "": 1}
    assert stats["month"] == {"3": 2, "7": 1, "": 1}
    # the meaning of N in `29N` is unknown; that of S in `33S` is in the table
    assert stats["utm_zone"] == {"37M": 1, "29": 1, "31U": 1, "33 south": 1}
    assert stats["long_tail"]["label"] == {"values": 2, "half": 1, "single": 1, "median": 2.0}
    assert stats["long_tail"]["country"]["values"] == 2
    assert stats["duplicates"] == 0


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 1000), max_size=30))
def test_long_tail_half_covers_half_of_the_items(counts):
    tail = long_tail(counts)
    sizes = sorted((n for key, n in counts.items() if key), reverse=True)
    assert tail["values"] == len(sizes)
    if sizes:
        assert sum(sizes[: tail["half"]]) >= sum(sizes) / 2
        assert sum(sizes[: tail["half"] - 1]) < sum(sizes) / 2


@pytest.mark.parametrize(("lat", "zone"), [(63.0, "32V"), (85.0, ""), (-81.0, "")])
def test_coordinates_take_precedence_over_the_stated_zone(lat, zone):
    items = pd.DataFrame({"lon": [6.0], "lat": [lat], "utm": ["1C"], "utm_kind": ["band"]})
    assert utm_zones(items).tolist() == [zone]
    items["lon"] = np.nan
    assert utm_zones(items).tolist() == ["1C"]


def test_the_stated_zone_takes_precedence_over_that_of_a_town():
    known = {"lon": [6.0], "lat": [50.0], "utm": ["31U"], "utm_kind": ["band"]}
    items = pd.DataFrame(known | {"location_precision": ["place_name"]})
    assert utm_zones(items).tolist() == ["31U"]
    items["utm"] = ""
    assert utm_zones(items).tolist() == ["32U"]
