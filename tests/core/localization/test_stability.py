"""Stability: a heat map should not depend on the position of the windows."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from helpers.rasters import random_rgb, write_raster, write_rgb
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import LatticeError
from terraseek.localization import LocalizeOptions, localize
from terraseek.localization.stability import correlation_distance, stability
from terraseek.localization.windows.fields import NodeField
from terraseek.scenes import Scene


@pytest.mark.parametrize("method", ["terraseek", "selo-v1", "selo-v2"])
def test_smooth_ground_gives_a_stable_map(tmp_path, method):
    path = write_rgb(tmp_path / "a.tif", random_rgb(600, 700))
    options = LocalizeOptions(method=method, scales=(64, 128))
    with Scene.open(path) as scene:
        found = stability(scene, "red", FakeEncoder(), options)
    assert found.shift_px == 16
    assert 0 <= found.shifted < (0.02 if method == "terraseek" else 0.4)
    assert 0 <= found.cropped < (0.05 if method == "terraseek" else 2.0)


def test_fine_texture_makes_a_map_less_stable(tmp_path):
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 255, (50, 60, 3)).astype(np.uint8)
    rough = np.repeat(np.repeat(blocks, 10, axis=0), 10, axis=1)
    found = []
    for name, rgb in (("smooth", random_rgb(500, 600)), ("rough", rough)):
        path = write_rgb(tmp_path / f"{name}.tif", rgb)
        with Scene.open(path) as scene:
            found.append(stability(scene, "red", FakeEncoder(), LocalizeOptions(scales=(40,))))
    assert found[1].shifted > 3 * found[0].shifted


def test_the_peak_stays_on_a_spot(tmp_path):
    rgb = np.full((400, 500, 3), 110, np.uint8)
    rgb[150:230, 200:280] = (230, 20, 20)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    with Scene.open(tmp_path / "a.png") as scene:
        found = stability(scene, "red", FakeEncoder(), LocalizeOptions(scales=(64,)))
    assert found.peak_px <= 40


def test_invalid_pixels_stay_out(tmp_path):
    values = np.moveaxis(random_rgb(400, 500), -1, 0).copy()
    values[values == 0] = 1
    values[:, :, :120] = 0
    path = write_raster(tmp_path / "a.tif", values, nodata=0)
    with Scene.open(path) as scene:
        found = stability(scene, "red", FakeEncoder(), LocalizeOptions(scales=(48,)))
    assert found.shifted < 0.05


def test_a_scene_too_small_to_be_cropped(tmp_path):
    Image.fromarray(random_rgb(20, 20)).save(tmp_path / "a.png")
    options = LocalizeOptions(scales=(64,))
    with Scene.open(tmp_path / "a.png") as scene, pytest.raises(LatticeError, match="cut by 16"):
        stability(scene, "red", FakeEncoder(), options)


def test_correlation_distance_by_hand(tmp_path):
    Image.fromarray(random_rgb(64, 64)).save(tmp_path / "a.png")
    with Scene.open(tmp_path / "a.png") as scene:
        heat = localize(scene, "red", FakeEncoder(), LocalizeOptions(scales=(16,)))

    def with_values(function):
        field = NodeField(
            heat.field.node_rows, heat.field.node_cols, function(heat.field.values).astype("f4")
        )
        return dataclasses.replace(heat, field=field)

    def distance(whole, other):
        return correlation_distance(whole, other, 0, 0)

    assert distance(heat, heat) == pytest.approx(0, abs=1e-6)
    assert distance(heat, with_values(lambda v: 3 * v + 1)) == pytest.approx(0, abs=1e-5)
    assert distance(heat, with_values(lambda v: -v)) == pytest.approx(2, abs=1e-6)
    flat = with_values(lambda v: 0 * v)
    assert (distance(heat, flat), distance(flat, flat)) == (1, 0)
