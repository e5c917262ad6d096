import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terraseek.errors import BBoxError
from terraseek.geo import MERCATOR_LIMIT, BBox, lonlat_to_tile, tile_bounds

longitudes = st.floats(-180, 180)
latitudes = st.floats(-90, 90)


@st.composite
def boxes(draw: st.DrawFn) -> BBox:
    south, north = sorted((draw(latitudes), draw(latitudes)))
    return BBox(draw(longitudes), south, draw(longitudes), north)


@given(boxes(), longitudes, latitudes)
def test_a_box_contains_the_points_of_its_halves(box: BBox, lon: float, lat: float) -> None:
    points = np.array([lon]), np.array([lat])
    whole = bool(box.contains(*points)[0])
    assert whole == any(bool(half.contains(*points)[0]) for half in box.split())


@given(boxes())
def test_parse_round_trip(box: BBox) -> None:
    assert BBox.parse(",".join(repr(v) for v in box.as_tuple())) == box


def test_antimeridian_box_contains_fiji_and_not_london() -> None:
    box = BBox(170, -25, -170, 0)
    inside = box.contains(np.array([178.0, -179.0, 0.0]), np.array([-18.0, -18.0, -18.0]))
    assert box.crosses_antimeridian
    assert inside.tolist() == [True, True, False]


def test_nan_points_lie_in_no_box() -> None:
    assert not BBox(-180, -90, 180, 90).contains(np.array([math.nan]), np.array([math.nan]))[0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1,2,3", "four numbers"),
        ("a,b,c,d", "four numbers"),
        ("0,0,999,1", "-180..180"),
        ("0,-91,1,1", "-90..90"),
        ("0,5,1,1", "above north"),
        ("nan,0,1,1", "not a number"),
    ],
)
def test_errors_of_invalid_boxes(text: str, reason: str) -> None:
    with pytest.raises(BBoxError, match=reason):
        BBox.parse(text)


@given(longitudes, st.floats(-MERCATOR_LIMIT, MERCATOR_LIMIT), st.integers(0, 18))
def test_a_point_lies_in_its_tile(lon: float, lat: float, zoom: int) -> None:
    bounds = tile_bounds(*lonlat_to_tile(lon, lat, zoom), zoom)
    slack = 1e-7
    assert bounds.west - slack <= lon <= bounds.east + slack
    assert bounds.south - slack <= lat <= bounds.north + slack


def test_tiles_that_do_not_exist_are_refused() -> None:
    with pytest.raises(BBoxError, match="does not exist"):
        tile_bounds(4, 0, 2)
