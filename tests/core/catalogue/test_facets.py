"""Counts by column, and conditions on any column."""

import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from terraseek.catalogue import Catalogue, Filter, import_source
from terraseek.catalogue.filters.apply import ItemsTable
from terraseek.catalogue.filters.column_condition import ColumnCondition
from terraseek.catalogue.filters.facets import facet_counts, facet_names, without_column
from terraseek.errors import FilterError

TABLE = pa.table(
    {
        "item_id": [f"{n:012d}" for n in range(8)],
        "label": ["pier", "pier", "pier", "dam", "dam", "", "field", "field"],
        "captured_at": ["2017-08-30", "2017-08", "2017-10-01", "", "2017-08-02", "", "", "2017"],
        "gsd_m": [0.5, 0.5, 1.0, 30.0, np.nan, 10.0, 100.0, 0.5],
        "cloud": pa.array([0, 10, 20, 30, None, 0, 0, 5], pa.int64()),
    }
)


def counts(name: str, passed: np.ndarray | None = None) -> dict[str, int]:
    return {one.text: one.count for one in facet_counts(TABLE, [name], passed)[name].bins}


def test_values_are_counted_most_frequent_first() -> None:
    facet = facet_counts(TABLE, ["label"])["label"]
    assert [(one.text, one.count) for one in facet.bins] == [("pier", 3), ("dam", 2), ("field", 2)]
    assert (facet.kind, facet.n_unknown, facet.n_values) == ("values", 1, 3)
    passed = np.array([True, False, False, True, True, True, False, False])
    assert counts("label", passed) == {"dam": 2, "pier": 1}


def test_dates_are_counted_by_month_with_the_empty_ones_between() -> None:
    facet = facet_counts(TABLE, ["captured_at"])["captured_at"]
    found = {one.text: one.count for one in facet.bins}
    assert found["2017-08"] == 3
    assert found["2017-09"] == 0
    assert found["2017-10"] == 1
    assert facet.n_unknown == 3
    months = counts("month")
    assert list(months) == [str(month) for month in range(1, 13)]
    assert {month: n for month, n in months.items() if n} == {"8": 3, "10": 1}


def test_numbers_are_counted_in_intervals_of_all_rows() -> None:
    facet = facet_counts(TABLE, ["gsd_m"])["gsd_m"]
    assert sum(one.count for one in facet.bins) == 7
    assert facet.n_unknown == 1
    assert facet.bins[0].low == 0.5
    assert facet.bins[-1].high == 100.0
    assert facet.bins[0].count == 3
    some = facet_counts(TABLE, ["gsd_m"], np.arange(8) == 3)["gsd_m"]
    assert [one.text for one in some.bins] == [one.text for one in facet.bins]
    (only,) = [one for one in some.bins if one.count]
    assert only.low is not None
    assert only.high is not None
    assert only.low <= 30 <= only.high


def test_columns_worth_counting() -> None:
    names = facet_names(TABLE, TABLE.column_names)
    assert names[0] == "label"
    assert "item_id" not in names
    assert {"captured_at", "month", "gsd_m", "cloud"} <= set(names)
    assert "year" not in names


@pytest.mark.parametrize(
    ("texts", "rows"),
    [
        (["label=pier"], [0, 1, 2]),
        (["label=pier", "label=dam"], [0, 1, 2, 3, 4]),
        (["label="], [5]),
        (["cloud=10..30"], [1, 2, 3]),
        (["cloud=..5"], [0, 5, 6, 7]),
        (["gsd_m=20.."], [3, 6]),
        (["cloud=0", "label=field"], [6]),
        (["month=8"], [0, 1, 4]),
        (["gsd_m="], [4]),
    ],
)
def test_conditions_on_columns(texts: list[str], rows: list[int]) -> None:
    conditions = tuple(map(ColumnCondition.parse, texts))
    assert [one.to_text() for one in conditions] == texts
    assert ItemsTable(TABLE).rows(Filter(columns=conditions)).tolist() == rows


def test_conditions_that_cannot_be_used() -> None:
    for text, message in [
        ("cloud", "give COLUMN=VALUE"),
        ("=5", "give COLUMN=VALUE"),
        ("cloud=9..1", "two numbers in order"),
        ("cloud=0..inf", "two numbers in order"),
    ]:
        with pytest.raises(FilterError, match=message):
            ColumnCondition.parse(text)
    unknown = Filter(columns=(ColumnCondition('a" OR 1=1 --', "x"),))
    with pytest.raises(FilterError, match="no column"):
        ItemsTable(TABLE).rows(unknown)
    assert ColumnCondition.parse("note=a..b") == ColumnCondition("note", "a..b")


def test_a_column_is_counted_without_its_own_condition(tmp_path: Path) -> None:
    lines = ["filename,caption,label,lat,lon,cloud"]
    for number, (label, cloud) in enumerate([("a", 1), ("a", 9), ("b", 9), ("c", 9)]):
        Image.new("RGB", (8, 8), (40 * number, 0, 0)).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png,c,{label},1,2,{cloud}")
    (tmp_path / "items.csv").write_text("\n".join(lines))
    import_source(tmp_path / "items.csv", tmp_path / "cat", name="s")
    catalogue = Catalogue.open(tmp_path / "cat")
    assert {"label", "cloud"} <= set(catalogue.facet_names)
    where = Filter(labels=("a",), columns=(ColumnCondition("cloud", low=5),))
    found = catalogue.facets(["label", "cloud"], where)
    assert {one.text: one.count for one in found["label"].bins} == {"a": 1, "b": 1, "c": 1}
    assert sum(one.count for one in found["cloud"].bins) == 2
    assert without_column(where, "label").labels == ()
    assert without_column(where, "cloud").columns == ()


def test_a_million_items_are_counted_in_about_a_second() -> None:
    rng = np.random.default_rng(0)
    n = 1_000_000
    labels = pa.DictionaryArray.from_arrays(
        pa.array(rng.integers(0, 60, n).astype(np.int32)), [f"class {i}" for i in range(60)]
    ).cast(pa.string())
    days = pa.array([f"201{i % 8}-{1 + i % 12:02d}-05" for i in range(96)])
    table = pa.table(
        {
            "label": labels,
            "captured_at": days.take(pa.array(rng.integers(0, 96, n))),
            "gsd_m": rng.lognormal(0, 1.5, n),
        }
    )
    passed = rng.random(n) < 0.3
    start = time.process_time()
    found = facet_counts(table, ["label", "captured_at", "month", "gsd_m"], passed)
    assert time.process_time() - start < 10  # seconds of all threads
    for facet in found.values():
        assert sum(one.count for one in facet.bins) + facet.n_unknown == passed.sum() or (
            facet.n_values > len(facet.bins)
        )
