"""What the leakage gate says and does: items without images, and sources that are the test set."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from helpers.corpus_runs import jpeg, pixels, write_images
from terraseek.catalogue.items_file import read_items
from terraseek.cli import build_app
from terraseek.errors import ConfigError
from terraseek.files import read_json
from terraseek_train.corpus.recipe import parse_recipe

Run = Callable[..., tuple[list[str], Path]]


@pytest.fixture
def corpus(tmp_path: Path) -> Run:
    """Run sources with the command; returns what it says and the folder of the corpus."""

    def call(*sources: dict[str, object], **more: object) -> tuple[list[str], Path]:
        out = tmp_path / "corpus"
        value = {"version": 1, "name": "corpus", "out": str(out), "sources": list(sources)}
        value |= {"stages": [{"stage": "duplicates", "by": "url"}], "val_share": 0, **more}
        (tmp_path / "recipe.json").write_text(json.dumps(value))
        done = CliRunner().invoke(build_app(), ["corpus", "run", str(tmp_path / "recipe.json")])
        assert done.exit_code == 0, done.output
        shown = done.stderr.splitlines()
        lines = [line for line in shown if "\u2501" not in line]  # without the progress bars
        status = CliRunner().invoke(build_app(), ["corpus", "status", str(out)])
        said = [line for line in status.stderr.splitlines() if line.startswith("leakage: ")]
        assert said == [line for line in lines if line.startswith("leakage: ")][-1:]
        assert said[0][1:] in (out / "card.md").read_text()
        return lines, out

    return call


def archive(folder: Path, numbers: range) -> dict[str, object]:
    write_images(folder, {f"{n}.jpg": jpeg(pixels(n)) for n in numbers}, {})
    return {"name": folder.name, "kind": "captions", "path": str(folder / "captions.json")}


def web(folder: Path) -> dict[str, object]:
    rows = [{"url": f"https://example.com/{n}.jpg", "caption": f"land {n}"} for n in range(3)]
    folder.mkdir(exist_ok=True)
    pd.DataFrame([*rows, rows[0]]).to_parquet(folder / "pairs.parquet")
    return {"name": "web", "kind": "pairs", "path": str(folder / "pairs.parquet")}


def kept(corpus: Path) -> list[str]:
    return sorted(pd.read_parquet(corpus / "shards/items.parquet")["item"])


def test_addresses_that_are_not_downloaded_become_a_table_and_items_without_images(
    corpus: Run, tmp_path: Path
):
    archive(tmp_path / "held", range(2))
    lines, out = corpus(web(tmp_path / "w"), evaluation=[str(tmp_path / "held/images")])
    assert (
        "leakage: not checked: none of 3 items has an image to compare with images; add the stage "
        "download, or check the images when you have them"
    ) in lines
    assert any(line.startswith("3 items have an address and no image: ") for line in lines)
    assert not list(out.glob("shards/*.tar"))
    table = pd.read_parquet(out / "shards/without_images.parquet")
    found = dict(zip(table["url"], table["caption"], strict=True))
    assert found == {f"https://example.com/{n}.jpg": f"land {n}" for n in range(3)}
    items = read_items(out / "catalogue")
    assert sorted(items["caption"]) == ["land 0", "land 1", "land 2"]
    assert set(items["url"]) == set(found)
    assert set(items["_file"]) == {""}
    assert read_json(out / "card.json")["without_image"] == 3
    assert "3 of these have an address and no image." in (out / "card.md").read_text()
    assert "land 1" in (out / "report.html").read_text()


def test_images_and_bare_addresses_in_one_corpus(corpus: Run, tmp_path: Path):
    flat = {"9.jpg": jpeg(np.full((48, 48, 3), 90, np.uint8))}
    mine = archive(tmp_path / "mine", range(3))
    write_images(tmp_path / "mine", {f"{n}.jpg": jpeg(pixels(n)) for n in range(3)} | flat, {})
    held = archive(tmp_path / "held", range(1))
    lines, out = corpus(web(tmp_path / "w"), mine, evaluation=[str(held["path"])[:-13] + "images"])
    assert (
        "leakage: checked against images (1 found: 1 in mine; most of this set is in mine); "
        "1 items rejected; 3 not compared: they have no image; 1 not compared: their image is "
        "unreadable or plain"
    ) in lines
    items = read_items(out / "catalogue").set_index("item")
    assert sorted(items.index[items["_file"] != ""]) == ["mine/1.jpg", "mine/2.jpg", "mine/9.jpg"]
    bare = items[items["_file"] == ""]
    assert sorted(bare["url"]) == [f"https://example.com/{n}.jpg" for n in range(3)]


def test_a_source_that_is_an_evaluation_set_is_named_before_work_and_may_be_allowed(
    corpus: Run, tmp_path: Path
):
    mine = archive(tmp_path / "mine", range(4))
    other = archive(tmp_path / "other", range(3, 6))
    sets = [json.dumps({"name": "bench", "images": str(tmp_path / "mine/images")})]
    lines, out = corpus(mine, other, evaluation=sets)
    assert lines[0] == (
        "leakage: source mine has files of the evaluation set bench: its images will be rejected; "
        'to keep them, put "allow_evaluation": ["bench"] into the recipe, and do not measure a '
        "model on them"
    )
    last = "checked against bench (5 found: 4 in mine, 1 in other; most of this set is in mine"
    assert f"leakage: {last}); 5 items rejected" in lines
    assert kept(out) == ["other/4.jpg", "other/5.jpg"]

    lines, out = corpus(mine, other, evaluation=sets, allow_evaluation=["bench"])
    assert lines[0].endswith("are kept, as the recipe allows; do not measure a model on them")
    allowed = "kept, as the recipe allows: do not measure a model on this set"
    assert f"leakage: {last}; {allowed}); 0 items rejected" in lines
    assert len(kept(out)) == 7


def test_an_image_of_an_allowed_set_and_of_another_one_is_rejected(corpus: Run, tmp_path: Path):
    mine = archive(tmp_path / "mine", range(4))
    archive(tmp_path / "held", range(2))
    sets = [
        json.dumps({"name": name, "images": str(tmp_path / folder / "images")})
        for name, folder in (("bench", "mine"), ("held", "held"))
    ]
    _, out = corpus(mine, evaluation=sets, allow_evaluation=["bench"])
    assert kept(out) == ["mine/2.jpg", "mine/3.jpg"]


def test_another_split_of_the_same_files_is_no_evaluation_set(tmp_path: Path, corpus: Run):
    mine = archive(tmp_path / "mine", range(2)) | {"split": "train"}
    held = {"name": "bench", "images": str(tmp_path / "mine/images"), "split": "test"}
    sets = [json.dumps(held | {"captions": str(tmp_path / "mine/captions.json")})]
    entries = json.loads((tmp_path / "mine/captions.json").read_text())
    entries["images"][1]["split"] = "test"
    (tmp_path / "mine/captions.json").write_text(json.dumps(entries))
    lines, out = corpus(mine, evaluation=sets)
    assert lines[-1] == "leakage: checked against bench (0 found); 0 items rejected"
    assert kept(out) == ["mine/0.jpg"]


def test_only_evaluation_sets_can_be_allowed_and_a_named_gate_has_the_sets_of_the_recipe():
    value = {"version": 1, "name": "n", "out": "x", "sources": [{"name": "a", "path": "a"}]}
    value |= {"stages": [{"stage": "leakage"}, {"stage": "broken"}], "evaluation": ["held"]}
    parse_recipe(value | {"allow_evaluation": ["held", "rsicd"]}, "test")
    with pytest.raises(ConfigError, match="names 'hold', which is no evaluation set; known: held"):
        parse_recipe(value | {"allow_evaluation": ["hold"]}, "test")
    gate = parse_recipe(value | {"allow_evaluation": ["held"]}, "test").stages[0]
    assert gate.parameters == {"evaluation": ["held"], "allow": ["held"]}
