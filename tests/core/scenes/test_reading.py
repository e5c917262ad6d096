"""Reading a scene by a box in degrees, by a place, and for a notebook."""

import io

import numpy as np
import pytest
from affine import Affine
from PIL import Image

from helpers.rasters import random_rgb, write_raster, write_rgb
from terraseek.errors import BBoxError, OutsideSceneError
from terraseek.geo import BBox
from terraseek.scenes import Scene

DEGREES = {"crs": "EPSG:4326", "transform": Affine(0.01, 0, 10, 0, -0.01, 50)}
"""A grid from 10 E, 50 N with pixels of a hundredth of a degree."""
WORLD = {"crs": "EPSG:4326", "transform": Affine(1, 0, -180, 0, -1, 90)}


def decoded(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png), formats=["PNG"]))


@pytest.mark.parametrize(
    ("bbox", "window"),
    [
        ((10.2, 49.5, 10.5, 49.9), (10, 20, 50, 50)),  # edges on edges of pixels
        ((10.204, 49.504, 10.496, 49.896), (10, 20, 50, 50)),  # edges inside pixels
        ((10.253, 49.746, 10.254, 49.747), (25, 25, 26, 26)),  # inside one pixel
        ((9.0, 49.8, 10.1, 51.0), (0, 0, 20, 10)),  # partly outside
        ((-170, -80, 170, 80), (0, 0, 60, 90)),  # around the scene
    ],
)
def test_a_part_is_the_window_that_covers_the_box(tmp_path, bbox, window):
    rgb = random_rgb(60, 90)
    row0, col0, row1, col1 = window
    with Scene.open(write_rgb(tmp_path / "a.tif", rgb, **DEGREES)) as scene:
        for box in (bbox, BBox(*bbox)):
            part, valid = scene.part(box)
            np.testing.assert_array_equal(part, rgb[row0:row1, col0:col1])
            assert valid.all()
        same, _ = scene.window(*window)
        np.testing.assert_array_equal(part, same)


def test_a_part_of_a_projected_scene_contains_the_pixels_of_the_box(tmp_path):
    rgb = random_rgb(80, 100)
    with Scene.open(write_rgb(tmp_path / "a.tif", rgb)) as scene:
        west, north = scene.pixel_to_lonlat(30, 20)
        east, south = scene.pixel_to_lonlat(60, 50)
        part, _ = scene.part((west, south, east, north))
    # meridian convergence is far below a pixel at the central meridian of the zone
    assert part.shape[0] in (30, 31, 32)
    assert part.shape[1] in (30, 31, 32)
    found = [
        np.array_equal(part, rgb[row : row + part.shape[0], col : col + part.shape[1]])
        for row in (19, 20)
        for col in (29, 30)
    ]
    assert sum(found) == 1


def test_a_part_is_reduced_to_the_longest_side(tmp_path):
    with Scene.open(write_rgb(tmp_path / "a.tif", random_rgb(60, 90), **DEGREES)) as scene:
        part, valid = scene.part((10.1, 49.6, 10.5, 49.8), max_side=20)
        expected, _ = scene.window(20, 10, 40, 50, (10, 20))
    assert part.shape == (10, 20, 3)
    assert valid.shape == (10, 20)
    np.testing.assert_array_equal(part, expected)


def test_the_mask_of_a_part_is_that_of_its_pixels(tmp_path):
    mask = np.full((60, 90), 255, np.uint8)
    mask[10:20, 20:25] = 0
    path = write_raster(
        tmp_path / "a.tif", np.moveaxis(random_rgb(60, 90), -1, 0), mask=mask, **DEGREES
    )
    with Scene.open(path) as scene:
        rgb, valid = scene.part((10.2, 49.8, 10.3, 49.9))
        np.testing.assert_array_equal(valid, mask[10:20, 20:30] > 0)
        assert not rgb[~valid].any()
        assert scene.point(10.205, 49.895) is None


def test_a_part_across_the_antimeridian(tmp_path):
    rgb = random_rgb(20, 40)
    grid = Affine(0.5, 0, 170, 0, -0.5, 10)  # from 170 E to 170 W
    with Scene.open(write_rgb(tmp_path / "a.tif", rgb, crs="EPSG:4326", transform=grid)) as scene:
        part, _ = scene.part((178, 5, -176, 8))
        np.testing.assert_array_equal(part, rgb[4:10, 16:28])
        east, _ = scene.part((-180, 5, -176, 8))
        np.testing.assert_array_equal(east, rgb[4:10, 20:28])
        np.testing.assert_array_equal(scene.point(-179.9, 9.9), rgb[0, 20])
        np.testing.assert_array_equal(scene.point(179.9, 9.9), rgb[0, 19])


def test_a_box_over_both_ends_of_a_world_map_is_refused(tmp_path):
    rgb = random_rgb(180, 360)
    with Scene.open(write_rgb(tmp_path / "world.tif", rgb, **WORLD)) as scene:
        with pytest.raises(OutsideSceneError, match=r"both ends of world\.tif"):
            scene.part((170, 0, -170, 10))
        west, _ = scene.part((170, 0, 180, 10))
        np.testing.assert_array_equal(west, rgb[80:90, 350:])
        east, _ = scene.part((-180, 0, -170, 10))
        np.testing.assert_array_equal(east, rgb[80:90, :10])
        whole, _ = scene.part((-180, -90, 180, 90))
        np.testing.assert_array_equal(whole, rgb)


def test_a_box_around_the_pole_of_a_polar_scene(tmp_path):
    rgb = random_rgb(100, 100)
    grid = Affine(50_000, 0, -2_500_000, 0, -50_000, 2_500_000)
    path = write_rgb(tmp_path / "arctic.tif", rgb, crs="EPSG:3995", transform=grid)
    with Scene.open(path) as scene:
        part, _ = scene.part((-180, 80, 180, 90))
        col, row = scene.lonlat_to_pixel(0, 80)
    radius = np.hypot(col - 50, row - 50)
    assert part.shape[0] == part.shape[1]
    assert part.shape[0] / 2 == pytest.approx(radius, abs=1.1)
    margin = (100 - part.shape[0]) // 2
    np.testing.assert_array_equal(part, rgb[margin : 100 - margin, margin : 100 - margin])


def test_places_outside_the_scene_are_refused_in_words(tmp_path):
    with Scene.open(write_rgb(tmp_path / "a.tif", random_rgb(60, 90), **DEGREES)) as scene:
        with pytest.raises(OutsideSceneError, match=r"20,10,30,11 is outside a\.tif.*10,49\.4"):
            scene.part((20, 10, 30, 11))
        with pytest.raises(OutsideSceneError, match=r"latitude 49\.9 is outside a\.tif"):
            scene.point(9, 49.9)
        with pytest.raises(BBoxError, match="south 60"):
            scene.part((10, 60, 11, 49))
    Image.fromarray(random_rgb(20, 20)).save(tmp_path / "b.png")
    with Scene.open(tmp_path / "b.png") as scene:
        with pytest.raises(OutsideSceneError, match=r"b\.png has no georeference"):
            scene.part((10, 49, 11, 50))
        with pytest.raises(OutsideSceneError, match=r"b\.png has no georeference"):
            scene.point(10, 49)


def test_a_point_is_the_pixel_at_that_place(tmp_path):
    rgb = random_rgb(60, 90)
    with Scene.open(write_rgb(tmp_path / "a.tif", rgb, **DEGREES)) as scene:
        np.testing.assert_array_equal(scene.point(10.234, 49.776), rgb[22, 23])
        np.testing.assert_array_equal(scene.point(10.9, 49.4), rgb[59, 89])  # the corner
        lon, lat = scene.pixel_to_lonlat(70.5, 3.5)
        np.testing.assert_array_equal(scene.point(lon, lat), rgb[3, 70])


def test_a_notebook_shows_the_pixels_of_the_scene(tmp_path):
    rgb = random_rgb(60, 90)
    mask = np.full((60, 90), 255, np.uint8)
    mask[:5] = 0
    path = write_raster(tmp_path / "a.tif", np.moveaxis(rgb, -1, 0), mask=mask, **DEGREES)
    with Scene.open(path) as scene:
        image = decoded(scene._repr_png_())
        assert repr(scene) == (
            "<Scene 'a.tif': 90 x 60 pixels, 3 bands uint8, 896 m per pixel, EPSG:4326>"
        )
    np.testing.assert_array_equal(image[..., 3], mask)
    np.testing.assert_array_equal(image[5:, :, :3], rgb[5:])
    assert scene._repr_png_() is None  # closed


def test_the_preview_in_a_notebook_is_small(tmp_path):
    with Scene.open(write_rgb(tmp_path / "a.tif", random_rgb(600, 1200))) as scene:
        image = decoded(scene._repr_png_())
        small, _ = scene.preview(512)
    assert image.shape == (256, 512, 4)
    np.testing.assert_array_equal(image[..., :3], small)
