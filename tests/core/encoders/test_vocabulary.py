"""Unknown words are reported."""

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
from terraseek.localization.query import encode_query
from terraseek.scenes import Scene

KNOWN = {WORDS: "ship pier harbour red parking city plate storage tank"}


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
def test_unknown_words_are_listed_once(sentence, words):
    assert unknown_words([sentence], KNOWN) == words


@pytest.mark.parametrize(
    ("sentences", "expected"),
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
def test_mostly_unknown_sentences(sentences, expected):
    assert mostly_unknown(sentences, KNOWN) is expected


@pytest.mark.parametrize("calibration", [None, {}, {"mean": 0.1}])
def test_without_a_vocabulary_no_word_is_unknown(calibration):
    assert unknown_words(["sushi"], calibration) == []
    assert not mostly_unknown(["sushi"], calibration)


def test_an_invalid_vocabulary_is_refused():
    with pytest.raises(ConfigError, match="must be one text of words"):
        unknown_words(["sushi"], {WORDS: ["a", "b"]})


@given(st.text(max_size=60))
def test_known_words_are_never_unknown(sentence):
    words = content_words(sentence)
    assert unknown_words([sentence], {WORDS: " ".join(words)}) == []
    assert unknown_words([sentence], {WORDS: ""}) == words


def heat_map(path, query, calibration):
    """The heat map of a query, with a given calibration."""
    encoder, options = FakeEncoder(), LocalizeOptions(scales=(48,))
    encoder.card = dataclasses.replace(get_card("terraseek-tiny"), calibration=calibration)
    with Scene.open(path) as scene:
        localizer = Localizer(scene, encoder, options, cache=False)
        return localizer.heat_map(encode_query(query, encoder, options))


def unknown_word_texts(heat):
    """The warnings about unknown words."""
    return "".join(warning for warning in heat.warnings if "never read" in warning)


def test_unknown_words_are_a_warning(tmp_path):
    rgb = np.full((96, 96, 3), 120, np.uint8)
    rgb[:48, :48] = (230, 20, 20)
    path = write_rgb(tmp_path / "a.tif", rgb)
    background = {"mean": -0.9, "std": 0.01}
    assert not unknown_word_texts(heat_map(path, "red", background | KNOWN))
    unknown = heat_map(path, "red sushi with violins", background | KNOWN)
    assert "never read 'sushi', 'violins' with a picture" in unknown_word_texts(unknown)
    assert not unknown_word_texts(heat_map(path, "red sushi with violins", background))
    # an image has no words
    image = heat_map(path, np.full((9, 9, 3), 200, np.uint8), background | KNOWN)
    assert not unknown_word_texts(image)
    assert image.significance is None
