"""A column is replaced, or rows are left out, with the result of rewriting a frame in memory."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

from terraseek.catalogue import Catalogue, import_source
from terraseek.catalogue.deletion import delete_items
from terraseek.catalogue.importing.writing import rewrite
from terraseek.catalogue.importing.writing.rewrite import keep_rows, replace_column, text_of_rows
from terraseek.catalogue.items import DELETED
from terraseek.catalogue.items_file import read_items, read_sources, verify_items
from terraseek.catalogue.outliers import OUTLIER, mark_outliers
from terraseek.catalogue.parts import append
from terraseek.catalogue.parts.manifest import PARTS_FILE


@pytest.fixture(params=["one file", "parts"])
def folder(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A catalogue of 40 items, of which 3 are deleted; in parts or not."""
    monkeypatch.setattr(append, "_MIN_ROWS", 1 if request.param == "parts" else 10**9)
    monkeypatch.setattr(rewrite, "_BLOCK", 7)
    for name, first in (("a", 0), ("b", 20)):
        numbers = np.arange(first, first + 20)
        frame = pd.DataFrame(
            {
                "img_name": [f"{n}.jpg" for n in numbers],
                "caption": [f"field {n}, \u00e9t\u00e9" if n % 3 else "" for n in numbers],
                "lon": np.where(numbers % 4, numbers / 7, np.nan),
                "lat": np.where(numbers % 4, 1.5, np.nan),
                "cloud": numbers,
            }
        )
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
        import_source(tmp_path / f"{name}.csv", tmp_path / "cat", kind="metadata", name=name)
    ids = Catalogue.open(tmp_path / "cat").item_ids
    delete_items(tmp_path / "cat", [ids[row].decode() for row in (0, 19, 33)])
    assert (tmp_path / "cat" / PARTS_FILE).exists() == (request.param == "parts")
    yield tmp_path / "cat"
    assert not list((tmp_path / "cat").glob(".import.*"))
    verify_items(tmp_path / "cat")


def check(folder: Path, expected: pd.DataFrame) -> None:
    """Both copies of the items have these values and types."""
    assert_frame_equal(read_items(folder), expected)
    table = pq.read_table(folder / "items.parquet")
    assert len(table) == len(expected)
    assert_frame_equal(
        Catalogue.open(folder).items_at(np.arange(len(expected)), ["item_id", "caption", "lon"]),
        expected[["item_id", "caption", "lon"]],
    )


def test_a_column_is_added_and_replaced_at_its_place(folder: Path):
    before, sources = read_items(folder), read_sources(folder)
    ids = before["item_id"].to_numpy().astype("S12")
    for rows, values in (([3, 21, 39], [2, 4, 4]), ([5], [1])):
        marks = text_of_rows(ids, np.array(rows), np.array(values))
        replace_column(folder, "duplicate_of", marks)
        column = np.full(len(before), "", object)
        column[rows] = before["item_id"].to_numpy()[values]
        expected = before.copy()
        place = list(before.columns).index("_file")
        expected.insert(place, "duplicate_of", pd.Series(column).astype("str"))
        check(folder, expected)
        assert read_sources(folder) == sources
    replace_column(folder, "duplicate_of", None)
    check(folder, before)


def test_rows_are_left_out_with_their_deletion_marks(folder: Path):
    before = read_items(folder)
    keep_rows(folder, Catalogue.open(folder).active)
    kept = before[before[DELETED] == 0].drop(columns=DELETED).reset_index(drop=True)
    assert len(kept) == 37
    check(folder, kept)
    assert not (folder / PARTS_FILE).exists()


def test_marks_of_outliers_add_up_until_they_are_cleared(folder: Path):
    before = read_items(folder)
    assert mark_outliers(folder, ["1.jpg", "25", "nosuch.jpg"]) == (2, 1)
    assert mark_outliers(folder, ["30.jpg"]) == (3, 0)
    found = read_items(folder)
    assert found["img_name"][found[OUTLIER] == 1].tolist() == ["1.jpg", "25.jpg", "30.jpg"]
    assert found[OUTLIER].dtype == "Int64"
    assert found[OUTLIER].isna().sum() == 37
    assert mark_outliers(folder, ["2.jpg"], clear=True) == (1, 0)
    assert mark_outliers(folder, [], clear=True) == (0, 0)
    check(folder, before)


def test_a_column_that_stays_is_not_copied(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """Memory is bounded, because the columns of one file are mapped and not read."""
    keep_rows(folder, np.ones(40, bool))  # one file
    copied: list[pa.ChunkedArray] = []
    monkeypatch.setattr(rewrite, "_copied", lambda *cells: copied.append(cells[0]))
    replace_column(folder, "mark", pa.chunked_array([pa.array(np.arange(40))]))
    assert copied == []
    assert read_items(folder)["mark"].tolist() == list(range(40))
