"""Filters against a straightforward implementation in Python."""

import math
from dataclasses import fields

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from terraseek.catalogue import Filter
from terraseek.catalogue.filters.apply import CONDITIONS, ItemsTable
from terraseek.catalogue.items import build_frame
from terraseek.errors import FilterError
from terraseek.geo import BBox

SOURCES = ("a", "b", "c")
LABELS = ("Forest", "lake", "")
DATES = ("", "2017", "2017-08", "2017-08-25", "2017-09-01T10:00:00Z", "2018-01-01")
CAPTIONS = ("a lake", "A FOREST (old)", "", "50% cloud")

rows = st.fixed_dictionaries(
    {
        "lon": st.one_of(st.none(), st.integers(-180, 180)),
        "lat": st.integers(-90, 90),
        "source": st.sampled_from(SOURCES),
        "label": st.sampled_from(LABELS),
        "captured_at": st.sampled_from(DATES),
        "gsd_m": st.one_of(st.none(), st.sampled_from([0.3, 1.0, 10.0])),
        "caption": st.sampled_from(CAPTIONS),
        "location_precision": st.sampled_from(["exact", "point", "none"]),
    }
)


latitudes = st.tuples(st.integers(-90, 90), st.integers(-90, 90)).map(sorted)
edges = st.tuples(st.integers(-180, 180), latitudes, st.integers(-180, 180))
# built in the test, not in the strategy, because the shape checker draws random numbers too
filter_values = st.fixed_dictionaries(
    {
        "sources": st.lists(st.sampled_from(SOURCES), max_size=2).map(tuple),
        "labels": st.lists(st.sampled_from(["forest", "LAKE"]), max_size=2).map(tuple),
        "precision": st.lists(st.sampled_from(["exact", "point"]), max_size=2).map(tuple),
        "date_from": st.sampled_from([None, "2017", "2017-08-20"]),
        "date_to": st.sampled_from([None, "2017-08-25", "2017-09", "2018"]),
        "gsd_min": st.sampled_from([None, 0.5]),
        "gsd_max": st.sampled_from([None, 1.0]),
        "caption": st.sampled_from([None, "LAKE", "(old", "%"]),
    }
)


def box_of(edge: tuple | None) -> BBox | None:
    return None if edge is None else BBox(edge[0], edge[1][0], edge[2], edge[1][1])


def first_day(text: str) -> str:
    return (text + "-01-01")[:10] if len(text) == 4 else (text + "-01")[:10]


def last_day(text: str) -> str:
    return (text + "-12-31")[:10] if len(text) == 4 else (text + "-31")[:10]


def mask(where: Filter, frame: pd.DataFrame) -> np.ndarray:
    return ItemsTable.from_frame(frame).mask(where)


def passes(row: dict, where: Filter) -> bool:
    if where.bbox is not None:
        box, lon = where.bbox, row["lon"]
        if lon is None or not box.south <= row["lat"] <= box.north:
            return False
        inside = box.west <= lon <= box.east
        if box.west > box.east:
            inside = lon >= box.west or lon <= box.east
        if not inside:
            return False
    if where.sources and row["source"] not in where.sources:
        return False
    if where.labels and row["label"].lower() not in {w.lower() for w in where.labels}:
        return False
    if where.precision and row["location_precision"] not in where.precision:
        return False
    if where.date_from or where.date_to:
        if not row["captured_at"]:
            return False
        if where.date_from and last_day(row["captured_at"]) < first_day(where.date_from):
            return False
        if where.date_to and first_day(row["captured_at"]) > last_day(where.date_to):
            return False
    gsd = math.nan if row["gsd_m"] is None else row["gsd_m"]
    if where.gsd_min is not None and not gsd >= where.gsd_min:
        return False
    if where.gsd_max is not None and not gsd <= where.gsd_max:
        return False
    return not where.caption or where.caption.lower() in row["caption"].lower()


@settings(max_examples=60, deadline=None)
@given(st.lists(rows, min_size=1, max_size=12), filter_values, st.one_of(st.none(), edges))
def test_mask_equals_the_python_implementation(items, conditions, edge):
    where = Filter(bbox=box_of(edge), **conditions)
    frame = build_frame([{"item_id": f"i{n}", **row} for n, row in enumerate(items)])
    assert mask(where, frame).tolist() == [passes(row, where) for row in items]


def test_item_ids_and_empty_filters():
    frame = build_frame([{"item_id": key} for key in "abc"])
    assert mask(Filter(item_ids=("c", "a")), frame).tolist() == [True, False, True]
    assert not mask(Filter(item_ids=()), frame).any()
    assert Filter().is_empty
    assert Filter(caption="").is_empty
    assert not Filter(item_ids=()).is_empty
    assert not Filter(gsd_min=0).is_empty
    assert np.all(mask(Filter(), frame))


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"precision": ("roughly",)}, "unknown location precision roughly; known are exact"),
        ({"date_from": "soon"}, "'soon' is not a date"),
        ({"date_from": "2018-01-01", "date_to": "2017-12-31"}, "is after date to"),
        ({"gsd_min": 2, "gsd_max": 1}, "above the largest"),
    ],
)
def test_contradictory_conditions_are_refused(conditions, message):
    with pytest.raises(FilterError, match=message):
        Filter(**conditions)


def test_every_field_is_translated_to_sql():
    assert set(CONDITIONS) == {field.name for field in fields(Filter)}


def test_date_to_of_a_year_includes_dates_in_it():
    Filter(date_from="2017-05-01", date_to="2017")
