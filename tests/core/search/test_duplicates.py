"""Near-duplicates: rotated copies are marked, similar images are not; collapsed results."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from terraseek.catalogue import Catalogue, Filter, import_source
from terraseek.cli import build_app
from terraseek.embeddings.embed import embed_catalogue
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import ConfigError, StoreNotFoundError
from terraseek.search import Query, Searcher
from terraseek.search.batch import read_queries, search_all
from terraseek.search.duplicates import mark_duplicates


def land(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), np.uint8)
    coarse[..., seed % 3] //= 4
    return np.asarray(Image.fromarray(coarse).resize((48, 48), Image.Resampling.BICUBIC))


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """a0 to a5 differ; b1 and b4 are a1 and a4, turned and compressed; c1 and c2 are flat."""
    folder = tmp_path / "pics"
    folder.mkdir()
    for seed in range(6):
        Image.fromarray(land(seed)).save(folder / f"a{seed}.png")
    for seed in (1, 4):
        turned = Image.fromarray(np.rot90(land(seed)).copy())
        turned.save(folder / f"b{seed}.jpg", quality=80)
    for seed in (1, 2):
        Image.new("RGB", (48, 48), (10, 20, 90)).save(folder / f"c{seed}.png")
    import_source(folder, tmp_path / "cat")
    embed_catalogue(Catalogue.open(tmp_path / "cat"), FakeEncoder())
    return tmp_path / "cat"


def names(path: Path) -> dict[str, str]:
    """Image name of each duplicate to that of the original."""
    items = Catalogue.open(path).items()
    by_id = dict(zip(items["item_id"], items["image"], strict=True))
    return {
        name: by_id[first]
        for name, first in zip(items["image"], items["duplicate_of"], strict=True)
        if first
    }


def test_rotated_copies_are_marked_and_similar_images_are_not(catalogue: Path):
    found = mark_duplicates(catalogue)
    assert (found.pairs, found.groups, found.marked) == (2, 2, 2)
    assert names(catalogue) == {"b1.jpg": "a1.png", "b4.jpg": "a4.png"}
    file = (catalogue / "items.parquet").read_bytes()
    assert mark_duplicates(catalogue) == found
    assert (catalogue / "items.parquet").read_bytes() == file


def test_hash_and_cosine_must_both_agree(catalogue: Path):
    assert mark_duplicates(catalogue, cosine=1.0).marked == 0  # rotated and compressed
    assert names(catalogue) == {}
    # nearly every pair passes the cosine threshold, so the hashes decide
    mark_duplicates(catalogue, cosine=0.01)
    assert names(catalogue) == {"b1.jpg": "a1.png", "b4.jpg": "a4.png"}


def test_many_items_use_an_inverted_file_index(catalogue: Path, monkeypatch):
    from terraseek.search import duplicates

    monkeypatch.setattr(duplicates, "_MAX_EXACT", 5)
    assert mark_duplicates(catalogue).marked == 2
    assert names(catalogue) == {"b1.jpg": "a1.png", "b4.jpg": "a4.png"}


def test_collapsed_results_have_the_best_of_each_group(catalogue: Path):
    searcher = Searcher(Catalogue.open(catalogue), FakeEncoder())
    with pytest.raises(ConfigError, match="terraseek duplicates"):
        searcher.search(Query(text="x"), collapse_duplicates=True)
    mark_duplicates(catalogue)
    opened = Catalogue.open(catalogue)
    searcher = Searcher(opened, FakeEncoder())
    plain = searcher.search(Query(text="water"), 10).hits
    collapsed = searcher.search(Query(text="water"), 8, collapse_duplicates=True).hits
    images = [hit.image for hit in collapsed]
    assert len(images) == 8
    assert [hit.rank for hit in collapsed] == list(range(1, 9))
    order = [hit.image for hit in plain]
    for one, other in (("a1.png", "b1.jpg"), ("a4.png", "b4.jpg")):
        assert len({one, other} & set(images)) == 1
        assert min((one, other), key=order.index) in images
    # a filter that leaves only the copy shows the copy
    copies = opened.items()
    only = tuple(copies.loc[copies["image"] == "b1.jpg", "item_id"])
    kept = searcher.search(
        Query(text="water"), 3, Filter(item_ids=only), collapse_duplicates=True
    ).hits
    assert [hit.image for hit in kept] == ["b1.jpg"]


def test_batch_search_collapses_duplicates(catalogue: Path, tmp_path: Path):
    (tmp_path / "q.csv").write_text("query\nwater\nfield")
    queries = read_queries(tmp_path / "q.csv")
    searcher = Searcher(Catalogue.open(catalogue), FakeEncoder())
    with pytest.raises(ConfigError, match="terraseek duplicates"):
        search_all(searcher, queries, 8, collapse_duplicates=True)
    mark_duplicates(catalogue)
    searcher = Searcher(Catalogue.open(catalogue), FakeEncoder())
    rows = search_all(searcher, queries, 8, collapse_duplicates=True)
    for number, one in enumerate(queries):
        single = searcher.search(one.query, 8, collapse_duplicates=True).hits
        rows_of_query = rows[8 * number : 8 * number + 8]
        assert [(row["item_id"], row["rank"]) for row in rows_of_query] == [
            (hit.item_id, hit.rank) for hit in single
        ]
    command = ["search", str(catalogue), "--queries", str(tmp_path / "q.csv"), "-k", "8"]
    flags = ["--collapse-duplicates", "--out", str(tmp_path / "r.csv")]
    answer = CliRunner().invoke(build_app(), [*command, *flags])
    assert answer.exit_code == 0, answer.output
    with (tmp_path / "r.csv").open(encoding="utf-8") as file:
        assert [line["item_id"] for line in csv.DictReader(file)] == [r["item_id"] for r in rows]


def test_invalid_thresholds_are_refused(catalogue: Path, tmp_path: Path):
    for wrong in ({"cosine": 0.0}, {"cosine": 1.1}, {"bits": -1}, {"bits": 65}):
        with pytest.raises(ConfigError, match="must be in"):
            mark_duplicates(catalogue, **wrong)
    import_source(tmp_path / "pics", tmp_path / "bare")
    with pytest.raises(StoreNotFoundError):
        mark_duplicates(tmp_path / "bare")
