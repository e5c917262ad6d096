import re

import numpy as np
import pytest

from terraseek.errors import ConfigError
from terraseek_demoworld import CATEGORIES, iter_chips, make_chip
from terraseek_demoworld.captions.phrases import count_phrase, number_word
from terraseek_demoworld.captions.templates import TEMPLATES
from terraseek_demoworld.places import PLACES

WORDS = [number_word(n) for n in range(13)]
COUNTED = {
    # category: what a caption counts, and the name of the polygons it stands for
    "airport": (r"planes?", "plane"),
    "runway": (r"planes?", "plane"),
    "storage tanks": (r"(?:white|gray|rusty|pale green) storage tanks?", "storage tank"),
    "sparse housing": (r"(?:\w+ roofed )?houses?", "house"),
    "circular fields": (r"circular fields?", "circular field"),
    "river with bridge": (r"(?:\w+ )?bridges?", "bridge"),
    "lake": (r"islands?", "island"),
    "solar farm": (r"blocks?", "solar panels"),
    "tennis courts": (r"(?:\w+ )?tennis courts?", "tennis court"),
    "baseball diamond": (r"baseball fields?", "baseball field"),
    "warehouses": (r"(?:large )?warehouses?", "warehouse"),
    "golf course": (r"sand bunkers?", "bunker"),
    "railway station": (r"(?:\w+ )?trains?", "train"),
    "park": (r"(?:\w+ )?flower beds?", "flower bed"),
    "playground": (r"basketball courts?", "basketball court"),
}


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_chip_is_complete_and_inside_its_frame(category):
    chip = make_chip(category, 3)
    assert chip.image.shape == (224, 224, 3)
    assert chip.image.dtype == np.uint8
    assert chip.image.std() > 4, "an empty image"
    assert chip.category == category
    assert 0.3 <= chip.gsd_m <= 1.0
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", chip.captured_at)
    assert len(set(chip.captions)) == 5
    for caption in chip.captions:
        assert "{" not in caption
        assert "  " not in caption
        assert caption.endswith(".")
    assert chip.polygons
    for drawn in chip.polygons:
        points = np.array(drawn.points)
        assert len(points) >= 3
        assert points.min() >= 0
        assert points.max() <= 224


def test_the_same_seed_gives_the_same_image_and_another_seed_another():
    first, again, other = (make_chip("harbour", seed) for seed in (11, 11, 12))
    assert first.image.tobytes() == again.image.tobytes()
    assert first.captions == again.captions
    assert first.image.tobytes() != other.image.tobytes()


@pytest.mark.parametrize("category", COUNTED)
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_captions_state_the_number_of_drawn_things(category, seed):
    chip = make_chip(category, seed)
    thing, name = COUNTED[category]
    drawn = sum(polygon.name == name for polygon in chip.polygons)
    expected = number_word(drawn)
    stated = [
        match
        for caption in chip.captions
        for match in re.findall(rf"\b({'|'.join([*WORDS, 'many'])}) {thing}\b", caption)
    ]
    assert all(word == expected for word in stated), (expected, chip.captions)


def test_most_categories_state_counts_in_their_captions():
    n_stated = sum(
        any(re.search(rf"\b({'|'.join(WORDS)}) {COUNTED[c][0]}\b", text) for text in chip.captions)
        for c in COUNTED
        for chip in [make_chip(c, 5)]
    )
    assert n_stated >= 12


def test_each_round_has_all_categories():
    names = [chip.category for chip in iter_chips(len(CATEGORIES), seed=9)]
    assert sorted(names) == sorted(CATEGORIES)


def test_iter_chips_depends_on_the_seed():
    (first,), (other,) = list(iter_chips(1, seed=1)), list(iter_chips(1, seed=2))
    assert first.image.tobytes() != other.image.tobytes()


def test_an_unknown_category_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"no category 'moon base'.*airport"):
        make_chip("moon base", 0)


def test_every_category_has_places_and_sentences():
    assert set(TEMPLATES) == set(PLACES) == set(CATEGORIES)
    assert len(CATEGORIES) >= 22
    for category in CATEGORIES:
        assert len(PLACES[category].anchors) >= 10
        assert len(TEMPLATES[category]) >= 6


def test_numbers_become_words_up_to_twelve():
    assert count_phrase(0, "ship") == "no ships"
    assert count_phrase(1, "ship") == "one ship"
    assert count_phrase(12, "ship") == "twelve ships"
    assert count_phrase(13, "ship") == "many ships"
    assert count_phrase(2, "hall with a roof", "halls with roofs") == "two halls with roofs"
