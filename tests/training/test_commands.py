"""`terraseek evaluate` and `terraseek train` through the command line, with the fake encoder."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from terraseek.cli import build_app
from terraseek.errors import (
    AnnotationError,
    LatticeError,
    MissingColumnError,
    OutputError,
    QueryError,
    SourceError,
    UnknownModelError,
)

ALL_RIGHT = {
    "top1": 100.0,
    "n_images": 18,
    "n_classes": 3,
    "per_class": {"blue": 100.0, "green": 100.0, "red": 100.0},
    "confusion": [[6, 0, 0], [0, 6, 0], [0, 0, 6]],
    "intervals": {"top1": [100.0, 100.0]},
}


def run(*arguments: str | Path) -> Any:
    done = CliRunner().invoke(build_app(), [str(a) for a in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture
def classes(captioned: Path, tmp_path: Path) -> Path:
    """The same squares in class folders."""
    folder = tmp_path / "classes"
    for image in (captioned / "images").iterdir():
        label = image.name.split("_")[0]
        (folder / label).mkdir(parents=True, exist_ok=True)
        image.rename(folder / label / image.name)
    return folder


def retrieval(captioned: Path, *more: str) -> Any:
    return run(
        "evaluate",
        "retrieval",
        "--images",
        captioned / "images",
        "--captions",
        captioned / "captions.json",
        "--model",
        "fake",
        *more,
    )


def test_retrieval_json_has_exactly_its_keys(captioned: Path) -> None:
    score = json.loads(retrieval(captioned, "--split", "val", "--json").stdout)
    assert list(score) == [
        "i2t_r1",
        "i2t_r5",
        "i2t_r10",
        "t2i_r1",
        "t2i_r5",
        "t2i_r10",
        "mR",
        "n_images",
        "n_captions",
        "intervals",
    ]
    assert list(score["intervals"]) == list(score)[:7]
    assert (score["n_images"], score["n_captions"]) == (3, 6)
    assert score["t2i_r1"] == score["i2t_r5"] == 100  # three colours, which the fake encoder knows


def test_retrieval_table_names_what_was_measured(captioned: Path) -> None:
    shown = retrieval(captioned).stdout
    assert "text to image" in shown
    assert "18 images, 36 captions" in shown


def test_zeroshot_json_and_table(classes: Path, tmp_path: Path) -> None:
    command = ("evaluate", "zeroshot", "--images", classes, "--model", "fake")
    score = json.loads(run(*command, "--prompts", "plain", "--json").stdout)
    assert score == ALL_RIGHT
    names = tmp_path / "names.txt"
    names.write_text("green\nred\nblue\n")  # sorted folders are blue, green, red: all wrong
    wrong = json.loads(run(*command, "--classnames", names, "--prompts", "plain", "--json").stdout)
    assert wrong["top1"] == 0
    shown = run(*command, "--prompts", "plain").stdout
    assert "6 images, all correct" in shown
    assert "top-1 100.00 [100.0, 100.0]" in shown
    assert "6 images, most often confused with" in run(*command, "--classnames", names).stdout


def test_zeroshot_takes_labels_from_a_table(captioned: Path, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    rows = [f"{p.name},{p.name.split('_')[0]}" for p in (captioned / "images").iterdir()]
    table.write_text("img_name,label\n" + "\n".join(rows) + "\nother.png,red\n")
    command = ("evaluate", "zeroshot", "--images", captioned / "images", "--labels", table)
    score = json.loads(run(*command, "--prompts", "plain", "--model", "fake", "--json").stdout)
    assert score == ALL_RIGHT


def test_unusable_arguments_of_zeroshot_are_refused(classes: Path, tmp_path: Path) -> None:
    command = ("evaluate", "zeroshot", "--images", classes, "--model", "fake")
    names = tmp_path / "names.txt"
    names.write_text("one\ntwo\n")
    with pytest.raises(AnnotationError, match="2 class names for 3 classes"):
        run(*command, "--classnames", names)
    with pytest.raises(QueryError, match="no prompt set 'imagenet'"):
        run(*command, "--prompts", "imagenet")
    names.write_text("file,class\na,b\n")
    with pytest.raises(MissingColumnError, match="has file, class"):
        run(*command, "--labels", names)
    with pytest.raises(AnnotationError, match=r"has 0 class\(es\)"):
        run("evaluate", "zeroshot", "--images", classes / "red", "--model", "fake")


def test_two_models_are_compared(classes: Path, tmp_path: Path) -> None:
    command = ("evaluate", "zeroshot", "--images", classes, "--prompts", "plain")
    found = json.loads(run(*command, "--compare", "fake", "fake", "--json").stdout)
    assert found["models"] == ["fake", "fake"]
    assert found["a"] == found["b"] == ALL_RIGHT
    assert found["difference"] == {"top1": {"value": 0.0, "interval": [0.0, 0.0], "p": 1.0}}
    shown = run(*command, "--compare", "fake", "fake").stdout
    assert "B - A" in shown
    assert "per class A, B" in shown
    with pytest.raises(QueryError, match="draws one model"):
        run(*command, "--compare", "fake", "fake", "--confusion", "c.png")
    with pytest.raises(UnknownModelError):  # before anything is measured, so bad names cost nothing
        run(*command[:3], tmp_path / "nothing", "--compare", "fake", "no-such-model")


def test_retrieval_of_two_models_prints_one_line_a_number(captioned: Path) -> None:
    lines = retrieval(captioned, "--compare", "fake", "fake").stdout.splitlines()
    assert [line[:18].strip() for line in lines[1:4]] == [
        f"image to text R@{k}" for k in (1, 5, 10)
    ]
    assert lines[7].startswith("mR ")
    assert lines[7].endswith("1.0000")
    assert lines[8] == "18 images, 36 captions"


def test_retrieval_takes_rs5m_csv(captioned: Path, tmp_path: Path) -> None:
    entries = json.loads((captioned / "captions.json").read_text())["images"]
    rows = [f"{e['filename']},{s['raw']}" for e in entries for s in e["sentences"]]
    table = tmp_path / "rs5m.csv"
    table.write_text("filename,title\n" + "\n".join(rows) + "\n")
    command = ("evaluate", "retrieval", "--images", captioned / "images", "--model", "fake")
    found = run(*command, "--captions", table, "--json").stdout
    assert found == retrieval(captioned, "--json").stdout
    table.write_text("name,title\na,b\n")
    with pytest.raises(AnnotationError, match="needs the columns filename,title; has name, title"):
        run(*command, "--captions", table)
    table.write_text("filename,title\ngone.png,b\n")
    with pytest.raises(SourceError, match=r"first gone\.png"):
        run(*command, "--captions", table)
    table.write_text("filename,title\n")
    with pytest.raises(AnnotationError, match="holds no captioned image"):
        run(*command, "--captions", table)


def test_confusion_is_drawn(classes: Path, tmp_path: Path) -> None:
    command = ("evaluate", "zeroshot", "--images", classes, "--model", "fake", "--prompts", "plain")
    run(*command, "--confusion", tmp_path / "c.png", "--json")
    with Image.open(tmp_path / "c.png") as image:
        assert image.width > 100
    with pytest.raises(OutputError, match="must end in"):
        run(*command, "--confusion", tmp_path / "c.jpg")


def test_class_names_that_cannot_be_used(classes: Path, tmp_path: Path) -> None:
    command = ("evaluate", "zeroshot", "--images", classes, "--model", "fake", "--classnames")
    names = tmp_path / "names.txt"
    names.write_text("\n \n")
    with pytest.raises(AnnotationError, match="holds no class name"):
        run(*command, names)
    names.write_bytes("grün\n".encode("latin-1"))
    with pytest.raises(AnnotationError, match="not UTF-8"):
        run(*command, names)
    names.write_text("lake\nlake\nsea\n")
    with pytest.raises(AnnotationError, match="two classes are called 'lake'"):
        run(*command, names)


def test_train_writes_a_checkpoint(settings: dict[str, Any], tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(settings | {"steps": 2}))
    run("train", config)
    out = Path(settings["out"])
    assert {file.name for file in out.iterdir()} >= {
        "model.safetensors",
        "config.json",
        "metrics.json",
        "log.jsonl",
    }


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """A grey scene with a red quarter, and where it is."""
    folder = tmp_path / "scenes"
    folder.mkdir()
    pixels = np.full((256, 256, 3), 120, np.uint8)
    pixels[:128, 128:] = (220, 30, 30)
    Image.fromarray(pixels).save(folder / "0.png")
    ring = [[128, 0], [255, 0], [255, 127], [128, 127]]
    entry = {"jpg_name": "0.png", "caption": "red\n", "points": [ring]}
    (folder / "anno.json").write_text(json.dumps([entry]))
    return folder


def localization(scenes: Path, *more: str) -> Any:
    command = (
        "evaluate",
        "localization",
        "--annotations",
        scenes / "anno.json",
        "--images",
        scenes,
    )
    return run(*command, "--model", "fake", *more)


def test_localization_json_scores_true_sentences_higher(scenes: Path) -> None:
    settings = ("--method", "terraseek", "--scales", "64,128", "--json")
    right = json.loads(localization(scenes, *settings).stdout)
    assert list(right) == ["Rsu", "Ras", "Rda", "Rmi", "n", "intervals"]
    assert right["n"] == 1
    assert right["intervals"]["Rmi"] is None  # of a single sentence nothing can be drawn
    text = (scenes / "anno.json").read_text().replace("red", "blue")
    (scenes / "anno.json").write_text(text)
    wrong = json.loads(localization(scenes, *settings).stdout)
    assert right["Rsu"] > 0.8 > 0.5 > wrong["Rsu"]


def test_localization_table_and_refusals(scenes: Path) -> None:
    assert "0.png" in localization(scenes, "--scales", "128").stdout
    with pytest.raises(LatticeError, match="not a list of whole numbers"):
        localization(scenes, "--scales", "big")
    (scenes / "anno.json").write_text('[{"jpg_name": "0.png"}]')
    with pytest.raises(AnnotationError, match="not in AIR-SLT's layout"):
        localization(scenes)
    (scenes / "anno.json").write_text("[]")
    with pytest.raises(AnnotationError, match="without regions"):
        localization(scenes)
