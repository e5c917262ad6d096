"""Density tiles: every point is counted once, in the cell it lies in."""

import io
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from terraseek.errors import BBoxError
from terraseek.geo import BBox, lonlat_to_tile
from terraseek.tiles.density import CELL_PIXELS, MAX_ZOOM, TILE_SIDE, DensityIndex

SIDE = TILE_SIDE // CELL_PIXELS


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(3)
    centres = rng.uniform([-180, -60], [180, 70], (40, 2))
    points = centres[rng.integers(0, 40, 20_000)] + rng.normal(0, 0.6, (20_000, 2))
    return (points[:, 0] + 180) % 360 - 180, points[:, 1]


@pytest.fixture(scope="module")
def index(world):
    return DensityIndex.build(*world)


def brute_counts(lon, lat, z, x, y):
    """The same grid by projecting every point, in plain floating point."""
    scale = (1 << z) * SIDE
    cols = np.floor((lon + 180) / 360 * scale).astype(int) - x * SIDE
    rows = np.floor((1 - np.arcsinh(np.tan(np.radians(lat))) / math.pi) / 2 * scale).astype(int)
    rows -= y * SIDE
    inside = (cols >= 0) & (cols < SIDE) & (rows >= 0) & (rows < SIDE)
    grid = np.zeros((SIDE, SIDE), int)
    np.add.at(grid, (rows[inside], cols[inside]), 1)
    return grid


@pytest.mark.parametrize("zoom", [0, 1, 3, 6, 9])
def test_counts_are_those_of_every_point_projected(index, world, zoom):
    lon, lat = world
    x, y = lonlat_to_tile(float(lon[7]), float(lat[7]), zoom)
    counts = index.counts(zoom, x, y)
    assert counts.sum() > 0
    np.testing.assert_array_equal(counts, brute_counts(lon, lat, zoom, x, y))


def test_the_tiles_of_a_zoom_hold_each_point_once(index):
    total = sum(index.counts(3, x, y).sum() for x in range(8) for y in range(8))
    assert total == index.count


def test_a_tile_deeper_than_the_codes_is_its_last_ancestor(index, world):
    lon, lat = float(world[0][0]), float(world[1][0])
    deep, last = lonlat_to_tile(lon, lat, MAX_ZOOM + 2), lonlat_to_tile(lon, lat, MAX_ZOOM)
    np.testing.assert_array_equal(index.counts(MAX_ZOOM + 2, *deep), index.counts(MAX_ZOOM, *last))


def test_points_on_the_antimeridian_and_at_the_poles():
    index = DensityIndex.build(np.array([180.0, -180.0, 540.0, 0.0]), np.array([0.0, 0, 0, 89.9]))
    counts = index.counts(0, 0, 0)
    assert counts[SIDE // 2, 0] == 3
    assert counts[0, SIDE // 2] == 1


def test_the_highest_count_of_each_zoom_scales_the_colours(index, world):
    lon, lat = world
    assert index.max_counts[0] == brute_counts(lon, lat, 0, 0, 0).max()
    assert index.max_counts[1] == max(
        brute_counts(lon, lat, 1, x, y).max() for x in range(2) for y in range(2)
    )
    assert list(index.max_counts) == sorted(index.max_counts, reverse=True)


def test_the_image_is_opaque_where_points_are_and_brighter_where_more():
    lon = np.array([0.1] * 50 + [90.0])
    index = DensityIndex.build(lon, np.zeros(51) + 0.1)
    png = index.png(0, 0, 0)
    assert png is not None
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))
    assert pixels.shape == (TILE_SIDE, TILE_SIDE, 4)
    shown = np.argwhere(pixels[..., 3] > 0)
    assert len(shown) == 2 * CELL_PIXELS**2
    many, one = pixels[127, 128].astype(int), pixels[127, 192].astype(int)
    assert many[:3].sum() > one[:3].sum()
    assert many[3] > one[3] > 100


def test_no_points_no_image(index):
    assert DensityIndex.build(np.empty(0), np.empty(0)).png(0, 0, 0) is None
    assert index.png(18, 0, 0) is None


@pytest.mark.parametrize("tile", [(1, 2, 0), (2, 0, -1), (0, 1, 0)])
def test_a_tile_that_does_not_exist_is_refused(index, tile):
    with pytest.raises(BBoxError, match="does not exist"):
        index.counts(*tile)


def test_points_without_finite_coordinates_are_refused():
    with pytest.raises(ValueError, match="finite"):
        DensityIndex.build(np.array([np.nan]), np.array([0.0]))


LON = st.floats(-180, 180, allow_nan=False)
LAT = st.floats(-90, 90, allow_nan=False)


@settings(deadline=None, max_examples=60)
@given(
    lon=arrays(np.float64, 60, elements=LON),
    lat=arrays(np.float64, 60, elements=LAT),
    edges=st.tuples(LON, LAT, LON, LAT),
)
def test_points_in_a_box_are_those_a_comparison_finds(lon, lat, edges):
    west, south, east, north = edges
    box = BBox(west, min(south, north), east, max(south, north))
    found = DensityIndex.build(lon, lat).within(box, 60)
    np.testing.assert_array_equal(found, np.flatnonzero(box.contains(lon, lat)))


def test_too_many_points_in_a_box_are_not_listed(index):
    everything = BBox(-180, -90, 180, 90)
    assert index.within(everything, index.count - 1) is None
    assert len(index.within(everything, index.count)) == index.count


@pytest.mark.parametrize("zoom", [0, 3, 7, 12])
def test_cells_count_what_their_tiles_hold(zoom: int) -> None:
    rng = np.random.default_rng(5)
    lon = np.concatenate([rng.uniform(-180, 180, 2000), rng.normal(2, 0.2, 3000)])
    lat = np.concatenate([rng.uniform(-84, 84, 2000), rng.normal(48, 0.2, 3000)])
    index = DensityIndex.build(lon, lat)
    tiles = [lonlat_to_tile(a, b, zoom) for a, b in zip(lon, lat, strict=True)]
    expected = Counter(tiles)
    for box in (BBox(-180, -85, 180, 85), BBox(1.5, 47.5, 2.5, 48.5), BBox(170, -40, -170, 40)):
        found = {(x, y): n for x, y, n in index.cells(box, zoom).tolist()}
        inside = {tile for tile, meets in zip(tiles, box.contains(lon, lat), strict=True) if meets}
        assert inside <= set(found)
        assert found == {tile: expected[tile] for tile in found}
