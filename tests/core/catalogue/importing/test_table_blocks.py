"""Tables without images by column: the same rows as row by row, in one process or in several."""

import csv
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from terraseek.catalogue import Catalogue, import_source
from terraseek.catalogue.importing.blocks import make_rows
from terraseek.catalogue.importing.columns.cells import plain_columns
from terraseek.catalogue.importing.columns.table_rows import plain_table_rows, row_columns
from terraseek.catalogue.importing.geometa import Geometa
from terraseek.errors import TaskError
from terraseek.parallel.engine import Failure, TaskEngine
from terraseek.parallel.local import LocalEngine

CAPTION = (
    "a view over Lima, Peru in Winter has port in the center block, below {cloud}% cloud cover. "
    "a ground sample distance of {gsd}m in utm zone 18L, at 4 o'clock, March {day}, 2016."
)
NEW = 2500 - 3 - 4
"""Rows of the table that have a name, and one that no earlier row has."""


def write(path: Path, rows: Iterable[Iterable[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture
def tables(tmp_path: Path) -> list[Path]:
    """A table of 2,500 rows with gaps and repeats, and two metadata tables in other orders."""
    rows: list[list[object]] = [["img_name", "text", "month", "clouds"]]
    for n in range(2500):
        name = "" if n % 997 == 5 else f"fmow_port_{n if n % 501 else 7}_rgb.jpg"
        rows.append([name, f"houses {n} \u2026", "July" if n % 3 else "never", n if n > 50 else ""])
    place = [["img_name", "meta_caption", "latitude", "longitude"]] + [
        [
            f"port_{n}_rgb.jpg",
            CAPTION.format(gsd=n % 7 + 1, day=n % 28 + 1, cloud=n % 100) if n % 4 else "",
            95 if n % 11 == 0 else n % 80,
            n % 170,
        ]
        for n in reversed(range(0, 2500, 2))
    ]
    names = [["img_name", "country", "entity"]] + [
        [f"fmow_port_{n}_rgb", "Peru" if n % 2 else "", "['Cusco']"] for n in range(0, 2500, 3)
    ]
    return [
        write(tmp_path / name, made)
        for name, made in (("rows.csv", rows), ("place.csv", place), ("names.csv", names))
    ]


def test_a_table_is_imported_to_the_same_bytes_by_workers(tables, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(make_rows, "_FIRST_TASKS", 1)
    found = []
    for name, workers in (("one", 0), ("two", 2)):
        out = tmp_path / name
        engine = LocalEngine(workers) if workers else None
        report = import_source(tables[0], out, geometa=tables[1:], kind="metadata", engine=engine)
        if engine is not None:
            engine.close()
        (columns,) = out.glob(".items.*.arrow")
        values = report.to_json() | {"broken_file": ""}
        found.append((columns.name, columns.read_bytes(), values))
    assert found[0] == found[1]
    report = found[0][2]
    assert report["added"] == NEW
    assert report["duplicates"] == 4
    assert len(report["broken"]) == 3
    items = Catalogue.open(tmp_path / "two").items()
    with tables[0].open(encoding="utf-8", newline="") as file:
        names = [row[0] for row in list(csv.reader(file))[1:] if row[0]]
    assert items["img_name"].tolist() == list(dict.fromkeys(names))
    row = items.set_index("img_name").loc["fmow_port_2_rgb.jpg"]
    assert (row["caption"], row["lat"], row["month"]) == ("houses 2 \u2026", 2, 7)
    assert (row["cloud_percent"], row["gsd_m"], row["place"]) == (2, 3, "Lima")


class Recording(TaskEngine):
    """Runs tasks here, the latest first; or fails."""

    def __init__(self, fails: bool = False) -> None:
        self.fails, self.sizes = fails, []

    def run(
        self, function: Callable[[Any], Any], tasks: Iterable[Any]
    ) -> Iterator[tuple[Any, Any | Failure]]:
        for task in reversed(list(tasks)):
            self.sizes.append(len(task[1].ids))
            yield task, Failure("MemoryError: too large") if self.fails else function(task)

    def close(self) -> None:
        pass


def test_small_tables_need_no_workers(tables, tmp_path: Path):
    engine = Recording(fails=True)
    report = import_source(tables[0], tmp_path / "cat", kind="metadata", engine=engine)
    assert (report.added, engine.sizes) == (NEW, [])


def test_a_worker_that_fails_leaves_the_catalogue_as_it_was(tables, tmp_path: Path, monkeypatch):
    first = write(tmp_path / "first.csv", [["img_name"], ["fmow_zoo_1_rgb.jpg"]])
    import_source(first, tmp_path / "cat", kind="metadata")
    monkeypatch.setattr(make_rows, "_FIRST_TASKS", 1)
    with pytest.raises(TaskError, match="MemoryError: too large"):
        import_source(tables[0], tmp_path / "cat", kind="metadata", engine=Recording(fails=True))
    assert Catalogue.open(tmp_path / "cat").items()["img_name"].tolist() == ["fmow_zoo_1_rgb.jpg"]
    assert not [name for name in os.listdir(tmp_path / "cat") if name.startswith(".import.")]


def test_later_imports_make_the_rows_that_are_new(tables, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(make_rows, "_FIRST_TASKS", 0)
    lines = tables[0].read_text(encoding="utf-8").splitlines(keepends=True)
    whole, head = tables[0].read_text(encoding="utf-8"), "".join(lines[:1201])
    tables[0].write_text(head, encoding="utf-8")
    first = import_source(tables[0], tmp_path / "cat", kind="metadata")
    tables[0].write_text(whole, encoding="utf-8")
    engine = Recording()
    second = import_source(tables[0], tmp_path / "cat", kind="metadata", engine=engine)
    assert second.skipped == first.added
    assert second.added == sum(engine.sizes) == NEW - first.added
    items = Catalogue.open(tmp_path / "cat").items()
    once = import_source(tables[0], tmp_path / "once", kind="metadata")
    assert once.added == len(items)
    pd.testing.assert_frame_equal(items, Catalogue.open(tmp_path / "once").items())


def test_rows_by_column_are_those_of_each_row():
    frame = pd.DataFrame(
        {
            "img_name": pd.Series(["a.jpg", " b.jpg ", "c.jpg"], dtype="str"),
            "source": ["x", " NaN ", " kept "],
            "width": [1, 2, 3],
            "_hidden": ["1", "2", "3"],
            "Unnamed: 0": ["1", "2", "3"],
            "number": [1.5, np.nan, 2.0],
            "day": pd.to_datetime(["2016-03-01", None, "2017-01-01"]),
            "mixed": pd.Series(["text", {"a": None}, [None, 1]], dtype=object),
            "whole": pd.array([1, None, 3], dtype="Int64"),
        }
    )
    names = ["a.jpg", "b.jpg", "c.jpg"]
    for lists in (None, pd.Series([["one", "two"], [], "three"], dtype=object)):
        if lists is not None:
            frame["captions"] = lists
        rows = zip(frame.to_dict("records"), names, strict=True)
        expected = [plain_columns(row_columns(row, name)) for row, name in rows]
        found = plain_table_rows(frame, names)
        assert [list(row.items()) for row in found] == [list(row.items()) for row in expected]
        assert ("caption_2" in found[0]) == (lists is not None)


def test_rows_of_many_images_are_those_of_each_image(tables):
    names = [f"fmow_port_{n}_rgb.jpg" for n in (8, 3, 4, 1, 2499, 9999, 6, 0)] + ["", "x/"]
    one, many = (Geometa.read(*tables[1:]) for _ in range(2))
    expected = [one.find(name, name, "") for name in names]
    assert many.take(names).rows() == expected
    assert (many.unused, many.duplicates) == (one.unused, one.duplicates)
    assert expected[0]["location_precision"] == "point"
    assert expected[5] is None
