"""Rows written to disk make the same table as rows in memory."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from terraseek.catalogue.columns import arrow_table
from terraseek.catalogue.importing.writing.item_spool import ItemSpool
from terraseek.catalogue.items import build_frame

ROWS = [
    {"item_id": "a" * 12, "lon": 1.5, "lat": None, "month": 7, "img_name": "489390", "rooms": "3"},
    {"item_id": "b" * 12, "lon": None, "gsd_m": "0.5", "small": 1e-7, "code": "0012", "ok": True},
    {"item_id": "c" * 12, "caption": "é", "rooms": None, "mixed": 7.0, "parts": [1, "x"]},
    {"item_id": "d" * 12, "rooms": 4, "small": float("nan"), "mixed": "x1", "late": 2.5},
    {"item_id": "e" * 12, "rooms": "", "month": "not a month", "gsd_m": float("inf"), "parts": []},
]  # fmt: skip


def spool(folder: Path, rows: list[dict], existing: tuple[str, ...] = ()) -> ItemSpool:
    made = ItemSpool(folder, existing)
    for start in range(0, len(rows), 2):
        made.add(rows[start : start + 2])
    return made


def test_the_table_is_the_one_of_rows_in_memory(tmp_path: Path):
    table = spool(tmp_path / "new", ROWS).table()
    expected = build_frame(ROWS)
    expected.loc[4, "gsd_m"] = np.nan  # infinity is no number here
    pd.testing.assert_frame_equal(table.to_pandas(), expected)
    assert all(column.num_chunks == 1 for column in table.columns)


def test_an_empty_spool_is_an_empty_catalogue(tmp_path: Path):
    table = ItemSpool(tmp_path / "new").table()
    assert table.num_rows == 0
    assert table.column_names == build_frame([]).columns.tolist()


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([1.0, 2], ["x1"], ["1", "2", "x1"]),
        ([1, 2], [2.5], [1.0, 2.0, 2.5]),
        ([0.1, 1e-9], [3], [0.1, 1e-9, 3.0]),
        (["x1"], [5], ["x1", "5"]),
        ([1], [None], [1, -1]),
        ([None], [7], [-1, 7]),
        (["", ""], ["0012"], ["", "", "0012"]),
    ],
)
def test_columns_that_differ_between_sources(tmp_path: Path, before, after, expected):
    old = build_frame([{"item_id": f"{n:012d}", "code": v} for n, v in enumerate(before)])
    new = spool(tmp_path / "new", [{"item_id": "z" * 12, "code": v} for v in after])
    whole = new.prepend(arrow_table(old), tmp_path / "whole").table().to_pandas()
    assert whole["code"].fillna(-1).tolist() == expected
    assert whole["item_id"].tolist() == [*old["item_id"], "z" * 12]


def test_names_that_differ_by_case_are_numbered(tmp_path: Path):
    rows = [{"item_id": "a" * 12, "Source": "x", "Mood": 1}, {"item_id": "b" * 12, "mood": 2}]
    made = spool(tmp_path / "new", rows, ("Colour",))
    made.add([{"item_id": "c" * 12, "colour": "red"}])
    assert made.renamed == {"Source": "Source_2", "mood": "mood_2", "colour": "colour_2"}
    table = made.table().to_pandas()
    assert table["Source_2"].tolist() == ["x", "", ""]
    assert table["mood_2"].fillna(-1).tolist() == [-1, 2, -1]
    again = spool(tmp_path / "again", [{"item_id": "d" * 12, "mood": 3}], ("Mood", "mood_2"))
    assert again.renamed == {"mood": "mood_2"}


def test_cells_of_some_rows_are_replaced(tmp_path: Path):
    made = spool(tmp_path / "new", ROWS)
    changes = spool(
        tmp_path / "changes",
        [
            {"row": 3, "lon": 9.0, "caption": "new", "fresh": 1},
            {"row": 0, "caption": "", "width": 8, "lat": None},
            {"row": 2, "caption": "ü", "code": "77"},
            {"row": 3, "caption": "newer"},
        ],
    )
    made.patch(changes, "row")
    table = made.table().to_pandas()
    assert table["lon"].tolist()[3] == 9.0
    assert table["lon"].tolist()[0] == 1.5
    assert table["caption"].tolist() == ["", "", "ü", "newer", ""]
    assert table["width"].tolist()[0] == 8
    assert table["code"].tolist() == ["", "0012", "77", "", ""]
    assert table["fresh"].tolist()[3] == 1
    assert table["item_id"].tolist() == [row["item_id"] for row in ROWS]


def test_text_is_mapped_and_not_copied_into_memory(tmp_path: Path):
    import pyarrow as pa

    made = ItemSpool(tmp_path / "new")
    for start in range(0, 20_000, 2000):
        ids = [f"{row:012d}" for row in range(start, start + 2000)]
        made.add([{"item_id": one, "caption": f"{one} {'x' * 1000}"} for one in ids])
    before = pa.total_allocated_bytes()
    table = made.table()
    assert pa.total_allocated_bytes() - before < 4_000_000  # the captions alone have 20 million
    assert table["caption"][19_999].as_py().startswith("000000019999 xxx")
