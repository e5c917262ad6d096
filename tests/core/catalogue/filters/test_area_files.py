"""Areas from GeoJSON and GeoPackage files, and several areas in one text."""

import json
import sqlite3
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely

from terraseek.catalogue.filters.area_files import read_rings
from terraseek.catalogue.filters.areas import Area
from terraseek.errors import FilterError

PARIS = shapely.box(2.0, 48.5, 2.7, 49.1)
ROME = shapely.box(12.2, 41.7, 12.8, 42.1)


def frame(*geometries: shapely.Geometry, **columns: list[str]) -> geopandas.GeoDataFrame:
    return geopandas.GeoDataFrame(columns, geometry=list(geometries), crs="EPSG:4326")


@pytest.mark.parametrize("epsg", [4326, 3857, 32631])
def test_a_geopackage_gives_named_outlines_in_degrees(tmp_path: Path, epsg: int) -> None:
    both = shapely.MultiPolygon([PARIS, shapely.box(5, 45, 5.5, 45.5)])
    path = tmp_path / "areas.gpkg"
    frame(both, shapely.Point(1, 2), name=["Seine", "dot"]).to_crs(epsg).to_file(path)
    rings = read_rings(path)
    assert [ring.name for ring in rings] == ["Seine", "Seine"]
    for ring, expected in zip(rings, both.geoms, strict=True):
        assert len(ring.corners) == 4
        found = shapely.Polygon(ring.corners)
        assert found.symmetric_difference(expected).area < 1e-4 * expected.area


def test_geojson_gives_the_same_outlines(tmp_path: Path) -> None:
    path = tmp_path / "areas.geojson"
    path.write_text(frame(PARIS, ROME, Title=["Paris", "Rome"]).to_json())
    rings = read_rings(path)
    assert [ring.name for ring in rings] == ["Paris", "Rome"]
    assert [
        shapely.Polygon(ring.corners).equals(one)
        for ring, one in zip(rings, (PARIS, ROME), strict=True)
    ] == [True, True]
    path.write_text(json.dumps(shapely.geometry.mapping(ROME)))
    assert [ring.name for ring in read_rings(path)] == [""]


def test_what_is_no_area_is_refused(tmp_path: Path) -> None:
    holed = PARIS.difference(shapely.box(2.2, 48.7, 2.4, 48.9))
    dense = shapely.Point(2, 48).buffer(0.5, quad_segs=3000)
    texts = {
        "holes": frame(holed).to_json(),
        "more than": frame(dense).to_json(),
        "no polygon": frame(shapely.Point(1, 2)).to_json(),
        "degrees": frame(shapely.box(4e5, 5e6, 5e5, 6e6)).to_json(),
        "cannot be read": "{",
    }
    for number, (message, text) in enumerate(texts.items()):
        path = tmp_path / f"{number}.geojson"
        path.write_text(text)
        with pytest.raises(FilterError, match=message):
            read_rings(path)
    with pytest.raises(FilterError, match="is not one of"):
        read_rings(tmp_path / "areas.shp")


def test_a_geopackage_cannot_run_a_view_or_an_endless_query(tmp_path: Path) -> None:
    path = tmp_path / "areas.gpkg"
    frame(PARIS, name=["Paris"]).to_file(path)
    with sqlite3.connect(path) as database:
        database.execute(
            "CREATE VIEW trap AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
            " SELECT i AS fid, NULL AS geom FROM n WHERE i < 0"
        )
        database.execute("UPDATE gpkg_geometry_columns SET table_name = 'trap', column_name='geom'")
    with pytest.raises(FilterError, match=r"no polygon|cannot be read"):
        read_rings(path)
    garbage = tmp_path / "garbage.gpkg"
    garbage.write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(FilterError, match="cannot be read as gpkg"):
        read_rings(garbage)


def test_several_areas_in_one_text_are_united() -> None:
    text = "0,0;10,0;10,10;0,10|5,5;15,5;15,15;5,15"
    area = Area.parse(text)
    lon, lat = np.array([7.0, 1.0, 14.0, 12.0]), np.array([7.0, 1.0, 14.0, 1.0])
    assert area.contains(lon, lat).tolist() == [True, True, True, False]
    apart = Area.parse("0,0;1,0;1,1|5,5;6,5;6,6")
    assert apart.to_text().count("|") == 1
    assert Area.parse(apart.to_text()).geometry.equals(apart.geometry)
    with pytest.raises(FilterError, match="vertices"):
        Area.parse("|".join(["0,0;1,0;1,1"] * 4000))
