"""Deleted items are not found, can be restored, and are removed with their vectors by `compact`."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from terraseek.catalogue import Catalogue, Filter, catalogue_stats, import_source
from terraseek.catalogue.deletion import delete_items, restore_items
from terraseek.embeddings.compact import compact_catalogue
from terraseek.embeddings.embed import embed_catalogue
from terraseek.embeddings.store import EmbeddingStore
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import CatalogueError, CatalogueNotFoundError, FilterError, ItemNotFoundError
from terraseek.search import Query, Searcher


def source(folder: Path, seeds: range) -> Path:
    """Write images and a table with coordinates and the label even or odd."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["filename,caption,label,lat,lon"]
    for seed in seeds:
        pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{seed:03d}.png")
        lines.append(f"{seed:03d}.png,thing {seed},{'odd' if seed % 2 else 'even'},{seed},{seed}")
    (folder / "items.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    import_source(source(tmp_path / "pics", range(1, 13)), tmp_path / "cat")
    embed_catalogue(Catalogue.open(tmp_path / "cat"), FakeEncoder())
    return tmp_path / "cat"


def ids(path: Path) -> list[str]:
    return Catalogue.open(path).items()["item_id"].tolist()


def vectors_by_id(path: Path) -> dict[str, bytes]:
    store = EmbeddingStore.open(Catalogue.open(path))
    return {
        key.decode(): vector.tobytes()
        for key, vector in zip(store.item_ids, store.vectors, strict=True)
    }


def test_deleted_items_are_not_found(catalogue: Path, tmp_path: Path):
    before = ids(catalogue)
    assert delete_items(catalogue, before[:2], Filter(labels=("even",))) == 7
    assert delete_items(catalogue, before[:2]) == 0
    opened = Catalogue.open(catalogue)
    left = before[2::2]
    assert opened.items()["item_id"].tolist() == left
    assert (opened.count, len(opened), opened.row_count) == (5, 5, 12)
    assert opened.labels == ["odd"]
    assert opened.points().row.tolist() == [2, 4, 6, 8, 10]
    assert opened.items(where=Filter(caption="thing")).index.tolist() == [2, 4, 6, 8, 10]
    assert len(opened.items(deleted=True)) == 12
    assert catalogue_stats(opened)["items"] == 5
    with pytest.raises(ItemNotFoundError):
        opened.row(before[0])
    with pytest.raises(FilterError, match="no item has the label 'even'"):
        opened.mask(Filter(labels=("even",)))
    searcher = Searcher(opened, FakeEncoder())
    for where in (None, Filter(caption="thing")):
        result = searcher.search(Query(text="thing"), 50, where)
        assert sorted(hit.item_id for hit in result.hits) == sorted(left)
        assert result.matched == 5
    again = import_source(tmp_path / "pics", catalogue)
    assert (again.added, again.skipped) == (0, 12)
    assert ids(catalogue) == left


def test_deleted_items_can_be_restored(catalogue: Path):
    items = Catalogue.open(catalogue).items()
    file = (catalogue / "items.parquet").read_bytes()
    delete_items(catalogue, items["item_id"][:3])
    assert restore_items(catalogue, items["item_id"][:1]) == 1
    assert ids(catalogue) == [items["item_id"][0], *items["item_id"][3:]]
    assert restore_items(catalogue) == 2
    assert Catalogue.open(catalogue).items().equals(items)
    assert (catalogue / "items.parquet").read_bytes() == file


def test_compaction_removes_rows_and_vectors(catalogue: Path, tmp_path: Path):
    before, vectors = ids(catalogue), vectors_by_id(catalogue)
    delete_items(catalogue, before[::3])
    done = compact_catalogue(catalogue)
    assert (done.dropped, done.stores, done.unusable) == (4, ("fake",), ())
    left = [key for row, key in enumerate(before) if row % 3]
    assert ids(catalogue) == left
    assert Catalogue.open(catalogue).row_count == 8
    assert vectors_by_id(catalogue) == {key: vectors[key] for key in left}
    assert not (catalogue / ".compact").exists()
    assert compact_catalogue(catalogue).dropped == 0
    # removed items may be imported again, and only they are encoded
    assert import_source(tmp_path / "pics", catalogue).added == 4
    embed_catalogue(Catalogue.open(catalogue), FakeEncoder())
    assert vectors_by_id(catalogue) == vectors


def test_compaction_of_a_store_with_fewer_rows(catalogue: Path, tmp_path: Path):
    import_source(source(tmp_path / "more", range(20, 24)), catalogue)
    everything = ids(catalogue)
    delete_items(catalogue, [everything[0], everything[-1]])
    assert compact_catalogue(catalogue).stores == ("fake",)
    assert EmbeddingStore.open(Catalogue.open(catalogue)).count == 11
    assert ids(catalogue) == everything[1:-1]


@pytest.mark.parametrize("moment", ["prepared", "items changed", "half exchanged"])
def test_the_next_run_finishes_a_killed_compaction(catalogue: Path, monkeypatch, moment):
    from terraseek.embeddings import compact

    class Killed(BaseException):
        pass

    def die(*args: object) -> None:
        raise Killed

    before, vectors = ids(catalogue), vectors_by_id(catalogue)
    delete_items(catalogue, before[:5])
    finish, exchange = compact._finish, compact._exchange
    if moment == "prepared":
        monkeypatch.setattr(compact, "keep_rows", die)
    elif moment == "items changed":
        monkeypatch.setattr(compact, "_exchange", die)
    else:

        def half(prepared: Path, target: Path) -> None:
            target.rename(prepared.with_name(f".{prepared.name}.old"))
            raise Killed

        monkeypatch.setattr(compact, "_exchange", half)
    with pytest.raises(Killed):
        compact_catalogue(catalogue)
    monkeypatch.undo()
    assert (compact._finish, compact._exchange) == (finish, exchange)
    assert ids(catalogue) == before[5:]
    compact_catalogue(catalogue)
    assert Catalogue.open(catalogue).row_count == 7
    assert vectors_by_id(catalogue) == {key: vectors[key] for key in before[5:]}


def test_invalid_input_is_refused_and_changes_nothing(catalogue: Path, tmp_path: Path):
    before = ids(catalogue)
    with pytest.raises(ItemNotFoundError, match="nothing changed"):
        delete_items(catalogue, [before[0], "nosuchitem"])
    with pytest.raises(FilterError, match="no item has the source"):
        delete_items(catalogue, where=Filter(sources=("nowhere",)))
    for change in (delete_items, restore_items, compact_catalogue):
        with pytest.raises(CatalogueNotFoundError):
            change(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
    assert ids(catalogue) == before


def test_one_process_at_a_time(catalogue: Path):
    from terraseek.catalogue.locking import exclusive

    with exclusive(catalogue), pytest.raises(CatalogueError, match="another process"):
        compact_catalogue(catalogue)
    with (
        exclusive(catalogue / "embeddings" / "fake"),
        pytest.raises(CatalogueError, match="another process"),
    ):
        compact_catalogue(catalogue)


def test_temporary_files_of_a_killed_process_are_removed(catalogue: Path):
    left = catalogue / ".items.parquet.abcd1234.parquet"
    left.write_bytes(b"half a table")
    delete_items(catalogue, ids(catalogue)[:1])
    assert not left.exists()
