"""Scenes georeferenced by control points: polynomial fits, and notes about contradictions."""

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint

from helpers.rasters import random_rgb, write_rgb
from terraseek.encoders.fake import FakeEncoder
from terraseek.localization import localize, write_cog
from terraseek.scenes import Scene
from terraseek.tiles import scene_preview

HEIGHT, WIDTH = 200, 300


def place(col, row, order=2):
    """UTM coordinates of pixels of two metres, distorted by about 12 pixels."""
    u, v = col / WIDTH, row / HEIGHT
    x = 500_000 + 2 * col + 24 * u * u * (order >= 2) + 14 * v**3 * (order >= 3)
    y = 5_000_000 - 2 * row + 20 * u * v * (order >= 2)
    return x, y


def points(count, order=2, noise=0.0):
    rng = np.random.default_rng(1)
    side = int(np.ceil(np.sqrt(count)))
    found = []
    for row in np.linspace(0, HEIGHT, side):
        for col in np.linspace(0, WIDTH, side):
            x, y = np.array(place(col, row, order)) + rng.normal(0, 2 * noise, 2)
            found.append(GroundControlPoint(row=row, col=col, x=x, y=y))
    return found[:count]


def scene(tmp_path, gcps):
    path = write_rgb(tmp_path / "a.tif", random_rgb(HEIGHT, WIDTH), crs="EPSG:32633", gcps=gcps)
    return Scene.open(path)


@pytest.mark.parametrize(("order", "count"), [(2, 16), (3, 25)])
def test_a_distorted_scene_is_fitted_by_a_polynomial(tmp_path, order, count):
    with scene(tmp_path, points(count, order)) as opened:
        georef = opened.georef
        assert georef.polynomial.order == order
        cols, rows = np.meshgrid(np.linspace(0, WIDTH, 9), np.linspace(0, HEIGHT, 8))
        x, y = georef.polynomial.to_crs(cols, rows)
        np.testing.assert_allclose([x, y], place(cols, rows, order), atol=0.01)
        back = georef.pixels(*georef.lonlat(cols, rows))
        np.testing.assert_allclose(back, [cols, rows], atol=1e-3)
        assert opened.notes == ()
        assert opened.gsd_m == pytest.approx(2, rel=0.1)
        np.testing.assert_allclose(georef.resized(30, 20).footprint, georef.footprint, atol=1e-9)


def test_a_noisy_affine_scene_stays_affine(tmp_path):
    with scene(tmp_path, points(25, order=1, noise=1.0)) as opened:
        assert opened.georef.polynomial is None
        assert 0.5 < opened.georef.residual_px < 3
        assert opened.notes == ()


def test_too_few_points_for_a_polynomial_give_a_note(tmp_path):
    with scene(tmp_path, points(4)) as opened:
        assert opened.georef.polynomial is None
    with scene(tmp_path, points(25, order=1, noise=6.0)) as opened:
        heat = localize(opened, "red", FakeEncoder())
    assert "fit error of" in heat.warnings[0]


def test_positions_far_outside_are_extrapolated_linearly(tmp_path):
    with scene(tmp_path, points(25, order=3)) as opened:
        far = opened.lonlat_to_pixel(*opened.pixel_to_lonlat(5 * WIDTH, -4 * HEIGHT))
    assert far == pytest.approx((5 * WIDTH, -4 * HEIGHT), abs=0.5)


def test_the_heat_map_keeps_the_control_points(tmp_path):
    with scene(tmp_path, points(16)) as opened:
        write_cog(localize(opened, "red", FakeEncoder()), tmp_path / "heat.tif")
    with rasterio.open(tmp_path / "heat.tif") as cog:
        kept, crs = cog.gcps
        assert len(kept) == 16
        assert crs.to_epsg() == 32633
        assert cog.shape == (HEIGHT, WIDTH)
    with Scene.open(tmp_path / "heat.tif") as heat, Scene.open(tmp_path / "a.tif") as ground:
        np.testing.assert_allclose(heat.footprint, ground.footprint, atol=1e-9)


def test_the_preview_is_warped_by_the_polynomial(tmp_path):
    """The corners of the image enclose all control points, including those of the bulge."""
    with scene(tmp_path, points(25)) as opened:
        corners = np.array(scene_preview(opened, 200)[1])
        lon, lat = opened.georef.lonlat(
            np.array([p.col for p in points(25)]), np.array([p.row for p in points(25)])
        )
    assert lon.min() >= corners[:, 0].min() - 1e-7
    assert lon.max() <= corners[:, 0].max() + 1e-7
    assert lat.max() <= corners[:, 1].max() + 1e-7
