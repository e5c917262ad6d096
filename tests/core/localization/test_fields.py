"""Maps are sampled when they are used, in row blocks, with the same result however sampled."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from helpers.rasters import random_rgb, write_raster
from terraseek.encoders.fake import FakeEncoder
from terraseek.geo import lonlat_to_tile
from terraseek.localization import LocalizeOptions, localize
from terraseek.localization.methods import selo_filters
from terraseek.localization.methods.level_field import LevelField
from terraseek.localization.windows.row_blocks import for_row_blocks
from terraseek.scenes import Scene
from terraseek.tiles import heat_tile


@pytest.mark.parametrize("count", [1, 7, 600, 4001])
@pytest.mark.parametrize("max_rows", [None, 50])
def test_row_blocks_cover_each_row_once(count, max_rows):
    seen = np.zeros(count, int)

    def work(first, last):
        assert max_rows is None or last - first <= max_rows
        seen[first:last] += 1

    for_row_blocks(count, work, 10, max_rows)
    assert (seen == 1).all()


def test_an_error_in_a_row_block_is_raised():
    def work(first, last):
        raise ValueError("in a block")

    with pytest.raises(ValueError, match="in a block"):
        for_row_blocks(1000, work, 10, 100)


@pytest.mark.parametrize("height", [90, 511, 1203])
def test_the_median_in_row_blocks_is_the_median(height, monkeypatch):
    monkeypatch.setattr("terraseek.localization.windows.row_blocks.available_cores", lambda: 3)
    levels = np.random.default_rng(0).integers(0, 256, (height, 300)).astype(np.uint8)
    np.testing.assert_array_equal(
        selo_filters.median_filtered(levels, 5), cv2.medianBlur(levels, 51)
    )


def test_a_level_field_gives_the_score_of_each_level():
    levels = np.array([[0, 255], [128, 3]], np.uint8)
    scores = np.linspace(-1, 1, 256).astype(np.float32)
    unscored = np.array([[False, False], [False, True]])
    drawn = LevelField(levels, scores, (4, 4), unscored).sample(
        np.array([0.5, 1.5, 2.5, 3.5]), np.array([0.5, 3.9])
    )
    assert drawn[:2, 0].tolist() == [-1, -1]
    assert drawn[0, 1] == 1
    assert drawn[2, 0] == scores[128]
    assert np.isnan(drawn[2:, 1]).all()


def scene_with_hole(tmp_path):
    values = np.moveaxis(random_rgb(500, 700), -1, 0).copy()
    values[values == 0] = 1
    values[:, :200, :200] = 0
    return write_raster(tmp_path / "a.tif", values, nodata=0)


@pytest.mark.parametrize("method", ["terraseek", "selo-v1", "selo-v2"])
def test_the_map_in_memory_equals_the_rows_in_full_resolution(tmp_path, method):
    with Scene.open(scene_with_hole(tmp_path)) as scene:
        heat = localize(scene, "red", FakeEncoder(), LocalizeOptions(method=method))
    np.testing.assert_array_equal(heat.score, heat.read_rows(0, 500))
    assert np.isnan(heat.score[:200, :200]).all()
    assert np.isfinite(heat.score[201:, 201:]).all()
    assert heat.low < heat.high <= np.nanmax(heat.score)


def test_a_deep_tile_has_more_detail_than_the_grid_in_memory(tmp_path):
    """A grid of 64 cells loses the edge of the hole; a deep tile still has the exact scores."""
    path = scene_with_hole(tmp_path)
    with Scene.open(path) as scene:
        heat = localize(scene, "red", FakeEncoder(), LocalizeOptions(grid_side=64))
        lon, lat = scene.pixel_to_lonlat(450.5, 350.5)
    zoom = 19
    tile = heat_tile(heat, zoom, *lonlat_to_tile(lon, lat, zoom))
    assert "score" not in vars(heat), "the whole map was computed for one tile"
    pixels = np.asarray(Image.open(io.BytesIO(tile)))
    wanted = heat.to_display(heat.sample(np.array([350.5]), np.array([450.5])))[0, 0]
    near = np.abs(pixels[..., 0].astype(int) - wanted)[pixels[..., 1] == 255]
    assert near.min() <= 1
    assert pixels[..., 1].max() == 255
