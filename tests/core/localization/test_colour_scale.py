"""Colours by level: nothing where there is no evidence, equal levels in equal colours."""

import base64
import dataclasses
import io
import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from PIL import Image

from helpers.rasters import UTM_GRID, write_rgb
from terraseek.encoders.fake import FakeEncoder
from terraseek.encoders.registry import get_card
from terraseek.localization import (
    LocalizeOptions,
    draw_figure,
    localize,
    overlay,
    regions,
    regions_geojson,
    write_cog,
)
from terraseek.localization.output.colour.palette import LEVEL_COLOURS, turbo
from terraseek.localization.output.colour.qgis_style import heat_qml
from terraseek.localization.output.colour.scale import LIKELY_AT, POSSIBLE_AT, ColourScale
from terraseek.localization.output.colour.value_image import value_image, value_range
from terraseek.localization.output.figure.map_image import draw_map
from terraseek.localization.output.html_map.write import heat_html
from terraseek.localization.output.numbers import map_numbers
from terraseek.request import LocalizeRequest
from terraseek.scenes import Scene
from terraseek.significance.model import DEFAULTS
from terraseek.significance.scale import LevelScale

FIT_ALONE = dict.fromkeys(DEFAULTS["scene"].to_json(), 0.0) | {
    "fit": 1.0, "likely_from": 6.0, "possible_from": 4.0, "hit_query": 1.0,
}  # fmt: skip


@pytest.fixture
def encoder():
    """Fake encoder whose level is how well the best windows fit the sentence."""
    made = FakeEncoder()
    calibration = {"mean": 0.1, "std": 0.05, "significance": {"scene": FIT_ALONE}}
    made.card = dataclasses.replace(get_card("terraseek-tiny"), calibration=calibration)
    return made


def scene_file(path, spot=(230, 20, 20), seed=4):
    """Grey noise with a spot, in UTM."""
    rgb = np.random.default_rng(seed).integers(60, 180, (400, 500, 3)).astype(np.uint8)
    rgb[100:220, 200:330] = spot
    return write_rgb(path, rgb, transform=UTM_GRID, crs="EPSG:32633")


def ask(path, query, encoder):
    with Scene.open(path) as scene:
        return localize(scene, query, encoder, LocalizeOptions(scales=(48, 96)), cache=False)


def heat_shown(path, heat, stretch):
    """Share of the pixels that a heat map changes by more than a tenth of the range."""
    with Scene.open(path) as scene:
        drawn = overlay(scene, heat, 500, stretch).astype(int)
        plain = scene.preview(500)[0].astype(int)
    return float((np.abs(drawn - plain).max(axis=2) > 25).mean())


def test_a_scene_without_the_thing_looks_like_nothing_unless_stretched(tmp_path, encoder):
    path = scene_file(tmp_path / "a.tif")
    there, absent = ask(path, "red", encoder), ask(path, "green", encoder)
    assert (there.significance, absent.significance) == ("likely", "none")
    assert heat_shown(path, absent, stretch=False) < 0.005
    assert heat_shown(path, absent, stretch=True) > 0.15
    assert heat_shown(path, there, stretch=False) > 0.03
    assert heat_shown(path, there, stretch=True) > 0.03


def test_the_same_log_odds_have_the_same_colour_in_two_scenes(tmp_path, encoder):
    heats = [
        ask(scene_file(tmp_path / "a.tif"), "red", encoder),
        ask(scene_file(tmp_path / "b.tif", (135, 105, 100), seed=9), "red", encoder),
    ]
    shown = []
    for heat in heats:
        scale, levels = heat.colour_scale(), heat.level_scale
        # of the best place, by hand: possible begins at 4 and likely at 6
        assert scale.position(heat.peak.score) == pytest.approx(
            min(max(POSSIBLE_AT + (levels.best - 4) / 2 * (LIKELY_AT - POSSIBLE_AT), 0), 1),
            abs=1e-6,
        )
        scores = [heat.peak.score - levels.below_best(odds) for odds in (3.0, 4.0, 5.0, 6.0, 7.0)]
        shown.append(scale.image(np.array([scores], np.float32)))
    assert heats[0].level_scale.best != pytest.approx(heats[1].level_scale.best, abs=0.1)
    assert np.abs(shown[0].astype(int) - shown[1]).max() <= 4  # a step of 8 bits
    assert heats[0].colour_scale(stretch=True) != heats[1].colour_scale(stretch=True)


def test_levels_begin_at_their_places_and_regions_have_the_level_of_their_peak():
    levels = LevelScale(best=4.0, per_score=20.0, possible_from=1.0, likely_from=3.0)
    scale = ColourScale.of_levels(levels, best_score=0.5)
    assert (scale.possible_from, scale.likely_from) == pytest.approx((0.35, 0.45))
    assert scale.position(0.35) == pytest.approx(POSSIBLE_AT)
    assert scale.position(0.45) == pytest.approx(LIKELY_AT)
    assert [levels.level(0.5 - s) for s in (0.46, 0.44, 0.36, 0.34)] == [
        "likely", "possible", "possible", "none",
    ]  # fmt: skip
    opacity = scale.table[:, 3].astype(int)
    below = int(255 * POSSIBLE_AT)
    assert opacity[0] == 0
    assert opacity[: below + 1].max() < 45
    assert (opacity[below + 15 :] == opacity[-1]).all()


def test_without_calibration_the_scale_is_stretched_and_says_so(tmp_path):
    heat = ask(scene_file(tmp_path / "a.tif"), "red", FakeEncoder())
    assert heat.level_scale is None
    assert heat.colour_scale() == heat.colour_scale(stretch=True)
    assert "stretched to this scene" in heat.colour_scale().note
    assert map_numbers(heat)["possible_from"] is None


def test_figure_page_style_and_cog_have_one_scale(tmp_path, encoder):
    heat = ask(scene_file(tmp_path / "a.tif"), "red", encoder)
    scale, warm = heat.colour_scale(), turbo(np.full((1, 1), 140, np.uint8))[0, 0]
    # figure: the ramp of the legend has the colour of a likely place
    figure = np.asarray(draw_figure(heat)).astype(int)
    assert (np.abs(figure[:, -620:] - warm).max(axis=2) <= 3).any()
    assert not np.array_equal(figure, np.asarray(draw_figure(heat, stretch=True)))
    # page: its values and colours
    page = heat_html(heat)
    data = json.loads(re.search(r'id="data"[^>]*>(.*?)</script>', page, re.DOTALL)[1])
    assert (data["low"], data["high"]) == (scale.low, scale.high)
    assert data["colours"][140][:3] == warm.tolist()
    assert data["colours"][0][3] == 0
    image = Image.open(io.BytesIO(base64.b64decode(data["heat"].partition(",")[2])))
    assert np.asarray(image)[..., 0].max() == scale.values(heat.score).max()
    assert 'class="marks"><span style="left:25%">possible' in page
    # style of QGIS: scores and colours
    items = list(ElementTree.fromstring(heat_qml(heat)).iter("item"))
    assert [float(items[at].get("value")) for at in (0, -1)] == [scale.low, scale.high]
    assert (items[0].get("alpha"), items[-1].get("alpha")) == ("0", "255")
    stretched = list(ElementTree.fromstring(heat_qml(heat, stretch=True)).iter("item"))
    assert float(stretched[0].get("value")) == heat.low
    # COG: scores from which the levels begin
    with rasterio.open(write_cog(heat, tmp_path / "heat.tif")) as cog:
        tags = cog.tags(1)
    assert float(tags["TERRASEEK_POSSIBLE_FROM"]) == scale.possible_from
    assert float(tags["TERRASEEK_LIKELY_FROM"]) == scale.likely_from
    numbers = map_numbers(heat)
    assert (numbers["possible_from"], numbers["likely_from"]) == (
        scale.possible_from,
        scale.likely_from,
    )


def test_a_weaker_region_has_a_weaker_level(tmp_path, encoder):
    path = tmp_path / "two.tif"
    rgb = np.full((400, 800, 3), 120, np.uint8)
    rgb[100:240, 80:220] = (230, 20, 20)
    rgb[100:240, 560:700] = (145, 100, 100)
    heat = ask(write_rgb(path, rgb, transform=UTM_GRID, crs="EPSG:32633"), "red", encoder)
    lowest = heat.low + 0.1 * (heat.high - heat.low)
    first, second = (region.peak.score for region in regions(heat, lowest))
    # the best place has log odds of 1, the other region of -1
    levels = LevelScale(1.0, 2 / (first - second), possible_from=-2.0, likely_from=0.0)
    heat = dataclasses.replace(heat, level_scale=levels)
    features = regions_geojson(heat, threshold=lowest)["features"]
    assert [one["properties"]["significance"] for one in features] == ["likely", "possible"]
    drawn = draw_map(heat, regions(heat, lowest), (400, 800)).astype(int)
    for half, other, level in ((drawn[:, :400], drawn[:, 400:], "likely"),
                               (drawn[:, 400:], drawn[:, :400], "possible")):  # fmt: skip
        is_line = [np.abs(part - LEVEL_COLOURS[level]).max(axis=2) < 4 for part in (half, other)]
        assert is_line[0].sum() > 50 > is_line[1].sum()


def test_a_script_the_model_cannot_read_has_no_colour(tmp_path, encoder):
    path = scene_file(tmp_path / "a.tif")
    heat = ask(path, "\u0645\u0637\u0627\u0631", encoder)
    assert heat.significance == "none"
    assert heat_shown(path, heat, stretch=False) < 0.005


def test_the_image_for_browsers_holds_every_score_in_16_bits(tmp_path, encoder):
    with rasterio.open(scene_file(tmp_path / "a.tif")) as placed:
        pixels = placed.read()
    Image.fromarray(np.moveaxis(pixels, 0, 2)).save(tmp_path / "a.png")
    heat = ask(tmp_path / "a.png", "red", encoder)
    image = value_image(heat, 1536).astype(int)
    low, high = value_range(heat)
    scores = low + (256 * image[..., 0] + image[..., 2]) / 65535 * (high - low)
    np.testing.assert_allclose(scores, heat.score, atol=1e-5)
    assert (image[..., 1] == 255).all()


def test_stretch_is_a_parameter_of_requests():
    request = LocalizeRequest.from_params({"q": ["red"], "stretch": ["1"]})
    assert request.stretch
    assert request.to_params() == {"q": ["red"], "stretch": "1"}


def test_a_scene_with_equal_scores_everywhere_has_no_range_of_rounding(tmp_path, encoder):
    rgb = np.full((400, 500, 3), (60, 150, 60), np.uint8)
    rgb[100:220, 200:330] = (205, 40, 40)
    heat = ask(write_rgb(tmp_path / "a.tif", rgb, transform=UTM_GRID), "green", encoder)
    assert heat.high - heat.low > 1e-4
