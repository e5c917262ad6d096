"""GeoPackages of regions, read back with GDAL (pyogrio), SQLite and an XML parser."""

import json
import sqlite3
from contextlib import closing
from xml.etree import ElementTree

import geopandas
import numpy as np
import pyogrio
import pytest
from PIL import Image

from helpers.rasters import write_rgb
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import OutputError
from terraseek.localization import localize, localize_many, regions, regions_geojson
from terraseek.localization.options import LocalizeOptions
from terraseek.localization.output.colour.palette import LEVEL_COLOURS
from terraseek.localization.output.geopackage.write import write_geopackage
from terraseek.scenes import Scene


@pytest.fixture
def ground():
    """Grey ground of 300 x 400 pixels with one red spot."""
    rgb = np.full((300, 400, 3), 110, np.uint8)
    rgb[50:120, 200:300] = (230, 20, 20)
    return rgb


def heat_of(path, query="red"):
    with Scene.open(path) as scene:
        return localize(scene, query, FakeEncoder(), LocalizeOptions(minus=("green <&> 'x'",)))


def test_layers_equal_the_geojson(tmp_path, ground):
    heat = heat_of(write_rgb(tmp_path / "a.tif", ground))
    path = write_geopackage(heat, tmp_path / "r.gpkg", percentile=90)
    assert sorted(name for name, _ in pyogrio.list_layers(path)) == [
        "layer_styles", "peaks", "regions",
    ]  # fmt: skip
    frame = geopandas.read_file(path, layer="regions")
    wanted = regions_geojson(heat, percentile=90)
    assert frame.crs.to_epsg() == 4326
    assert len(frame) == len(wanted["features"]) >= 1
    for (_, row), feature in zip(frame.iterrows(), wanted["features"], strict=True):
        shape = geopandas.GeoDataFrame.from_features([feature]).geometry[0]
        assert row.geometry.geom_type == "MultiPolygon"
        assert row.geometry.symmetric_difference(shape).area < 1e-12
        for name in ("rank", "score", "area_m2", "area_px", "peak_col", "window_px", "scene"):
            assert row[name] == feature["properties"][name]
        assert row["question"] == "red minus green <&> 'x'"
    peaks = geopandas.read_file(path, layer="peaks")
    for peak, area in zip(peaks.geometry, frame.geometry, strict=True):
        assert area.buffer(1e-6).contains(peak)
    info = pyogrio.read_info(path, layer="regions")
    assert tuple(info["total_bounds"]) == pytest.approx(tuple(frame.total_bounds))


def test_the_style_colours_the_levels(tmp_path, ground):
    heat = heat_of(write_rgb(tmp_path / "a.tif", ground))
    path = write_geopackage(heat, tmp_path / "r.gpkg")
    with closing(sqlite3.connect(path)) as connection:
        styles = dict(connection.execute("SELECT f_table_name, styleQML FROM layer_styles"))
        [(request,)] = connection.execute("SELECT metadata FROM gpkg_metadata")
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert json.loads(request)["request"][0]["minus"] == ["green <&> 'x'"]
    for name in ("regions", "peaks"):
        root = ElementTree.fromstring(styles[name])
        renderer = root.find("renderer-v2")
        assert renderer.get("attr") == "significance"
        symbols = {s.get("name"): s for s in renderer.iter("symbol")}
        colours = {}
        for category in renderer.iter("category"):
            options = {
                o.get("name"): o.get("value") for o in symbols[category.get("symbol")].iter()
            }
            colours[category.get("value")] = tuple(map(int, options["color"].split(",")))[:3]
        assert {level: colours[level] for level in LEVEL_COLOURS} == LEVEL_COLOURS
        assert len(set(colours.values())) == 4


def test_pixel_space_has_no_reference_system(tmp_path, ground):
    Image.fromarray(ground).save(tmp_path / "a.png")
    heat = heat_of(tmp_path / "a.png")
    path = write_geopackage(heat, tmp_path / "r.gpkg")
    frame = geopandas.read_file(path, layer="regions")
    assert frame.crs is None or frame.crs.to_epsg() is None
    assert frame.area.iloc[0] == pytest.approx(regions(heat)[0].area_px)
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT srs_id, description FROM gpkg_contents WHERE table_name = 'regions'"
        [(srs_id, about)] = connection.execute(query)
    assert srs_id == -1
    assert "pixels" in about


def test_several_sentences_and_no_region_at_all(tmp_path, ground):
    with Scene.open(write_rgb(tmp_path / "a.tif", ground)) as scene:
        heats = localize_many(scene, ["red", "green"], FakeEncoder())
    frame = geopandas.read_file(write_geopackage(heats, tmp_path / "two.gpkg"), layer="regions")
    assert set(frame["query"]) == {"red", "green"}
    empty = write_geopackage(heats, tmp_path / "none.gpkg", threshold=2.0)
    assert len(geopandas.read_file(empty, layer="regions")) == 0


def test_a_folder_that_cannot_be_written(tmp_path, ground):
    heat = heat_of(write_rgb(tmp_path / "a.tif", ground))
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot be written"):
        write_geopackage(heat, tmp_path / "file" / "r.gpkg")
