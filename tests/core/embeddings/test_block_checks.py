"""Files that are too large to be read when they are opened are checked while they are used."""

import logging
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from terraseek import checksums
from terraseek.catalogue import Catalogue, import_source
from terraseek.checksums import BlockCheck, block_checksums
from terraseek.embeddings import embed_catalogue
from terraseek.embeddings.store import EmbeddingStore
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import CatalogueError, StoreCorruptError
from terraseek.index.build import build_index
from terraseek.search import Query, Searcher

BLOCK = 512
"""Bytes of a block in these tests; a vector of the fake encoder has some hundred."""


@pytest.fixture
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    """40 chips, each of another colour, all of whose files count as large."""
    monkeypatch.setattr(checksums, "BLOCK_BYTES", BLOCK)
    monkeypatch.setattr(checksums, "MAX_CHECKED_AT_ONCE", 0)
    chips = tmp_path / "chips"
    chips.mkdir()
    for number in range(40):
        colour = (255, 0, 0) if number == 0 else (0, 6 * number, 255)
        Image.new("RGB", (16, 16), colour).save(chips / f"{number:02}.png")
    import_source(chips, tmp_path / "cat")
    embed_catalogue(Catalogue.open(tmp_path / "cat"), FakeEncoder())
    return Catalogue.open(tmp_path / "cat")


@pytest.fixture
def no_background(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave blocks to those who ask for them."""
    monkeypatch.setattr(BlockCheck, "start", lambda check: None)


def flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def first_row(catalogue: Catalogue) -> int:
    """Position of the red chip."""
    items = catalogue.items(["image"])
    return int(np.flatnonzero(items["image"].str.endswith("00.png"))[0])


def position_of(store: EmbeddingStore, row: int) -> int:
    """Position in the file of the first byte of a row."""
    size = (store.folder / "vectors.npy").stat().st_size
    width = 2 * store.manifest.dim
    return size - width * (store.count - row)


def wait_for(checks: list[BlockCheck]) -> None:
    """Wait until the background has compared all blocks or found a changed one."""
    event = threading.Event()
    while not all(check.is_complete or check.damaged is not None for check in checks):
        event.wait(0.02)


def test_the_block_of_a_hit_is_compared_before_the_hit_is_returned(
    catalogue: Catalogue, no_background: None
) -> None:
    store = EmbeddingStore.open(catalogue)
    row = first_row(catalogue)
    red = Query(text="red")
    assert Searcher(catalogue, FakeEncoder()).search(red, k=1).hits[0].item_id == str(
        catalogue.items()["item_id"][row]
    )
    flip(store.folder / "vectors.npy", position_of(store, row))  # lowest bit: still the best hit
    searcher = Searcher(catalogue, FakeEncoder())
    with pytest.raises(StoreCorruptError, match=r"vectors.npy has changed .* embed .*fake"):
        searcher.search(red, k=1)
    with pytest.raises(StoreCorruptError):  # and so does every later search
        searcher.search(Query(text="blue"), k=1)


def test_the_background_finds_a_change_in_rows_that_no_search_returned(
    catalogue: Catalogue,
) -> None:
    store = EmbeddingStore.open(catalogue)
    other = (first_row(catalogue) + 20) % 40
    flip(store.folder / "vectors.npy", position_of(store, other))
    searcher = Searcher(catalogue, FakeEncoder())
    assert len(searcher.store.vectors) == 40
    wait_for(list(searcher.store._checks.values()))
    with pytest.raises(StoreCorruptError, match=r"block \d+ of \d+"):
        searcher.search(Query(text="red"), k=1)


def test_undamaged_files_are_compared_to_their_end(catalogue: Catalogue) -> None:
    searcher = Searcher(catalogue, FakeEncoder())
    searcher.search(Query(text="red"), k=3)
    checks = list(searcher.store._checks.values())
    assert checks
    wait_for(checks)
    assert [check.damaged for check in checks] == [None] * len(checks)
    assert len(searcher.search(Query(text="red"), k=40).hits) == 40


def test_an_index_with_a_changed_block_is_not_used(
    catalogue: Catalogue, caplog: pytest.LogCaptureFixture
) -> None:
    store = EmbeddingStore.open(catalogue)
    manifest = build_index(store, kind="int8")
    red = Query(text="red")
    expected = [hit.item_id for hit in Searcher(catalogue, FakeEncoder()).search(red, k=3).hits]
    path = store.folder / "index" / manifest.file
    data = bytearray(path.read_bytes())
    start = len(data) - manifest.count * manifest.dim
    data[start:] = bytes(len(data) - start)  # every code the same: any row may be found
    path.write_bytes(data)
    searcher = Searcher(catalogue, FakeEncoder())
    index = searcher._image_candidates._index
    assert index is not None
    wait_for(list(index.checks))
    with caplog.at_level(logging.ERROR):
        assert [hit.item_id for hit in searcher.search(red, k=3).hits] == expected
    assert f"{path} has changed since it was written; run `terraseek index" in caplog.text


def test_a_changed_cache_of_the_items_is_refused_and_made_again(catalogue: Catalogue) -> None:
    (path,) = catalogue.path.glob(".items.*.arrow")
    data = path.read_bytes()
    at = data.index(b"00.png")
    path.write_bytes(data[:at] + b"01" + data[at + 2 :])
    opened = Catalogue.open(catalogue.path)
    wait_for(opened._checks)
    with pytest.raises(CatalogueError, match=r"made again from items\.parquet"):
        opened.items()
    again = Catalogue.open(catalogue.path)
    assert sorted(Path(name).name for name in again.items()["image"])[0] == "00.png"


def test_a_file_that_was_replaced_is_not_taken_for_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(bytes(100))
    check = BlockCheck(path, block_checksums(path))
    (tmp_path / "new").write_bytes(b"x" * 100)
    (tmp_path / "new").replace(path)
    check.check([0], 1)
    assert check.damaged is None
    assert check.is_complete


def test_a_file_that_was_cut_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(bytes(100))
    expected = block_checksums(path)
    with path.open("r+b") as file:
        file.truncate(90)
        check = BlockCheck(path, expected, 0, 100)
        check.check([0], 1)
    assert check.damaged == 0
