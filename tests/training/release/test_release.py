"""Recipes are valid configs, and a release writes what it measured into the card."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from terraseek.encoders.calibration import Calibration
from terraseek.encoders.cards import read_card
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import ConfigError
from terraseek_train.config import load_config
from terraseek_train.release.background import background, background_sentences, summary
from terraseek_train.release.release import release
from terraseek_train.train import train

RECIPES = Path(__file__).resolve().parents[3] / "training" / "recipes"
VARIABLES = (
    "TERRASEEK_DATA", "TERRASEEK_MINILM", "TERRASEEK_DEMO", "TERRASEEK_DEMO_MORE",
    "TERRASEEK_COARSE", "TERRASEEK_COARSE_2",
)  # fmt: skip


@pytest.mark.parametrize("stage", range(1, 22))
def test_shipped_recipes_are_valid_configs(stage: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, "/data")
    config = load_config(RECIPES / f"terraseek-tiny-{stage}.json")
    assert config.val is not None
    assert config.val.split == "val"
    assert {source.split for source in config.data if source.name == "rsicd"} == {"train"}
    assert not any("eurosat" in source.images for source in config.data)


def test_the_readme_names_every_recipe() -> None:
    text = (RECIPES / "README.md").read_text(encoding="utf-8")
    section = text.split("## All recipes of terraseek-tiny")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| ")]
    listed = set()
    for row in rows:
        numbers = [int(word) for word in re.findall(r"\d+", row)]
        listed |= set(range(numbers[0], numbers[-1] + 1)) if numbers else set()
    assert listed == set(range(1, 22))
    assert all(path.name in text for path in RECIPES.glob("study-*.json"))


def test_recipes_need_their_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match="names a variable that is not set"):
        load_config(RECIPES / "terraseek-tiny-1.json")


def test_summary_by_hand() -> None:
    found = summary(np.array([0.0, 0.1, 0.2, 0.3]))
    assert found["mean"] == 0.15
    assert found["std"] == pytest.approx(0.1118, abs=1e-4)
    assert found["quantiles"]["0.5"] == 0.15


def test_background_leaves_out_images_of_the_sentences_concept() -> None:
    encoder = FakeEncoder()
    images = encoder.encode_texts(["red", "green", "blue"])
    found = background(encoder, images, ["forest", None, "lake"])
    concepts = [concept for concept, _ in background_sentences()]
    assert len(concepts) == found["sentences"]
    assert found["pairs"] == 3 * len(concepts) - concepts.count("forest") - concepts.count("lake")
    assert Calibration.read(found).percentile(found["mean"]) > 0


def test_background_leaves_out_images_whose_captions_agree() -> None:
    encoder = FakeEncoder()
    images = encoder.encode_texts(["red", "green", "blue", "dark"])
    concepts = [concept for concept, _ in background_sentences()]
    plain = background(encoder, images, ["x"] * 4, [()] * 4)
    assert plain["pairs"] == 4 * len(concepts)
    # one names the concept, one is a sentence of it in other words, one is about something else
    captions = [("a village and its Forests",), ("dense woodland",), ("bright red",), ()]
    found = background(encoder, images, ["x"] * 4, captions)
    forest = concepts.count("forest")
    assert plain["pairs"] - found["pairs"] >= 2 * forest
    without = background(encoder, images[2:], ["x"] * 2, captions[2:])
    assert without["pairs"] == 2 * len(concepts)


def test_a_release_measures_what_it_ships(
    settings: dict[str, Any], captioned: Path, tmp_path: Path
) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(settings))
    checkpoint = train(load_config(config))
    images = {"images": str(captioned / "images"), "captions": str(captioned / "captions.json")}
    labels = tmp_path / "labels.csv"
    rows = [f"{p.name},{p.name.split('_')[0]}" for p in (captioned / "images").iterdir()]
    labels.write_text("\n".join(["filename,label", *rows]))
    plan = {
        "name": "mini",
        "facts": {"title": "Mini", "languages": ["en"], "gsd_range_m": [0.3, 10]},
        "retrieval": {"squares": images | {"split": "val"}},
        "zeroshot": {"squares": {"images": images["images"], "labels": str(labels)}},
        "calibration": [images],
    }
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    release(checkpoint, tmp_path / "plan.json", tmp_path / "shipped")
    card = read_card(tmp_path / "shipped" / "cards" / "mini.json")
    validated = json.loads((checkpoint / "metrics.json").read_text())["val"]["squares"]
    shipped = card.scores["retrieval: squares"]
    assert shipped["n_captions"] == validated["n_captions"] == 6
    assert shipped["mR"] == pytest.approx(validated["mR"], abs=20)  # float16 may swap neighbours
    assert "--split val" in shipped["command"]
    assert card.scores["zeroshot: squares"]["n_classes"] == 3
    assert card.calibration is not None
    assert card.calibration["std"] > 0
    assert card.gsd_range_m == (0.3, 10)
