import numpy as np
import pytest

from terraseek_demoworld import CATEGORIES, make_chip
from terraseek_demoworld.places import PLACES, random_place

COASTAL = {"harbour", "storage tanks", "beach"}


@pytest.mark.parametrize("category", CATEGORIES)
def test_images_lie_near_an_anchor_of_their_category(category):
    table = PLACES[category]
    rng = np.random.default_rng(4)
    for _ in range(40):
        place = random_place(category, rng)
        away = min(
            max(abs(place.lat - a.lat), abs(place.lon - a.lon))
            for a in table.anchors
            if a.name == place.name
        )
        assert away <= table.jitter_deg + 1e-6
        assert -60 < place.lat < 70
        assert -180 <= place.lon <= 180


@pytest.mark.parametrize("category", sorted(COASTAL))
def test_what_needs_a_shore_stays_within_two_kilometres_of_it(category):
    assert PLACES[category].jitter_deg <= 0.015


def test_no_harbour_in_the_desert_and_no_desert_by_the_sea():
    harbours = {(a.lat, a.lon) for a in PLACES["harbour"].anchors}
    for desert in PLACES["desert"].anchors:
        nearest = min(np.hypot(desert.lat - lat, desert.lon - lon) for lat, lon in harbours)
        assert nearest > 3
        assert desert.climate == "arid"


def test_both_hemispheres_are_there():
    for category in ("airport", "harbour", "forest", "mountains", "dense housing"):
        lats = [a.lat for a in PLACES[category].anchors]
        assert min(lats) < 0 < max(lats)


def test_a_chip_carries_its_place():
    chip = make_chip("beach", 8)
    assert any(anchor.name == chip.place for anchor in PLACES["beach"].anchors)
