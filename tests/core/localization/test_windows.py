"""Windows are read from overviews of sufficient resolution, and get the same vectors."""

import numpy as np
import pytest
import rasterio
from rasterio.enums import Resampling

from helpers.rasters import random_rgb, write_rgb
from terraseek.encoders.fake import FakeEncoder
from terraseek.localization import LocalizeOptions, embed_scene
from terraseek.localization.windows.reader import WindowReader
from terraseek.scenes import Scene


class Counting(Scene):
    """Counts the pixels that were read."""

    pixels = 0

    def window(self, row0, col0, row1, col1, size=None):
        rgb, valid = super().window(row0, col0, row1, col1, size)
        self.pixels += valid.size
        return rgb, valid


def textured(side):
    rgb = random_rgb(side, side).astype(int)
    rgb += np.random.default_rng(0).integers(-25, 25, rgb.shape)
    return np.clip(rgb, 1, 255).astype(np.uint8)


def embedded(path, options):
    with Counting.open(path) as scene:
        return embed_scene(scene, FakeEncoder(), options, cache=False), scene.pixels


def test_overviews_are_used_and_give_the_same_vectors(tmp_path):
    rgb = textured(1024)
    plain = write_rgb(tmp_path / "plain.tif", rgb, tiled=True)
    small = write_rgb(tmp_path / "small.tif", rgb, tiled=True)
    with rasterio.open(small, "r+") as target:
        target.build_overviews([2, 4, 8], Resampling.average)
    options = LocalizeOptions(scales=(256, 512))
    slow, all_pixels = embedded(plain, options)
    fast, few_pixels = embedded(small, options)
    assert few_pixels < all_pixels / 4
    cosine = np.sum(slow.vectors.astype(float) * fast.vectors.astype(float), axis=1)
    assert cosine.min() > 0.999


def test_windows_of_the_encoders_size_are_read_in_full(tmp_path):
    rgb = textured(256)
    path = write_rgb(tmp_path / "a.tif", rgb, tiled=True, overviews=(2, 4))
    with Scene.open(path) as scene:
        known, squares = WindowReader(scene, 32).squares(np.array([[64, 96, 96, 128]], np.int32))
    assert known.all()
    np.testing.assert_array_equal(squares[0], rgb[64:96, 96:128])


@pytest.mark.parametrize("overviews", [(), (2, 4)])
def test_each_row_is_decoded_about_once(tmp_path, overviews):
    """Four windows overlap at each pixel; strips avoid reading it four times."""
    path = write_rgb(tmp_path / "a.tif", textured(900), overviews=overviews)
    _, pixels = embedded(path, LocalizeOptions(scales=(60,)))
    assert pixels <= 900 * 900 * 1.1


def test_an_overview_is_read_about_once_too(tmp_path):
    path = write_rgb(tmp_path / "a.tif", textured(1024), tiled=True, overviews=(2, 4, 8))
    _, pixels = embedded(path, LocalizeOptions(scales=(256,)))
    factor = 256 // FakeEncoder().image_size
    assert pixels <= (1024 / factor) ** 2 * 1.1


@pytest.mark.parametrize("size", [1024, 901])
@pytest.mark.parametrize("corner", [(0, 0), (128, 64), (513, 300), (512, 640)])
def test_a_window_of_a_strip_is_the_window_read_by_itself(tmp_path, size, corner):
    path = write_rgb(tmp_path / "a.tif", textured(size), tiled=True, overviews=(2, 4))
    row, col = corner
    windows = np.array([[0, 0, 256, 256], [row, col, row + 256, col + 256]], np.int32)
    with Scene.open(path) as scene:
        _, squares = WindowReader(scene, 64).squares(windows)
        expected, _ = scene.window(row, col, row + 256, col + 256, (64, 64))
    # overviews of sides that are no multiples are shifted by parts of a pixel, the same for both
    apart = np.abs(squares[1].astype(int) - expected)
    assert apart.max() == 0 if size == 1024 else apart.mean() < 3
