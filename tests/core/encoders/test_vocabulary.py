"""Words the model never read: they are named, and a sentence of them convinces nobody."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.rasters import write_rgb
from terraseek.encoders.fake import FakeEncoder
from terraseek.encoders.registry import get_card
from terraseek.encoders.vocabulary import WORDS, content_words, mostly_unknown, unknown_words
from terraseek.errors import ConfigError
from terraseek.localization import LocalizeOptions
from terraseek.localization.localizer import Localizer
from terraseek.localization.map_warnings import unknown_word_warnings
from terraseek.localization.query import encode_query
from terraseek.scenes import Scene

READ = {WORDS: "ship pier harbour red parking city plate storage tank"}


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("ships at a pier", []),
        ("Parked ships, beside the PIERS!", []),
        ("sushi on a red plate", ["sushi"]),
        ("sushi on 3 wooden plates and sushi", ["sushi", "wooden"]),
        ("Schiffe am Kai", ["schiffe", "kai"]),
        ("of the 12", []),
        ("", []),
    ],
)
def test_unread_words_are_named_once_and_as_written(sentence, words):
    assert unknown_words([sentence], READ) == words


@pytest.mark.parametrize(
    ("sentences", "foreign"),
    [
        (["sushi on a wooden plate"], True),
        (["sushi on a red plate"], False),
        (["sushi ships"], False),
        (["ships at a pier"], False),
        (["of the"], False),
        (["sushi", "ships"], False),
        (["sushi", "violins"], True),
        ([], False),
    ],
)
def test_a_sentence_is_foreign_when_most_of_it_is(sentences, foreign):
    assert mostly_unknown(sentences, READ) is foreign


@pytest.mark.parametrize("calibration", [None, {}, {"mean": 0.1}])
def test_without_a_list_nothing_is_unread(calibration):
    assert unknown_words(["sushi"], calibration) == []
    assert not mostly_unknown(["sushi"], calibration)


def test_a_list_that_is_none_is_named():
    with pytest.raises(ConfigError, match="must be one text of words"):
        unknown_words(["sushi"], {WORDS: ["a", "b"]})


@given(st.text(max_size=60))
def test_what_was_read_is_never_unread(sentence):
    words = content_words(sentence)
    assert unknown_words([sentence], {WORDS: " ".join(words)}) == []
    assert unknown_words([sentence], {WORDS: ""}) == words


def verdict(path, query, calibration):
    """The heat map of a query, judged with a background of our making."""
    encoder, options = FakeEncoder(), LocalizeOptions(scales=(48,))
    encoder.card = dataclasses.replace(get_card("terraseek-tiny"), calibration=calibration)
    with Scene.open(path) as scene:
        localizer = Localizer(scene, encoder, options, cache=False)
        return localizer.heat_map(encode_query(query, encoder, options))


def told_of(heat):
    """What is said of words that were not read."""
    return "".join(warning for warning in heat.warnings if "never read" in warning)


def test_a_foreign_sentence_convinces_nobody_and_says_why(tmp_path):
    rgb = np.full((96, 96, 3), 120, np.uint8)
    rgb[:48, :48] = (230, 20, 20)
    path = write_rgb(tmp_path / "a.tif", rgb)
    background = {"mean": -0.9, "std": 0.01}  # everything passes a bar as low as this
    known = verdict(path, "red", background | READ)
    assert known.significant is True
    assert not told_of(known)
    foreign = verdict(path, "red sushi with violins", background | READ)
    assert (foreign.significant, foreign.significance_threshold, foreign.confidence) == (
        False,
        None,
        None,
    )
    assert "never read 'sushi', 'violins' with a picture" in told_of(foreign)
    assert verdict(path, "red sushi with violins", background).significant is True
    # some of the words are enough to judge, and the others are told of
    partly = verdict(path, "red ships with sushi", background | READ)
    assert partly.significant is True
    assert "'sushi'" in told_of(partly)
    # an image has no words
    image = verdict(path, np.full((9, 9, 3), 200, np.uint8), background | READ)
    assert image.significant is None
    assert not told_of(image)


def test_a_model_without_a_card_says_nothing():
    assert unknown_word_warnings(["sushi"], None) == []
