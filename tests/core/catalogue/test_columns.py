"""Memory-mapped columns: their content, and that they always belong to the current items."""

from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from terraseek.catalogue import Catalogue, Filter
from terraseek.catalogue.columns import ROW_ORDER, arrow_table
from terraseek.catalogue.deletion import delete_items, restore_items
from terraseek.catalogue.items import build_frame
from terraseek.catalogue.items_file import read_items, write_items
from terraseek.errors import FilterError, ItemNotFoundError


def frame_of(count: int) -> pd.DataFrame:
    """Items with descending ids; every third has no coordinates, every fourth no number."""
    return build_frame(
        [
            {
                "item_id": f"{10**9 - i:012d}",
                "image": f"{i}.png",
                "caption": "" if i % 5 == 0 else f"caption {i}",
                "lon": None if i % 3 == 0 else float(i % 360 - 180),
                "lat": None if i % 3 == 0 else float(i % 90),
                "location_precision": "none" if i % 3 == 0 else "exact",
                "source": "ab"[i % 2],
                "label": "" if i % 4 else "port",
                "rooms": None if i % 4 == 0 else i,
                "_file": f"{i}.png",
                "_size": -1,
            }
            for i in range(count)
        ]
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cat").mkdir()
    write_items(tmp_path / "cat", frame_of(50), {"a": {"root": "here"}})
    return tmp_path / "cat"


def arrow_files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob(".*.arrow*"))


def test_columns_equal_the_table(folder: Path):
    frame = read_items(folder)
    shown = [name for name in frame.columns if not name.startswith("_")]
    catalogue = Catalogue.open(folder)
    pd.testing.assert_frame_equal(catalogue.items(), frame[shown])
    assert catalogue.columns == shown
    rows = np.array([7, 3, 40])
    pd.testing.assert_frame_equal(catalogue.items_at(rows), frame.loc[rows, shown])
    some = catalogue.items(["rooms", "lon"], Filter(labels=("port",)))
    pd.testing.assert_frame_equal(some, frame.loc[frame["label"] == "port", ["rooms", "lon"]])
    points = catalogue.points()
    assert points.row.tolist() == np.flatnonzero(frame["lon"].notna()).tolist()
    assert points.lat.tolist() == frame["lat"].dropna().tolist()
    assert set(points.precision.tolist()) == {0}
    assert (catalogue.sources, catalogue.labels) == (["a", "b"], ["port"])
    with pytest.raises(FilterError, match="no column 'colour'; there are item_id"):
        catalogue.items_at(rows, ["colour"])


def test_exactly_the_existing_ids_are_found(folder: Path):
    catalogue = Catalogue.open(folder)
    assert [catalogue.row(key.decode()) for key in catalogue.item_ids] == list(range(50))
    for other in ("", "0", "999999999", "z" * 12, "001000000000x", "00100000000é", "\udc80"):
        with pytest.raises(ItemNotFoundError, match="no item"):
            catalogue.row(other)


def test_opening_maps_the_file_without_a_copy(folder: Path):
    import pyarrow as pa

    before = pa.total_allocated_bytes()
    catalogue = Catalogue.open(folder)
    assert len(catalogue.item_ids) == 50
    assert pa.total_allocated_bytes() == before
    assert not catalogue.item_ids.flags.owndata


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text("abcxyz27", min_size=0, max_size=12), max_size=40, unique=True))
def test_ids_of_any_length_are_sorted_as_bytes(keys):
    table = arrow_table(build_frame([{"item_id": key} for key in keys]))
    order = table[ROW_ORDER].to_pylist()
    assert [keys[row] for row in order] == sorted(keys)


def test_no_items_at_all(tmp_path: Path):
    (tmp_path / "cat").mkdir()
    write_items(tmp_path / "cat", build_frame([]), {})
    catalogue = Catalogue.open(tmp_path / "cat")
    assert (catalogue.count, len(catalogue.item_ids), len(catalogue.points().row)) == (0, 0, 0)
    assert catalogue.items().empty
    assert catalogue.sources == []
    with pytest.raises(ItemNotFoundError):
        catalogue.row("a")


def test_each_change_writes_new_columns(folder: Path):
    first = arrow_files(folder)
    opened = Catalogue.open(folder)
    key = opened.item_ids[4].decode()
    delete_items(folder, [key])
    second = arrow_files(folder)
    assert len(second) == 1
    assert second != first
    assert opened.row(key) == 4  # as it was when opened
    changed = Catalogue.open(folder)
    assert (changed.count, changed.row_count) == (49, 50)
    with pytest.raises(ItemNotFoundError):
        changed.row(key)
    assert key not in set(changed.items()["item_id"])
    restore_items(folder)
    assert len(arrow_files(folder)) == 1
    assert Catalogue.open(folder).items().equals(opened.items())


@pytest.mark.parametrize("damage", ["gone", "cut", "junk", "empty", "of fewer rows"])
def test_unusable_columns_are_written_again(folder: Path, damage: str, tmp_path: Path):
    whole = Catalogue.open(folder).items()
    (path,) = folder.glob(".items.*.arrow")
    good = path.read_bytes()
    if damage == "of fewer rows":
        (tmp_path / "other").mkdir()
        write_items(tmp_path / "other", frame_of(20), {})
        (other,) = (tmp_path / "other").glob(".items.*.arrow")
        path.unlink()
        path.write_bytes(other.read_bytes())
    else:
        bad = {"cut": good[: len(good) // 2], "junk": b"junk" * 1000, "empty": b"", "gone": b""}
        path.unlink()
        if damage != "gone":
            path.write_bytes(bad[damage])
    pd.testing.assert_frame_equal(Catalogue.open(folder).items(), whole)
    written = path.stat()
    assert written.st_size > len(good) // 2
    pd.testing.assert_frame_equal(Catalogue.open(folder).items(), whole)
    assert path.stat().st_mtime_ns == written.st_mtime_ns  # and then used unchanged


def test_in_a_read_only_folder_columns_stay_in_memory(folder: Path, monkeypatch):
    from terraseek.catalogue import items_file

    def refuse(*_: object) -> None:
        raise PermissionError("read-only")

    whole = Catalogue.open(folder).items()
    for path in folder.glob(".items.*.arrow"):
        path.unlink()
    monkeypatch.setattr(items_file, "write_columns", refuse)
    pd.testing.assert_frame_equal(Catalogue.open(folder).items(), whole)
    assert arrow_files(folder) == []


def test_temporary_files_of_a_killed_writer_are_removed(folder: Path):
    left = [".items.new.arrow", "..items.new.arrow.ab12.arrow", ".items.0123456789abcdef.arrow"]
    for name in left:
        (folder / name).write_bytes(b"half")
    frame = read_items(folder)
    frame.loc[0, "caption"] = "another"
    write_items(folder, frame, {})
    assert not set(left) & set(arrow_files(folder))
    assert len(arrow_files(folder)) == 1
    assert Catalogue.open(folder).items()["caption"][0] == "another"
