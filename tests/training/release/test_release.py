"""Recipes are readable, and a release writes what it measured into the card."""

import json
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


@pytest.mark.parametrize("stage", range(1, 14))
def test_shipped_recipes_are_valid_configs(stage: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, "/data")
    config = load_config(RECIPES / f"terraseek-tiny-{stage}.json")
    assert config.val is not None
    assert config.val.split == "val"
    assert {source.split for source in config.data if source.name == "rsicd"} == {"train"}
    assert not any("eurosat" in source.images for source in config.data)


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


def test_background_leaves_out_images_of_the_asked_concept() -> None:
    encoder = FakeEncoder()
    images = encoder.encode_texts(["red", "green", "blue"])
    found = background(encoder, images, ["forest", None, "lake"])
    asked = [concept for concept, _ in background_sentences()]
    assert len(asked) == found["sentences"]
    assert found["pairs"] == 3 * len(asked) - asked.count("forest") - asked.count("lake")
    assert Calibration.read(found).percentile(found["mean"]) > 0


def test_background_leaves_out_images_whose_captions_agree() -> None:
    encoder = FakeEncoder()
    images = encoder.encode_texts(["red", "green", "blue", "dark"])
    asked = [concept for concept, _ in background_sentences()]
    plain = background(encoder, images, ["x"] * 4, [()] * 4)
    assert plain["pairs"] == 4 * len(asked)
    # one names the concept, one is a sentence of it in other words, one is about something else
    captions = [("a village and its Forests",), ("dense woodland",), ("bright red",), ()]
    found = background(encoder, images, ["x"] * 4, captions)
    forest = asked.count("forest")
    assert plain["pairs"] - found["pairs"] >= 2 * forest
    gone = background(encoder, images[2:], ["x"] * 2, captions[2:])
    assert gone["pairs"] == 2 * len(asked)


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
    told = json.loads((checkpoint / "metrics.json").read_text())["val"]["squares"]
    shipped = card.scores["retrieval: squares"]
    assert shipped["n_captions"] == told["n_captions"] == 6
    assert shipped["mR"] == pytest.approx(told["mR"], abs=20)  # float16 may swap neighbours
    assert "--split val" in shipped["command"]
    assert card.scores["zeroshot: squares"]["n_classes"] == 3
    assert card.calibration is not None
    assert card.calibration["std"] > 0
    assert card.gsd_range_m == (0.3, 10)
