"""Significance: the best of many windows against the best of as many unrelated ones."""

import dataclasses
import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.rasters import write_rgb
from terraseek.encoders.calibration import Calibration
from terraseek.encoders.fake import FakeEncoder
from terraseek.encoders.registry import get_card
from terraseek.errors import ConfigError
from terraseek.localization import LocalizeOptions, embed_scene
from terraseek.localization.localizer import Localizer
from terraseek.localization.query import encode_query
from terraseek.localization.significance.assessment import Significance, assess
from terraseek.localization.significance.max_of_n import (
    FALSE_POSITIVE_RATE,
    significance_threshold,
    z_of_max,
)
from terraseek.scenes import Scene

SHARES = (
    *(0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995),
    *(0.9998, 0.9999, 0.99995),
)
MEAN, STD = 0.12, 0.04


def card(cosines: np.ndarray):
    """A card calibrated with these cosines, with the quantiles that training writes."""
    values = {
        "mean": float(cosines.mean()),
        "std": float(cosines.std()),
        "quantiles": {f"{q:g}": float(np.quantile(cosines, q)) for q in SHARES},
    }
    return dataclasses.replace(get_card("terraseek-tiny"), calibration=values)


def false_positive_rate(model, scenes: np.ndarray, nominal: float = 0.05) -> float:
    """Fraction of scenes (rows of cosines) whose best exceeds the threshold for a rate."""
    threshold = significance_threshold(
        Calibration.read(model.calibration), scenes.shape[1], nominal
    )
    return float(np.mean(scenes.max(axis=1) > threshold))


@pytest.mark.parametrize("count", [1, 12, 200, 2000])
def test_false_positives_occur_at_the_nominal_rate(count):
    rng = np.random.default_rng(count)
    model = card(rng.normal(MEAN, STD, 400_000))
    rate = false_positive_rate(model, rng.normal(MEAN, STD, (2000, count)))
    assert 0.03 < rate < 0.075


def test_significant_maps_occur_at_the_false_positive_rate():
    rng = np.random.default_rng(7)
    model = card(rng.normal(MEAN, STD, 400_000))
    best = rng.normal(MEAN, STD, (40_000, 50)).max(axis=1)
    rate = np.mean([assess(float(one), 50, model).significant for one in best])
    assert FALSE_POSITIVE_RATE / 2 < rate < FALSE_POSITIVE_RATE * 2


def test_quantiles_describe_a_skewed_background():
    rng = np.random.default_rng(0)
    model = card(rng.gamma(4.0, 0.02, 400_000))
    windows = rng.gamma(4.0, 0.02, (3000, 60))
    assert 0.03 < false_positive_rate(model, windows) < 0.075
    plain = dataclasses.replace(model, calibration={**model.calibration, "quantiles": {}})
    assert false_positive_rate(plain, windows) > 0.2  # with a normal distribution


def test_a_threshold_for_one_pair_is_exceeded_in_nearly_every_scene():
    rng = np.random.default_rng(1)
    scenes = rng.normal(MEAN, STD, (200, 1000))
    single = Calibration(MEAN, STD)
    assert np.mean([single.percentile(row.max()) >= 99 for row in scenes]) > 0.99
    assert false_positive_rate(card(rng.normal(MEAN, STD, 200_000)), scenes) < 0.12


def test_overlapping_windows_do_not_raise_the_false_positive_rate():
    rng = np.random.default_rng(2)
    model = card(rng.normal(0, 1, 400_000))
    scenes = []
    for _ in range(1500):
        ground = rng.normal(size=(21, 21))
        windows = (ground[1:, 1:] + ground[:-1, 1:] + ground[1:, :-1] + ground[:-1, :-1]) / 2
        scenes.append(windows.ravel())
    assert 0.02 < false_positive_rate(model, np.stack(scenes)) < 0.065


def test_an_object_that_is_there_is_significant():
    rng = np.random.default_rng(3)
    model = card(rng.normal(MEAN, STD, 400_000))
    scenes = rng.normal(MEAN, STD, (200, 2000))
    scenes[:, 77] = rng.normal(MEAN + 6 * STD, STD, 200)
    assert false_positive_rate(model, scenes) > 0.95


@given(st.integers(1, 2_000_000), st.floats(0.001, 0.5))
def test_the_threshold_solves_its_equation(count, share):
    z = z_of_max(count, share)
    below = -math.expm1(count * math.log1p(-NormalDist().cdf(-z)))
    assert below == pytest.approx(share, rel=1e-5)
    assert z_of_max(count + 1, share) > z


@given(st.lists(st.floats(-0.2, 0.6), min_size=len(SHARES), max_size=len(SHARES)))
def test_the_threshold_never_falls_with_more_windows(cosines):
    known = Calibration(
        0.1, 0.05, tuple(100 * q for q in SHARES), tuple(round(c, 5) for c in sorted(cosines))
    )
    thresholds = [significance_threshold(known, count) for count in (1, 3, 10, 100, 1000, 100_000)]
    assert thresholds == sorted(thresholds)


@pytest.mark.parametrize("values", [None, {}, {"mean": None, "std": None, "quantiles": None}])
def test_without_calibration_significance_is_unknown(values):
    model = dataclasses.replace(get_card("terraseek-tiny"), calibration=values)
    assert assess(0.9, 100, model) == Significance(None, None, None)
    assert assess(0.9, 100, None) == Significance()


def test_an_invalid_calibration_is_refused():
    model = dataclasses.replace(get_card("terraseek-tiny"), calibration={"mean": 0.1, "std": 0})
    with pytest.raises(ConfigError, match=r"std .* of the model card must be above 0"):
        assess(0.5, 10, model)


@pytest.mark.parametrize(("count", "share"), [(0, 0.05), (5, 0.0), (5, 1.0)])
def test_invalid_count_or_rate(count, share):
    with pytest.raises(ConfigError, match=r"windows does not exist|must lie between"):
        z_of_max(count, share)


@pytest.fixture
def grounds(tmp_path):
    """Two scenes of grey noise; the second has a red spot."""
    rng = np.random.default_rng(4)
    paths = []
    for name in ("plain", "spot"):
        rgb = rng.integers(60, 180, (600, 700, 3)).astype(np.uint8)
        if name == "spot":
            rgb[200:320, 300:430] = (230, 20, 20)
        paths.append(write_rgb(tmp_path / f"{name}.tif", rgb))
    return paths


def heat_map_of(path, query, model):
    """Heat map of a query, with a given model card."""
    encoder, options = FakeEncoder(), LocalizeOptions(scales=(48, 96))
    encoder.card = model
    with Scene.open(path) as scene:
        localizer = Localizer(scene, encoder, options, cache=False)
        return localizer.heat_map(encode_query(query, encoder, options))


def test_absent_and_present_objects_in_scenes(grounds, tmp_path):
    noise = np.random.default_rng(5).integers(60, 180, (900, 900, 3)).astype(np.uint8)
    with Scene.open(write_rgb(tmp_path / "background.tif", noise)) as scene:
        vectors = embed_scene(scene, FakeEncoder(), LocalizeOptions(scales=(48, 96))).vectors
    red = FakeEncoder().encode_texts(["red"])[0]
    model = card(vectors.astype(np.float32) @ red)
    absent, present = (heat_map_of(path, "red", model) for path in grounds)
    assert absent.significant is False
    assert present.significant is True
    assert present.significance_threshold is not None
    assert absent.significance_threshold == pytest.approx(present.significance_threshold)
    # cosines between images have another background distribution, which the card lacks
    assert heat_map_of(grounds[1], np.full((9, 9, 3), 200, np.uint8), model).significant is None


def test_wordings_are_compared_by_their_mean_cosine():
    model = card(np.random.default_rng(6).normal(MEAN, STD, 100_000))
    single, several = assess(0.3, 50, model), assess(0.3 / 0.8, 50, model, mean_length=0.8)
    assert several.confidence == single.confidence
    assert several.threshold == pytest.approx(single.threshold / 0.8)


def test_the_same_wording_twice_has_mean_length_one():
    query = encode_query(["red", "red"], FakeEncoder(), LocalizeOptions())
    assert query.mean_length == pytest.approx(1)
    assert encode_query(
        ["red", "blue"], FakeEncoder(), LocalizeOptions()
    ).mean_length == pytest.approx(0.5**0.5)
