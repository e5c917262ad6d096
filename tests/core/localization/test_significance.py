"""Significance of heat maps: one level for map, regions, JSON and files."""

import dataclasses

import numpy as np
import pytest

from helpers.rasters import write_rgb
from terraseek.encoders.fake import FakeEncoder
from terraseek.encoders.registry import get_card
from terraseek.errors import ConfigError
from terraseek.localization import HeatMap, LocalizeOptions
from terraseek.localization.localizer import Localizer
from terraseek.localization.output.geojson import regions_geojson
from terraseek.localization.output.numbers import map_numbers, summary
from terraseek.localization.query import encode_minus, encode_query
from terraseek.scenes import Scene
from terraseek.significance.model import DEFAULTS, LEVELS

BACKGROUND = {"mean": 0.1, "std": 0.05}


@pytest.fixture
def spot(tmp_path):
    """A scene of grey noise with a red spot."""
    rgb = np.random.default_rng(4).integers(60, 180, (400, 500, 3)).astype(np.uint8)
    rgb[100:220, 200:330] = (230, 20, 20)
    return write_rgb(tmp_path / "spot.tif", rgb)


def heat_map_of(path, query, calibration, minus: tuple[str, ...] = ()) -> HeatMap:
    """Heat map of a query with the fake encoder and a card with this calibration."""
    encoder, options = FakeEncoder(), LocalizeOptions(scales=(48, 96), minus=minus)
    encoder.card = dataclasses.replace(get_card("terraseek-tiny"), calibration=calibration)
    with Scene.open(path) as scene:
        localizer = Localizer(scene, encoder, options, cache=False)
        found = localizer.heat_map(
            encode_query(query, encoder, options), encode_minus(encoder, options)
        )
    return found


def evidence_only(weight: str, likely_from: float) -> dict[str, object]:
    """A calibration whose scene model looks at one number."""
    values = dict.fromkeys(DEFAULTS["scene"].to_json(), 0.0)
    values |= {weight: 1.0, "likely_from": likely_from, "possible_from": likely_from - 1}
    return BACKGROUND | {"significance": {"scene": values | {"hit_query": 1.0}}}


def test_what_is_there_fits_better_than_what_is_not(spot):
    fitted = evidence_only("fit", 3.0)
    assert heat_map_of(spot, "red", fitted).significance == "likely"
    assert heat_map_of(spot, "green", fitted).significance == "none"
    # the red spot is what is subtracted
    assert heat_map_of(spot, "red", fitted, ("red",)).significance == "none"


def test_the_level_is_in_every_answer(spot):
    heat = heat_map_of(spot, "red", BACKGROUND)
    assert heat.significance in LEVELS
    assert heat.significant is (heat.significance == "likely")
    assert 0 <= heat.probability <= 1
    assert summary(heat)["significance"] == heat.significance
    numbers = map_numbers(heat)
    assert (numbers["significance"], numbers["probability"], numbers["convincing"]) == (
        heat.significance,
        heat.probability,
        heat.significant,
    )
    regions = regions_geojson(heat)["features"]
    assert regions[0]["properties"]["significance"] == heat.significance


def test_minus_and_several_wordings_have_significance_and_images_have_none(spot):
    assert heat_map_of(spot, "red", BACKGROUND, ("blue",)).significance in LEVELS
    assert heat_map_of(spot, ["red", "bright red"], BACKGROUND).significance in LEVELS
    assert heat_map_of(spot, np.full((9, 9, 3), 200, np.uint8), BACKGROUND).significance is None


def test_a_script_the_model_cannot_read_is_no_evidence(spot):
    arabic = heat_map_of(spot, "\u0645\u0637\u0627\u0631", BACKGROUND)
    assert (arabic.significance, arabic.probability) == ("none", 0)


@pytest.mark.parametrize("calibration", [None, {}, {"mean": None, "std": None}])
def test_without_calibration_significance_is_unknown(spot, calibration):
    heat = heat_map_of(spot, "red", calibration)
    assert (heat.significance, heat.significant, heat.probability) == (None, None, None)
    assert summary(heat)["significance"] is None


def test_an_invalid_calibration_is_refused(spot):
    with pytest.raises(ConfigError, match=r"std .* of the model card must be above 0"):
        heat_map_of(spot, "red", {"mean": 0.1, "std": 0})


def test_the_same_wording_twice_has_mean_length_one():
    query = encode_query(["red", "red"], FakeEncoder(), LocalizeOptions())
    assert query.mean_length == pytest.approx(1)
    assert encode_query(
        ["red", "blue"], FakeEncoder(), LocalizeOptions()
    ).mean_length == pytest.approx(0.5**0.5)
