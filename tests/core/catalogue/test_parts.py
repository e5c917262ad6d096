"""Large catalogues are changed by parts; readers find what writing the whole table would give."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from terraseek.catalogue import Catalogue, Filter, import_source
from terraseek.catalogue.deletion import delete_items, restore_items
from terraseek.catalogue.items_file import read_items, read_sources, verify_items
from terraseek.catalogue.parts import append
from terraseek.catalogue.parts.manifest import PARTS_FILE, Parts
from terraseek.embeddings.compact import compact_catalogue
from terraseek.errors import CatalogueError, ItemNotFoundError

ALL = slice(None)


@pytest.fixture(autouse=True)
def _every_catalogue_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(append, "_MIN_ROWS", 1)


def table(base: Path, name: str, rows: int, **columns: object) -> Path:
    """A metadata table; its rows are items without images."""
    frame = pd.DataFrame(
        {
            "img_name": [f"{name}{i}.jpg" for i in range(rows)],
            "caption": [f"{name} field {i}" for i in range(rows)],
            "lon": np.linspace(-170, 170, rows),
            "lat": np.linspace(-60, 60, rows),
            "cloud": np.arange(rows),
            "country": ["Peru" if i % 2 else "Fiji" for i in range(rows)],
            **columns,
        }
    )
    path = base / f"{name}.csv"
    frame.to_csv(path, index=False)
    return path


def add(base: Path, folder: Path, name: str, rows: int = 5, **columns: object) -> None:
    import_source(table(base, name, rows, **columns), folder, kind="metadata", name=name)


def whole(base: Path, folder: Path, names: list[str]) -> Path:
    """The same imports, each of which writes the whole table."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(append, "_MIN_ROWS", 10**9)
        for name in names:
            import_source(base / f"{name}.csv", folder, kind="metadata", name=name)
    return folder


def listed(folder: Path) -> dict:
    return json.loads((folder / PARTS_FILE).read_text())


def assert_same(folder: Path, expected: Path) -> None:
    a, b = Catalogue.open(folder), Catalogue.open(expected)
    pd.testing.assert_frame_equal(a.items(), b.items())
    pd.testing.assert_frame_equal(read_items(folder), read_items(expected))
    assert a.columns == b.columns
    assert (a.count, a.row_count) == (b.count, b.row_count)
    assert a.rows_by_id.tolist() == b.rows_by_id.tolist()
    assert a.item_ids.tolist() == b.item_ids.tolist()
    counts = [{n: one["items"] for n, one in read_sources(f).items()} for f in (folder, expected)]
    assert counts[0] == counts[1]
    for key in b.items()["item_id"]:
        assert a.item(key) == b.item(key)
        assert a.row(key) == b.row(key)


def test_imports_append_parts_and_leave_the_file_alone(tmp_path: Path):
    cat = tmp_path / "cat"
    add(tmp_path, cat, "a", 30)
    file = (cat / "items.parquet").read_bytes()
    for name in ("b", "c"):
        add(tmp_path, cat, name)
    assert (cat / "items.parquet").read_bytes() == file
    assert [part["rows"] for part in listed(cat)["parts"]] == [5, 5]
    assert_same(cat, whole(tmp_path, tmp_path / "whole", ["a", "b", "c"]))
    catalogue = Catalogue.open(cat)
    for where in (
        Filter(sources=("b", "c")), Filter(sql="cloud > 2 AND country = 'Fiji'"),
        Filter(caption="c field"),
    ):  # fmt: skip
        expected = Catalogue.open(tmp_path / "whole").mask(where)
        assert catalogue.mask(where).tolist() == expected.tolist()
    assert catalogue.sources == ["a", "b", "c"]
    assert catalogue.facets(["country"])["country"]
    with pytest.raises(ItemNotFoundError):
        catalogue.row("zzzzzzzzzzzz")
    geo = json.loads(pq.read_schema(cat / listed(cat)["parts"][0]["file"]).metadata[b"geo"])
    assert geo["version"] == "1.1.0"  # every part is GeoParquet by itself


def test_importing_a_source_again_adds_only_what_is_new(tmp_path: Path):
    cat = tmp_path / "cat"
    add(tmp_path, cat, "a", 10)
    add(tmp_path, cat, "b", 5)
    report = import_source(table(tmp_path, "b", 8), cat, kind="metadata", name="b")
    assert report.added == 3
    assert Catalogue.open(cat).count == 18
    assert read_sources(cat)["b"]["items"] == 8


def test_deletion_writes_marks_only(tmp_path: Path):
    cat = tmp_path / "cat"
    add(tmp_path, cat, "a", 10)
    add(tmp_path, cat, "b", 5)
    files = {p.name: p.read_bytes() for p in cat.glob("*.parquet")}
    expected = whole(tmp_path, tmp_path / "whole", ["a", "b"])
    keys = Catalogue.open(cat).items()["item_id"].tolist()
    gone = [keys[2], keys[12]]
    assert delete_items(cat, gone) == 2
    assert delete_items(cat, gone) == 0
    assert {p.name: p.read_bytes() for p in cat.glob("*.parquet")} == files
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(append, "_MIN_ROWS", 10**9)
        delete_items(expected, gone)
    assert_same(cat, expected)
    with pytest.raises(ItemNotFoundError):
        Catalogue.open(cat).row(keys[2])
    add(tmp_path, cat, "c", 3)  # new rows are not deleted
    assert Catalogue.open(cat).count == 16
    assert len(list(cat.glob("items-deleted-*.npy"))) == 1
    assert restore_items(cat, [keys[2]]) == 1
    assert Catalogue.open(cat).row(keys[2]) == 2
    assert restore_items(cat) == 1
    assert Catalogue.open(cat).count == 18


def test_many_parts_are_merged_into_one(tmp_path: Path):
    cat, names = tmp_path / "cat", [f"s{n}" for n in range(11)]
    add(tmp_path, cat, "base", 60)
    for name in names:
        add(tmp_path, cat, name, 2)
    assert [part["rows"] for part in listed(cat)["parts"]] == [18, 2, 2]
    assert len(list(cat.glob("items-*.parquet"))) == 3
    assert len(list(cat.glob(".items.*.arrow"))) == 4
    assert_same(cat, whole(tmp_path, tmp_path / "whole", ["base", *names]))


def test_a_compaction_writes_one_table_again(tmp_path: Path):
    cat = tmp_path / "cat"
    add(tmp_path, cat, "a", 10)
    add(tmp_path, cat, "b", 5)
    delete_items(cat, where=Filter(sql="cloud = 0"))
    before = Catalogue.open(cat).items().reset_index(drop=True)
    assert compact_catalogue(cat).dropped == 2
    assert not list(cat.glob("items-*"))
    pd.testing.assert_frame_equal(Catalogue.open(cat).items(), before)


@pytest.mark.parametrize("columns", [{"biome": "tundra"}, {"cloud": ["x"] * 5}])
def test_rows_with_other_columns_or_types_write_the_table_again(tmp_path: Path, columns: dict):
    cat = tmp_path / "cat"
    add(tmp_path, cat, "a", 10)
    add(tmp_path, cat, "b", 5)
    add(tmp_path, cat, "c", 5, **columns)
    assert not (cat / PARTS_FILE).exists()
    assert_same(cat, whole(tmp_path, tmp_path / "whole", ["a", "b", "c"]))


def test_a_change_of_existing_items_writes_the_table_again(tmp_path: Path):
    cat = tmp_path / "cat"
    add(tmp_path, cat, "a", 10)
    add(tmp_path, cat, "b", 5)
    path = tmp_path / "more.csv"
    path.write_text("img_name,label\na3.jpg,lake\nnew.jpg,farm\n")
    import_source(path, cat, kind="metadata", name="more")
    assert not (cat / PARTS_FILE).exists()
    assert sorted(Catalogue.open(cat).labels) == ["farm", "lake"]
    assert Catalogue.open(cat).count == 16


def test_a_killed_import_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    cat = tmp_path / "cat"
    add(tmp_path, cat, "a", 10)
    add(tmp_path, cat, "b", 5)
    before = Catalogue.open(cat).items()

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Parts, "write", die)
        with pytest.raises(KeyboardInterrupt):
            add(tmp_path, cat, "c")
        with pytest.raises(KeyboardInterrupt):
            delete_items(cat, [before["item_id"][0]])
    pd.testing.assert_frame_equal(Catalogue.open(cat).items(), before)
    assert len(list(cat.glob("items-*.parquet"))) == 2
    add(tmp_path, cat, "c")
    assert len(list(cat.glob("items-*.parquet"))) == 2  # that of the killed import is gone
    assert not list(cat.glob("items-deleted-*"))
    assert Catalogue.open(cat).count == 20


def test_a_list_of_another_table_is_void(tmp_path: Path):
    """A process that is killed after the rename of the whole table leaves the old list."""
    cat = tmp_path / "cat"
    add(tmp_path, cat, "a", 10)
    add(tmp_path, cat, "b", 5)
    kept = (cat / PARTS_FILE).read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(append, "_MIN_ROWS", 10**9)
        add(tmp_path, cat, "c")
    (cat / PARTS_FILE).write_bytes(kept)
    assert Catalogue.open(cat).count == 20
    assert len(read_items(cat)) == 20
    add(tmp_path, cat, "d")
    assert Catalogue.open(cat).count == 25


def test_missing_columns_files_are_made_again(tmp_path: Path):
    cat = tmp_path / "cat"
    add(tmp_path, cat, "a", 10)
    add(tmp_path, cat, "b", 5)
    before = Catalogue.open(cat).items()
    for path in cat.glob(".items.*.arrow"):
        path.unlink()
    pd.testing.assert_frame_equal(Catalogue.open(cat).items(), before)
    assert len(list(cat.glob(".items.*.arrow"))) == 2


def test_damage_is_found(tmp_path: Path):
    cat = tmp_path / "cat"
    add(tmp_path, cat, "a", 10)
    add(tmp_path, cat, "b", 5)
    verify_items(cat)
    part = next(cat.glob("items-*.parquet"))
    content = part.read_bytes()
    part.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    with pytest.raises(CatalogueError, match=part.name):
        verify_items(cat)
    part.unlink()
    with pytest.raises(CatalogueError, match="damaged"):
        Catalogue.open(cat)
    (cat / PARTS_FILE).write_text("{")
    with pytest.raises(CatalogueError, match=PARTS_FILE):
        Catalogue.open(cat)
