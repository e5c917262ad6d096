"""Stages over images: broken ones, duplicates and their survivors."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.corpus_runs import items_of, jpeg, pixels, write_images
from terraseek.imagehash import components
from terraseek_train.corpus.neighbours import vector_pairs
from terraseek_train.corpus.stages.duplicates import normal_url, survivors
from terraseek_train.corpus.status import read_status


def source(folder: Path, name: str, **settings: object) -> dict[str, object]:
    paths = {"path": str(folder / "captions.json"), "images": str(folder / "images")}
    return {"name": name, "kind": "captions", **paths, **settings}


def rejected(out: Path, stage: str) -> dict[str, str]:
    import pyarrow.parquet as pq

    [folder] = (out / "stages").glob(f"*-{stage}")
    rows = [
        r for f in sorted((folder / "rejected").glob("*")) for r in pq.read_table(f).to_pylist()
    ]
    return {row["item"]: row["reason"] for row in rows}


def test_broken_images_are_counted_by_kind(run: Callable, tmp_path: Path):
    whole = jpeg(pixels(1))
    png = io.BytesIO()
    Image.fromarray(pixels(2)).save(png, "PNG")
    images = {
        "good.jpg": whole,
        "good.png": png.getvalue(),
        "cut.jpg": whole[: len(whole) // 2],
        "page.jpg": b"<html>404</html>",
        "nothing.jpg": b"",
        "tiny.png": jpeg(pixels(3)[:4, :4]),
        "blank.png": jpeg(np.full((40, 40, 3), 200, np.uint8)),
        "strip.png": jpeg(np.resize(pixels(4), (16, 6000, 3))),
    }
    write_images(tmp_path / "set", images, {})
    shards = run([source(tmp_path / "set", "a")], [{"stage": "broken"}], shard_rows=3)
    kept = items_of(shards)
    assert kept["item"].to_pylist() == ["a/good.jpg", "a/good.png"]
    assert kept["width"].to_pylist() == [48, 48]
    reasons = rejected(tmp_path / "corpus", "broken")
    kinds = {item.split("/")[1]: reason.split(":")[0] for item, reason in reasons.items()}
    assert kinds == {
        "cut.jpg": "truncated or damaged",
        "page.jpg": "not an image",
        "nothing.jpg": "empty",
        "tiny.png": "small",
        "blank.png": "blank",
        "strip.png": "too large",
    }


@pytest.fixture
def copies(tmp_path: Path) -> list[dict[str, object]]:
    """Two sources: `b` repeats images of `a` as they are, recompressed and turned."""
    first = {f"{n}.jpg": jpeg(pixels(n)) for n in range(6)}
    turned = np.ascontiguousarray(np.rot90(pixels(2)))
    second = {
        "same.jpg": first["0.jpg"],
        "again.jpg": jpeg(pixels(1), quality=55),
        "turned.jpg": jpeg(turned),
        "other.jpg": jpeg(pixels(77)),
    }
    write_images(tmp_path / "a", first, {})
    write_images(tmp_path / "b", second, {})
    return [source(tmp_path / "a", "a", rank=2), source(tmp_path / "b", "b", rank=1)]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("sha256", {"a/0.jpg": "b/same.jpg"}),
        ("phash", {"a/0.jpg": "b/same.jpg", "a/1.jpg": "b/again.jpg", "a/2.jpg": "b/turned.jpg"}),
    ],
)
def test_duplicates_are_found_and_the_better_source_survives(
    run: Callable, copies: list, tmp_path: Path, by: str, expected: dict
):
    run(copies, [{"stage": "duplicates", "by": by}], shard_rows=4)
    found = rejected(tmp_path / "corpus", "duplicates")
    assert found == {item: f"{by}: same as {kept}" for item, kept in expected.items()}
    [stage] = read_status(tmp_path / "corpus")
    assert stage["facts"] == {"groups": len(expected), "largest": 2}


def test_embedding_neighbours_are_confirmed_by_hash(run: Callable, copies: list, tmp_path: Path):
    stage = {"stage": "duplicates", "by": "embedding", "model": "fake", "min_cosine": 0.5}
    run(copies, [stage | {"neighbours": 9}])
    assert set(rejected(tmp_path / "corpus", "duplicates")) == {"a/0.jpg", "a/1.jpg", "a/2.jpg"}


def test_duplicate_addresses(run: Callable, tmp_path: Path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    urls = ["http://A.org/x.jpg", "https://www.a.org:443/x.jpg#top", "http://a.org/X.jpg", "", ""]
    table = pa.table({"url": urls, "caption": ["c"] * 5})
    pq.write_table(table, tmp_path / "p.parquet")
    pairs = {"name": "w", "path": str(tmp_path / "p.parquet"), "kind": "pairs"}
    shards = run([pairs], [{"stage": "duplicates", "by": "url"}])
    assert len(items_of(shards)) == 4
    assert len(rejected(tmp_path / "corpus", "duplicates")) == 1


def test_normal_url_keeps_path_and_query():
    assert normal_url("HTTP://Host.org:80/A/b?c=D#e") == "//host.org/A/b?c=D"


def test_survivors_do_not_depend_on_the_order():
    items = [f"s/{n}" for n in range(8)]
    group = np.array([0, 0, 1, 0, 1, 2, 2, 2])
    ranks = [1, 0, 1, 0, 1, 2, 1, 2]
    kept = [items[row] for row in survivors(group, items, ranks, seed=3)]
    assert kept[0] in ("s/1", "s/3")
    assert kept[5] == "s/6"
    order = [5, 3, 1, 7, 0, 2, 4, 6]
    other = survivors(group[order], [items[i] for i in order], [ranks[i] for i in order], seed=3)
    again = dict(zip(order, (items[order[row]] for row in other), strict=True))
    assert [again[row] for row in range(8)] == kept


def test_chains_of_neighbours_are_one_group():
    rows, others = np.array([0, 1, 4]), np.array([1, 2, 5])
    assert components(7, (rows, others)).tolist() == [0, 0, 0, 1, 2, 2, 3]


def test_vectors_without_an_image_are_in_no_pair():
    vectors = np.eye(3, 8, dtype=np.float32)[[0, 1, 2, 0]]
    vectors[1] = 0
    hashes = np.ones((4, 8), np.uint64)
    rows, others = vector_pairs(vectors, 2, 0.9, hashes, 64)
    assert sorted(zip(rows.tolist(), others.tolist(), strict=True)) == [(0, 3), (3, 0)]
