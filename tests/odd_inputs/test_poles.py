"""Scenes around a pole: no map is refused, and outlines enclose the pole."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from shapely import Point
from shapely.geometry import shape

from terraseek.encoders.fake import FakeEncoder
from terraseek.localization import localize, regions_geojson
from terraseek.localization.output.regions import regions
from terraseek.scenes import Scene

SIDE_M, PIXELS = 100_000, 100


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize(("epsg", "pole"), [(3413, 90.0), (3031, -90.0), (3995, 90.0)])
@pytest.mark.parametrize("by_points", [False, True])
@pytest.mark.parametrize("first", [40, 75])
def test_regions_at_a_pole(
    tmp_path: Path, epsg: int, pole: float, by_points: bool, first: int
) -> None:
    """A red square of 20 pixels of 1 km, around the pole or beside it."""
    pixels = np.full((3, PIXELS, PIXELS), 90, np.uint8)
    pixels[:, first : first + 20, first : first + 20] = np.array([250, 10, 10])[:, None, None]
    west, north = -SIDE_M / 2, SIDE_M / 2
    profile = {"driver": "GTiff", "width": PIXELS, "height": PIXELS, "count": 3, "dtype": "uint8"}
    if not by_points:
        profile |= {"crs": f"EPSG:{epsg}", "transform": Affine(1000, 0, west, 0, -1000, north)}
    path = tmp_path / "pole.tif"
    with rasterio.open(path, "w", **profile) as out:
        out.write(pixels)
        if by_points:
            corners = [(0, 0), (0, 100), (100, 0), (100, 100)]
            points = [
                GroundControlPoint(row, col, west + 1000 * col, north - 1000 * row)
                for row, col in corners
            ]
            out.gcps = (points, CRS.from_epsg(epsg))
    with Scene.open(path) as scene:
        heat = localize(scene, "red", FakeEncoder())
        peak = scene.pixel_to_lonlat(first + 10, first + 10)
    found = regions_geojson(heat)
    best = found["features"][0]
    outline = shape(best["geometry"])
    assert json.dumps(found)
    assert outline.is_valid
    west, _, east, _ = outline.bounds
    assert -180 <= west < east <= 180
    assert peak is not None
    assert abs(abs(best["properties"]["peak_lat"]) - 90) < 0.6
    encloses = regions(heat)[0].polygon.contains(Point(PIXELS / 2, PIXELS / 2))
    assert encloses == (first == 40)
    assert encloses == outline.intersects(Point(0, pole))
    if encloses:
        assert (west, east) == (-180, 180)
        assert outline.contains(Point(10, pole - np.copysign(0.01, pole)))
        assert outline.contains(Point(-130, pole - np.copysign(0.01, pole)))
    area = best["properties"]["area_m2"]
    assert area == pytest.approx(best["properties"]["area_px"] * 1e6, rel=0.15)


@pytest.mark.parametrize(("north", "located"), [(96.0, False), (90.005, True)])
def test_latitudes_beyond_the_pole(tmp_path: Path, north: float, located: bool) -> None:
    """A grid that ends half a pixel beyond the pole is placed; one that is beyond it is not."""
    pixels = np.full((3, PIXELS, PIXELS), 90, np.uint8)
    pixels[:, :20, 40:60] = np.array([250, 10, 10])[:, None, None]
    profile = {"driver": "GTiff", "width": PIXELS, "height": PIXELS, "count": 3, "dtype": "uint8"}
    profile |= {"crs": "EPSG:4326", "transform": Affine(0.01, 0, 10, 0, -0.01, north)}
    with rasterio.open(tmp_path / "a.tif", "w", **profile) as out:
        out.write(pixels)
    with Scene.open(tmp_path / "a.tif") as scene:
        heat = localize(scene, "red", FakeEncoder())
        bounds = scene.bounds
    found = json.loads(json.dumps(regions_geojson(heat), allow_nan=False))
    best = found["features"][0]
    if located:
        assert bounds is not None
        assert bounds.north == 90
        assert best["properties"]["area_m2"] > 0
        assert shape(best["geometry"]).bounds[3] <= 90
    else:
        assert bounds is None
        assert best["geometry"] is None
        assert best["properties"]["area_m2"] is None
