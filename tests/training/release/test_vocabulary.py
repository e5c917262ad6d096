"""The vocabulary of a model: the words of its recipes' captions go into its card."""

import json
from pathlib import Path

import pytest

from terraseek.encoders.registry import get_card
from terraseek.encoders.vocabulary import WORDS, mostly_unknown, unknown_words
from terraseek.errors import ConfigError
from terraseek_train.release.vocabulary import frequent_words, recipe_captions, write_vocabulary


def test_words_are_counted_by_images() -> None:
    images = [["two ships", "a ship and ships"], ["Ships at the pier"], ["a pier"]]
    assert frequent_words(images, rare=2) == "pier ships"
    assert frequent_words(images, rare=1) == "pier ship ships"
    assert frequent_words([]) == ""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe of one captioned source, twice, and one with labels."""
    captions = tmp_path / "captions.json"
    images = [
        {"filename": f"{i}.png", "split": split, "sentences": [{"raw": "quays with cranes"}]}
        for i, split in enumerate(["train"] * 5 + ["val"] * 9)
    ]
    captions.write_text(json.dumps({"images": images}))
    source = {"images": "none", "captions": str(captions), "split": "train"}
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps({"data": [source, source, {"images": "none"}]}))
    return path


def test_captions_of_a_recipe_are_those_of_its_splits(recipe: Path) -> None:
    assert [list(one) for one in recipe_captions(recipe)] == [["quays with cranes"]] * 5


def test_a_card_gets_its_vocabulary(recipe: Path, tmp_path: Path) -> None:
    card = tmp_path / "card.json"
    card.write_text(json.dumps({"name": "x", "calibration": {"mean": 0.1}}))
    count = write_vocabulary(card, [recipe])
    calibration = json.loads(card.read_text())["calibration"]
    assert calibration["mean"] == 0.1
    assert len(calibration[WORDS].split()) == count
    # the second comes from the sentences made for class labels
    assert unknown_words(["cranes at a baseball field", "sushi"], calibration) == ["sushi"]


def test_cards_and_recipes_without_words_are_refused(recipe: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.json"
    bare.write_text(json.dumps({"name": "x"}))
    with pytest.raises(ConfigError, match="has no calibration"):
        write_vocabulary(bare, [recipe])
    with pytest.raises(ConfigError, match="has no data"):
        recipe_captions(bare)


def test_the_shipped_model_knows_what_it_was_trained_for() -> None:
    calibration = get_card("terraseek-tiny").calibration
    known = ["airplanes parked at an airport", "a dense residential area with red roofs"]
    assert unknown_words(known, calibration) == []
    assert mostly_unknown(["sushi on a wooden plate"], calibration)
    assert mostly_unknown(["quick brown foxes write poems"], calibration)
