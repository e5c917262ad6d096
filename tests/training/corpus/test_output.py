"""Shards, catalogue, data card and report; the gate against evaluation sets."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from helpers.corpus_runs import items_of, jpeg, pixels, write_images
from terraseek.catalogue import import_source
from terraseek.catalogue.images import read_bytes
from terraseek.catalogue.items_file import read_items
from terraseek.catalogue.records import ImageRef
from terraseek.cli import build_app
from terraseek.errors import ConfigError, SourceError
from terraseek.files import read_json
from terraseek_train.corpus.leakage.evaluation_sets import DATA_VARIABLE
from terraseek_train.corpus.output.finish import finish_corpus
from terraseek_train.corpus.output.shards import image_names, split_items
from terraseek_train.corpus.output.svg import histogram, point_map
from terraseek_train.corpus.recipe import parse_recipe


@pytest.fixture
def recipe(tmp_path: Path) -> dict[str, object]:
    """Two sources; one of `b` is a copy, one is broken, and positions are known for `a`."""
    first = {f"{n}.jpg": jpeg(pixels(n)) for n in range(12)}
    captions = {name: f"aerial view {name}, \u00e9t\u00e9" for name in first}
    write_images(tmp_path / "a", first, captions)
    rows = [(name, 10.0 + n, 50.0, "Germany") for n, name in enumerate(first)]
    frame = pd.DataFrame(rows, columns=["filename", "longitude", "latitude", "country"])
    frame.to_csv(tmp_path / "geo.csv", index=False)
    second = {"0.jpg": first["3.jpg"], "1.jpg": b"broken", "2.jpg": jpeg(pixels(40))}
    write_images(tmp_path / "b", second, {})

    def source(name: str, **more: object) -> dict[str, object]:
        paths = {"path": str(tmp_path / name / "captions.json")}
        return {"name": name, "kind": "captions", **paths, "licence": f"{name} licence", **more}

    return {
        "version": 1,
        "name": "corpus",
        "out": str(tmp_path / "corpus"),
        "shard_rows": 5,
        "val_share": 0.25,
        "sources": [source("a", geometa=str(tmp_path / "geo.csv")), source("b", rank=2)],
        "stages": [{"stage": "broken"}, {"stage": "duplicates", "by": "sha256"}],
    }


@pytest.fixture
def finished(recipe: dict, run: Callable, tmp_path: Path) -> Path:
    shards = run(recipe["sources"], recipe["stages"], shard_rows=5, val_share=0.25)
    finish_corpus(parse_recipe(recipe, "test"), shards)
    return tmp_path / "corpus"


def test_shards_come_back_through_the_importer_without_loss(finished: Path, tmp_path: Path):
    expected = {
        row["item"]: row
        for path in sorted(finished.glob("stages/02-duplicates/accepted/*"))
        for row in pd.read_parquet(path).to_dict("records")
    }
    import_source(finished / "shards", tmp_path / "again")
    frame = read_items(tmp_path / "again")
    assert len(frame) == len(expected) == 13
    for row in frame.to_dict("records"):
        item = expected[row["item"]]
        assert (row["caption"], row["subset"]) == (item["caption"], item["source"])
        assert row["caption_origin"] == "source"
        if item["source"] == "a":
            assert (row["lon"], row["lat"]) == (item["lon"], item["lat"])
        ref = ImageRef(Path(item["image_file"]), item["image_offset"], item["image_size"])
        stored = ImageRef(Path(row["_file"]), row["_offset"], row["_size"])
        assert read_bytes(stored) == read_bytes(ref)
    assert frame["split"].value_counts().to_dict() == {"train": 10, "val": 3}
    assert len(read_items(finished / "catalogue")) == 13


def test_the_card_has_the_arithmetic_of_the_paper(finished: Path):
    card = read_json(finished / "card.json")
    assert card["columns"] == ["in", "broken", "duplicates", "remain"]
    assert card["sources"] == {"a": [12, 0, 0, 12], "b": [3, 1, 1, 1]}
    assert card["total"] == [15, 1, 1, 13]
    assert card["licences"]["b"] == "b licence"
    assert card["geo"]["with_position"] == {"a": 12}
    text = (finished / "card.md").read_text()
    assert "| b | 3 | 1 | 1 | 1 | b licence |" in text


def test_the_paper_table_satisfies_the_same_arithmetic():
    rows = [(1_737_584, 102, 343_017, 333_686, 1_060_779), (566_076, 28, 245_650, 94_329, 226_069)]
    assert all(first - sum(rejected) == remain for first, *rejected, remain in rows)


def test_the_report_shows_accepted_and_rejected_images(finished: Path):
    page = (finished / "report.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 4
    assert "<script" not in page
    assert "not an image: 1" in page
    assert "Positions of accepted images: 12 images" in page
    assert "<li>b/0.jpg: sha256: same as a/3.jpg</li>" in page
    assert "Leakage: nothing to check against" in page


def test_whole_numbers_have_a_bar_each():
    plot = histogram([1, 1, 2, 4], "Words")
    heights = [float(found) for found in re.findall(r'height="([0-9.]+)"/>', plot)]
    assert heights == [150, 75, 0, 75]
    assert "4 values from 1 to 4, median 1.5" in plot
    assert histogram([0.25 * n for n in range(40)], "Scores").count("<rect") == 30
    assert point_map([], [], "Places") == "<p>Places: none is known.</p>"


def test_finishing_again_writes_nothing(
    recipe: dict, finished: Path, run: Callable, tmp_path: Path
):
    before = {p: p.stat().st_mtime_ns for p in finished.glob("shards/*")}
    shards = run(recipe["sources"], recipe["stages"], shard_rows=5, val_share=0.25)
    assert finish_corpus(parse_recipe(recipe, "test"), shards) == {"train": 10, "val": 3}
    assert {p: p.stat().st_mtime_ns for p in finished.glob("shards/*")} == before


def test_an_empty_corpus_is_an_error(recipe: dict, run: Callable):
    stages = [{"stage": "keywords", "groups": [], "more": ["nothing has this"]}]
    with pytest.raises(SourceError, match="no item is left"):
        finish_corpus(parse_recipe(recipe, "test"), run(recipe["sources"], stages))


def test_splits_do_not_depend_on_order():
    items = [f"{source}/{n}" for source in "ab" for n in range(40)]
    sources = [item[0] for item in items]
    splits = dict(zip(items, split_items(items, sources, 0.05, 0), strict=True))
    assert [sum(s == "val" for i, s in splits.items() if i[0] == k) for k in "ab"] == [2, 2]
    turned = split_items(items[::-1], sources[::-1], 0.05, 0)
    assert dict(zip(items[::-1], turned, strict=True)) == splits
    assert dict(zip(items, split_items(items, sources, 0.05, 1), strict=True)) != splits


def test_image_names_are_distinct_and_safe():
    names = image_names(["a/x/1.jpg", "a/x_1.jpg", "b/w\u00f6rd one.tif", "c/0_12", "c/a.b.c"])
    assert names == ["a_x_1.jpg", "a_x_1-2.jpg", "b_w\u00f6rd-one.tif", "c_0_12", "c_a.b.c"]


def test_images_of_evaluation_sets_are_rejected(recipe: dict, run: Callable, tmp_path: Path):
    held_out = tmp_path / "held-out"
    held_out.mkdir()
    mirrored = np.ascontiguousarray(pixels(5)[:, ::-1])
    (held_out / "m.jpg").write_bytes(jpeg(mirrored, quality=60))
    (held_out / "n.jpg").write_bytes(jpeg(pixels(99)))
    shards = run(recipe["sources"], [{"stage": "broken"}], evaluation=[str(held_out)], shard_rows=5)
    assert "a/5.jpg" not in items_of(shards)["item"].to_pylist()
    summary = read_json(tmp_path / "corpus/stages/02-leakage/stage.json")
    assert summary["reasons"] == {"in evaluation set": 1}
    assert summary["facts"] == {"found": {"held-out": 1}, "in sources": {"held-out": {"a": 1}}}


def test_published_sets_that_are_found_are_checked_without_being_asked_for(
    recipe: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Only the measured split of a set with splits counts as evaluation."""
    folder = tmp_path / "data/RSICD/RSICD_images"
    folder.mkdir(parents=True)
    for name, seed in (("test.jpg", 5), ("train.jpg", 6)):
        (folder / name).write_bytes(jpeg(pixels(seed), quality=60))
    images = [
        {"filename": f"{split}.jpg", "split": split, "sentences": [{"raw": "a place"}]}
        for split in ("test", "train")
    ]
    (folder.parent / "dataset_rsicd.json").write_text(json.dumps({"images": images}))
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(recipe))
    run = ("corpus", "run", str(path), "--json")

    def rejected(**changes: object) -> tuple[list[str], str]:
        path.write_text(json.dumps(recipe | changes))
        done = CliRunner().invoke(build_app(), run)
        assert done.exit_code == 0, done.output
        card = (tmp_path / "corpus/card.md").read_text()
        [line] = [text for text in done.stderr.splitlines() if text.startswith("leakage: ")]
        assert line[1:] in card
        shown = CliRunner().invoke(build_app(), ["corpus", "status", str(tmp_path / "corpus")])
        assert line in shown.stderr.splitlines()
        kept = {row["item"] for row in read_items_table(tmp_path / "corpus")}
        return sorted({"a/5.jpg", "a/6.jpg"} - kept), line

    lost, line = rejected()
    assert (lost, line[:28]) == ([], "leakage: nothing to check ag")
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "data"))
    assert rejected() == (
        ["a/5.jpg"],
        "leakage: checked against rsicd (1 found: 1 in a; most of this set is in a); "
        "1 items rejected",
    )
    lost, line = rejected(leakage=False)
    assert (lost, line[:20]) == ([], "leakage: not checked")
    with pytest.raises(ConfigError, match='"evaluation" needs it'):
        parse_recipe(recipe | {"leakage": False, "evaluation": ["x"]}, "test")


def read_items_table(corpus: Path) -> list[dict[str, object]]:
    return pq.read_table(corpus / "shards/items.parquet").to_pylist()
