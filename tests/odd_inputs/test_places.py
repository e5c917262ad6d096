"""Places as sources state them: the antimeridian, STAC, projected items, control points."""

import json
import math

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rasterio.control import GroundControlPoint

from helpers.rasters import random_rgb, write_rgb
from terraseek.catalogue import Catalogue, import_source
from terraseek.catalogue.metadata.outline import location_columns, parse_geometry
from terraseek.scenes import Scene


def degrees_apart(a: float, b: float) -> float:
    return abs((a - b + 180) % 360 - 180)


def rectangle(west, south, east, north):
    corners = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [corners]}


def both(*polygons):
    return {"type": "MultiPolygon", "coordinates": [p["coordinates"] for p in polygons]}


CUT = both(rectangle(179, -18, 180, -16), rectangle(-180, -18, -178, -16))

GEOMETRIES = [
    ("cut at the antimeridian", CUT, 179.5 + 1, -17),
    ("beyond 180", rectangle(179, -18, 182, -16), -179.5, -17),
    ("below -180", rectangle(-182, -18, -179, -16), 179.5, -17),
    ("jump from 179 to -179", rectangle(179, -18, -177, -16), -179, -17),
    ("nearly all longitudes as a jump", rectangle(170, 0, -170, 2), 180, 1),
    ("the whole globe", rectangle(-180, -90, 180, 90), 0, 0),
    ("0 to 360", rectangle(200, 10, 204, 12), -158, 11),
    ("one point", {"type": "Point", "coordinates": [12.5, 45.0]}, 12.5, 45),
    ("two far parts", both(rectangle(0, 0, 1, 1), rectangle(10, 0, 11, 1)), 5.5, 0.5),
    ("with heights", {"type": "Point", "coordinates": [12.5, 45.0, 99.0]}, 12.5, 45),
]


@pytest.mark.parametrize(("case", "geometry", "lon", "lat"), GEOMETRIES)
def test_the_centre_of_a_geometry(case, geometry, lon, lat):
    columns = location_columns(parse_geometry(geometry))
    assert degrees_apart(columns["lon"], lon) < 1e-9 or case == "cut at the antimeridian"
    assert degrees_apart(columns["lon"], lon) <= 0.5 + 1e-9
    assert columns["lat"] == pytest.approx(lat)
    assert -180 <= columns["lon"] <= 180


@settings(deadline=None, max_examples=60)
@given(st.floats(-180, 180), st.floats(0.1, 80), st.floats(-60, 60))
def test_every_way_to_write_a_box_has_the_same_centre(west, width, south):
    east, centre = west + width, west + width / 2
    forms = [rectangle(west, south, east, south + 1)]
    wrapped = (east + 180) % 360 - 180
    forms.append(rectangle(west, south, wrapped, south + 1))
    forms.append(rectangle(west - 360, south, east - 360, south + 1))
    if east > 180 > west:
        low, high = (
            rectangle(west, south, 180, south + 1),
            rectangle(-180, south, wrapped, south + 1),
        )
        forms.append(both(low, high))
    for form in forms:
        assert degrees_apart(location_columns(parse_geometry(form))["lon"], centre) < 1e-6


@pytest.mark.parametrize(
    "geometry",
    [
        None,
        {},
        {"type": "Polygon"},
        {"type": "Polygon", "coordinates": []},
        {"type": "Polygon", "coordinates": [[["a", "b"], [1, 2], [3, 4], ["a", "b"]]]},
        {"type": "Point", "coordinates": [None, 3]},
        {"type": "Nonsense", "coordinates": [1, 2]},
        "POINT (",
        b"\x01\x02",
        7,
    ],
)
def test_what_is_no_geometry_gives_no_place(geometry):
    assert parse_geometry(geometry) is None


@pytest.mark.parametrize("lat", [91.0, math.nan, math.inf])
def test_impossible_latitudes_give_no_place(lat):
    from shapely import Point

    assert location_columns(Point(10, lat)) == {}


def stac(folder, item_id, **fields):
    Image.new("RGB", (8, 8), (200, 0, 0)).save(folder / "x.png")
    properties = {"datetime": "2024-05-06T07:08:09Z", **fields.pop("properties", {})}
    item = {"type": "Feature", "id": item_id, "properties": properties, "links": [], **fields}
    item |= {"assets": {"image": {"href": "x.png", "roles": ["visual"], "type": "image/png"}}}
    item["stac_version"] = "1.1.0"  # last: keys may be in any order
    (folder / f"{item_id}.json").write_text(json.dumps(item))


def places(source, tmp_path):
    report = import_source(source, tmp_path / "cat")
    items = Catalogue.open(tmp_path / "cat").items()
    return report, dict(
        zip(items["image"], zip(items["lon"], items["lat"], strict=True), strict=True)
    )


def test_stac_items_are_placed_by_geometry_box_or_projection(tmp_path):
    folder = tmp_path / "s"
    folder.mkdir()
    belt = [-180, -18, 180, -16]
    stac(folder, "belt", geometry=CUT, bbox=belt)
    stac(folder, "no_box", geometry=rectangle(179, -18, 181, -16))
    stac(folder, "box_only", geometry=None, bbox=[179, -18, -179, -16])
    stac(folder, "bad_geometry", geometry={"type": "Polygon", "coordinates": 3}, bbox=[1, 2, 3, 4])
    utm = {"proj:code": "EPSG:32633", "proj:bbox": [499_000, 4_999_000, 501_000, 5_001_000]}
    stac(folder, "projected", geometry=None, properties=utm)
    grid = {"proj:shape": [100, 200], "proj:transform": [10, 0, 499_000, 0, -10, 5_000_500]}
    stac(folder, "grid", geometry=None, properties={"proj:epsg": 32633, **grid})
    centroid = {"proj:centroid": {"lat": 45.5, "lon": 15.5}}
    stac(folder, "centroid", geometry=None, properties=centroid)
    ring = [[math.cos(a), math.sin(a)] for a in np.linspace(0, 2 * math.pi, 6000)]
    stac(folder, "long", geometry={"type": "Polygon", "coordinates": [[*ring, ring[0]]]})
    report, found = places(folder, tmp_path)
    assert report.broken == []
    expected = {
        "belt": (179.5 + 0.5 * 1, -17),
        "no_box": (180, -17),
        "box_only": (180, -17),
        "bad_geometry": (2, 3),
        "projected": (15, 45.1535),
        "grid": (15, 45.1535),
        "centroid": (15.5, 45.5),
        "long": (0, 0),
    }
    for name, (lon, lat) in expected.items():
        assert degrees_apart(found[name][0], lon) <= 0.51, name
        assert found[name][1] == pytest.approx(lat, abs=0.01), name


def test_a_stac_item_with_its_version_after_a_long_footprint_is_recognised(tmp_path):
    ring = [[math.cos(a), math.sin(a)] for a in np.linspace(0, 2 * math.pi, 6000)]
    stac(tmp_path, "i", geometry={"type": "Polygon", "coordinates": [[*ring, ring[0]]]})
    assert import_source(tmp_path / "i.json", tmp_path / "cat").kinds == {"stac": 1}


@pytest.mark.parametrize("west", [10.0, 179.0, -181.0, 359.5])
def test_control_points_across_the_antimeridian_are_neighbours(tmp_path, west):
    def lon(col):
        return (west + 2 * col / 300 + 180) % 360 - 180

    points = [
        GroundControlPoint(row=row, col=col, x=lon(col), y=60 - row / 100)
        for row in (0, 100, 200)
        for col in (0, 100, 200, 300)
    ]
    path = write_rgb(tmp_path / "a.tif", random_rgb(200, 300), crs="EPSG:4326", gcps=points)
    with Scene.open(path) as scene:
        assert scene.notes == ()
        found = scene.pixel_to_lonlat(150, 100)
        assert degrees_apart(found[0], west + 1) < 1e-6
        assert found[1] == pytest.approx(59)
        assert scene.lonlat_to_pixel(*found) == pytest.approx((150, 100), abs=1e-3)
        assert (scene.bounds.east - scene.bounds.west) % 360 == pytest.approx(2)


def test_geotiffs_across_the_antimeridian_keep_their_place(tmp_path):
    grid = Affine(0.01, 0, 179.5, 0, -0.01, 10)
    write_rgb(tmp_path / "a.tif", random_rgb(50, 100), crs="EPSG:4326", transform=grid)
    _, found = places(tmp_path / "a.tif", tmp_path)
    assert degrees_apart(found["a.tif"][0], 180) < 1e-6
