"""Positions, seasons, place names, and metadata of published sources."""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from helpers.corpus_runs import items_of, jpeg, pixels, write_images
from terraseek_train.corpus.geo.country_at import countries_near, country_at
from terraseek_train.corpus.geo.metadata import (
    bigearthnet_columns,
    fmow_columns,
    relative_location,
    yfcc_columns,
)
from terraseek_train.corpus.geo.place_names import find_places
from terraseek_train.corpus.geo.season import month_of, season, timestamp
from terraseek_train.corpus.geo.statistics import geo_statistics

pytestmark = pytest.mark.skipif(find_spec("geopip") is None, reason="needs geopip's polygons")


def test_countries_of_points():
    lon = np.array([-95.4, 77.2, 2.35, -58.4, -43.2, 31.2, 106.9, -30.0, np.nan, 103.8])
    lat = np.array([29.8, 28.6, 48.85, -34.6, -22.9, 30.0, 47.9, 30.0, 1.0, 1.35])
    expected = ["US", "IN", "FR", "AR", "BR", "EG", "MN", "", "", "SG"]
    assert country_at(lon, lat) == expected
    assert countries_near(7.6, 47.58) >= {"CH", "DE", "FR"}


@pytest.mark.parametrize(
    ("month", "lat", "expected"),
    [(1, 50.0, "Winter"), (1, -33.0, "Summer"), (10, 50.0, "Fall"), (10, -33.0, "Spring"),
     (0, 50.0, ""), (7, None, "")],
)  # fmt: skip
def test_seasons_depend_on_the_hemisphere(month: int, lat: float | None, expected: str):
    assert season(month, lat) == expected


def test_the_published_season_is_the_northern_one():
    assert season(1, -33.0, northern_only=True) == "Winter"
    assert season(7, None, northern_only=True) == "Summer"


@pytest.mark.parametrize(
    ("value", "month"), [("September", 9), ("9", 9), (9, 9), ("2017-09-03", 9), ("x", 0), ("", 0)]
)
def test_months(value: object, month: int):
    assert month_of(value) == month


def test_moments_as_published():
    assert timestamp("2016-03-09T07:21:00Z") == "7 o'clock, March 9, 2016"
    assert timestamp("2016-03-09") == "March 9, 2016"
    assert timestamp("2016") == ""


@pytest.mark.parametrize(
    ("box", "words", "published"),
    [
        ((40, 40, 10, 10), "center block", "center and top-left blocks"),
        ((0, 0, 60, 20), "top-left and top-center blocks", "top-left and top-center blocks"),
        ((50, 60, 40, 30), "bottom-right and bottom-center blocks", None),
    ],
)
def test_relative_locations(box: tuple, words: str, published: str | None):
    assert relative_location(box, (90, 90)) == words
    if published:
        assert relative_location(box, (90, 90), as_published=True) == published


def test_fmow_metadata():
    outline = "POLYGON ((-58.4 -34.6, -58.3 -34.6, -58.3 -34.5))"
    value = {
        "country_code": "ARG", "utm": "21H", "timestamp": "2016-03-09T07:21:00Z",
        "multi_resolution_dbl": 0.5, "cloud_cover": 3, "scan_direction": "Forward",
        "target_azimuth_dbl": 12.345, "off_nadir_angle_dbl": 20.1,
        "img_width": 90, "img_height": 90,
        "bounding_boxes": [
            {"raw_location": outline, "category": "scene"},
            {"category": "Stadium", "box": [40, 40, 10, 10]},
        ],
    }  # fmt: skip
    columns = fmow_columns(value)
    assert (columns["lon"], columns["lat"]) == (-58.4, -34.6)
    assert columns["label"] == "stadium"
    assert columns["relative_location"] == "center block"
    assert columns["scan_direction"] == "forward"


def test_bigearthnet_zones_are_hemispheres():
    row = {
        "labels": "['Sea_and_ocean', 'Beaches']",
        "projection": 'PROJCS["WGS 84 / UTM zone 29N", ...',
        "acquisition_time": "2017-06-13 10:10:31",
    }
    columns = bigearthnet_columns(row)
    assert (columns["utm"], columns["utm_kind"]) == ("29N", "hemisphere")
    assert columns["label"] == "sea-and-ocean, beaches"


def test_yfcc_lines():
    fields = ["1", "u", "n", "2012-07-01 10:11:12.0", "1", "cam", "A+port", "d", "sea,port", ""]
    fields += ["10.5", "-20.25", "16", "page", "http://x/1.jpg", *[""] * 8]
    columns = yfcc_columns("\t".join(fields))
    assert (columns["lon"], columns["lat"], columns["caption"]) == (10.5, -20.25, "A port")
    assert columns["captured_at"] == "2012-07-01T10:11:12Z"


def test_place_names_keep_their_ambiguity():
    [hamburg] = find_places("Aerial view of the port of Hamburg, Germany.")
    assert hamburg.country == "DE"
    assert hamburg.resolved is not None
    [san_jose] = find_places("Aerial photo near San Jose, Costa Rica")
    assert san_jose.country == "CR"
    assert san_jose.resolved is not None
    [springfield] = find_places("photo taken over Springfield")
    assert len(springfield.candidates) > 3
    assert springfield.resolved is None
    assert list(find_places("many green trees are near a river")) == []


@pytest.fixture
def placed(tmp_path: Path) -> dict[str, object]:
    """Six images around Houston and Sydney; the geotags of three are wrong."""
    rows = [
        ("good.jpg", -95.4, 29.8, "United States", "15R", 1),
        ("border.jpg", -95.9, 29.8, "United States", "14R", 1),
        ("country.jpg", 2.35, 48.85, "United States", "", 1),
        ("zone.jpg", -105.4, 29.8, "United States", "15R", 1),
        ("zero.jpg", 0.0, 0.0, "", "", 1),
        ("south.jpg", 151.0, -33.8, "Australia", "56H", 1),
    ]
    names = ["filename", "longitude", "latitude", "country", "utm", "month"]
    pd.DataFrame(rows, columns=names).to_csv(tmp_path / "geo.csv", index=False)
    images = {row[0]: jpeg(pixels(n)) for n, row in enumerate(rows)}
    images["named.jpg"] = jpeg(pixels(9))
    write_images(tmp_path / "set", images, {"named.jpg": "aerial view of Hamburg, Germany"})
    paths = {"path": str(tmp_path / "set/captions.json"), "images": str(tmp_path / "set/images")}
    return {"name": "a", "kind": "captions", "geometa": str(tmp_path / "geo.csv"), **paths}


def test_wrong_geotags_are_removed(run: Callable, placed: dict):
    rows = items_of(run([placed], [{"stage": "geo"}])).to_pylist()
    found = {row["item"].split("/")[1]: row for row in rows}
    problems = {name for name, row in found.items() if row["geo_problem"]}
    assert problems == {"country.jpg", "zone.jpg", "zero.jpg"}
    assert "is in FR, not in US" in found["country.jpg"]["geo_problem"]
    assert found["zone.jpg"]["lon"] is None
    assert (found["good.jpg"]["lon"], found["good.jpg"]["season"]) == (-95.4, "Winter")
    assert found["south.jpg"]["season"] == "Summer"
    named = found["named.jpg"]
    assert (named["country"], named["location_precision"]) == ("DE", "place_name")
    assert named["lat"] == pytest.approx(53.55, abs=0.1)
    assert json.loads(named["places"])[0]["name"] == "Hamburg"


def test_wrong_geotags_can_reject_items(run: Callable, placed: dict):
    kept = items_of(run([placed], [{"stage": "geo", "on_conflict": "reject"}]))
    assert len(kept) == 4


def test_statistics_count_zones_and_hemispheres_apart(run: Callable, placed: dict):
    facts = geo_statistics(items_of(run([placed], [{"stage": "geo"}])))
    assert facts["with_position"] == {"a": 5}  # one of them by its zone alone
    assert facts["zones"]["15R"] == 3  # two by position, one by its zone alone
    assert facts["total"] == sum(facts["zones"].values())
