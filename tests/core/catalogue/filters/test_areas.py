"""Polygons and circles against straightforward geometry."""

import json
import math
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from pyproj import Geod

from terraseek.catalogue import Area, Circle
from terraseek.errors import FilterError
from terraseek.geo import EARTH_KM

SQUARE = "POLYGON ((10 0, 20 0, 20 10, 10 10, 10 0))"
OVER = "POLYGON ((170 -5, 190 -5, 190 5, 170 5, 170 -5))"
CUT = (
    "MULTIPOLYGON (((170 -5, 180 -5, 180 5, 170 5, 170 -5)), "
    "((-180 -5, -170 -5, -170 5, -180 5, -180 -5)))"
)
longitudes = st.floats(-180, 180)
latitudes = st.floats(-90, 90)


def arrays(points) -> tuple[np.ndarray, np.ndarray]:
    return np.array([p[0] for p in points], float), np.array([p[1] for p in points], float)


def boxed(area, lon, lat) -> np.ndarray:
    return np.any([box.contains(lon, lat) for box in area.boxes()], axis=0)


def central_angle_km(a, b) -> float:
    """Distance from unit vectors, independent of the haversine formula."""

    def vector(lon, lat):
        lon, lat = math.radians(lon), math.radians(lat)
        return np.array(
            [math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)]
        )

    u, v = vector(*a), vector(*b)
    return EARTH_KM * math.atan2(np.linalg.norm(np.cross(u, v)), u @ v)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(longitudes, latitudes),
    st.floats(0.01, 21_000),
    st.lists(st.tuples(longitudes, latitudes), min_size=1, max_size=8),
)
def test_a_circle_contains_near_points_and_its_boxes_contain_it(centre, km, points):
    circle = Circle(*centre, km)
    distances = [central_angle_km(centre, point) for point in points]
    assume(all(abs(d - km) > 1e-6 * max(1, km) for d in distances))
    lon, lat = arrays(points)
    inside = circle.contains(lon, lat)
    assert inside.tolist() == [d < km for d in distances]
    assert not (inside & ~boxed(circle, lon, lat)).any()


def test_a_circle_agrees_with_the_ellipsoid_to_half_a_percent():
    geod = Geod(ellps="WGS84")
    random = np.random.default_rng(0)
    for _ in range(50):
        lon, lat = random.uniform(-180, 180), random.uniform(-80, 80)
        away, azimuth = random.uniform(1, 5000), random.uniform(0, 360)
        east, north, _ = geod.fwd(lon, lat, azimuth, away * 1000)
        point = np.array([east]), np.array([north])
        assert Circle(lon, lat, away * 1.006).contains(*point).all()
        assert not Circle(lon, lat, away * 0.994).contains(*point).any()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-200, 200), st.integers(-90, 90)), min_size=3, max_size=6),
    st.lists(st.tuples(st.integers(-180, 180), st.integers(-90, 90)), min_size=1, max_size=8),
)
def test_a_polygon_contains_its_points_at_any_shift_by_360_degrees(corners, points):
    hull = shapely.MultiPoint(corners).convex_hull
    assume(hull.geom_type == "Polygon" and hull.bounds[2] - hull.bounds[0] <= 360)
    area = Area.parse(hull.wkt)
    lon, lat = arrays(points)
    inside = area.contains(lon, lat)
    for i, (x, y) in enumerate(points):
        turns = [shapely.Point(x + turn, y) for turn in (-360, 0, 360)]
        assert inside[i] == any(hull.intersects(point) for point in turns)
    assert not (inside & ~boxed(area, lon, lat)).any()


def test_holes_edges_and_the_antimeridian():
    holed = Area.parse("POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (3 3, 6 3, 6 6, 3 6, 3 3))")
    points = arrays([(0, 0), (1, 1), (4, 4), (3, 3), (10, 1)])
    assert holed.contains(*points).tolist() == [True, True, False, True, False]
    across = arrays([(175, 0), (-175, 0), (180, 5), (-180, 0), (160, 0), (-160, 0)])
    for text in (OVER, CUT):
        found = Area.parse(text).contains(*across)
        assert found.tolist() == [True, True, True, True, False, False]
    nowhere = np.array([math.nan]), np.array([math.nan])
    assert not holed.contains(*nowhere).any()
    assert not Circle(0, 0, 21_000).contains(*nowhere).any()


def test_a_self_intersecting_polygon_is_its_two_halves():
    tie = Area.parse("POLYGON ((0 0, 10 10, 10 0, 0 10, 0 0))")
    assert tie.contains(*arrays([(1, 5), (9, 5), (5, 1)])).tolist() == [True, True, False]


def test_geojson_and_files(tmp_path: Path):
    geometry = json.loads(shapely.to_geojson(shapely.from_wkt(SQUARE)))
    feature = {"type": "Feature", "properties": {}, "geometry": geometry}
    collection = {"type": "FeatureCollection", "features": [feature, feature]}
    for value in (geometry, feature, collection):
        assert Area.parse(json.dumps(value)).geometry.bounds == (10, 0, 20, 10)
        path = tmp_path / "area.geojson"
        path.write_text(json.dumps(value))
        assert Area.read(str(path)).geometry.bounds == (10, 0, 20, 10)
    assert Area.read(SQUARE) == Area.parse(SQUARE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "WKT"),
        ("POLYGON ((0 0, 1", "neither WKT nor GeoJSON"),
        ('{"type": "Polygon"}', "neither WKT nor GeoJSON"),
        ('{"type": "Feature", "geometry": null}', "area"),
        ('{"type": "FeatureCollection", "features": []}', "area"),
        ("[1, 2]", "neither WKT nor GeoJSON"),
        ("POINT (1 2)", "is a Point; it must be a polygon"),
        ("POLYGON EMPTY", "is empty"),
        ("POLYGON ((0 0, 1 1, 2 2, 0 0))", "is empty"),
        ("POLYGON ((0 0, 0 95, 9 95, 0 0))", "longitude, latitude"),
        ("POLYGON ((0 0, 400 0, 400 9, 0 0))", "longitude, latitude"),
        ("POLYGON ((-200 0, 200 0, 200 9, -200 0))", "longitude, latitude"),
    ],
)
def test_invalid_areas_are_refused(text, message):
    with pytest.raises(FilterError, match=message):
        Area.parse(text)


def test_unreadable_files_are_refused(tmp_path: Path):
    with pytest.raises(FilterError, match="cannot be read"):
        Area.read(str(tmp_path / "no.geojson"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2", "three numbers"),
        ("a,b,c", "three numbers"),
        ("181,0,5", "not on the globe"),
        ("0,91,5", "not on the globe"),
        ("nan,0,5", "not on the globe"),
        ("0,0,0", "above 0"),
        ("0,0,nan", "above 0"),
        ("0,0,inf", "above 0"),
    ],
)
def test_invalid_circles_are_refused(text, message):
    with pytest.raises(FilterError, match=message):
        Circle.parse(text)
