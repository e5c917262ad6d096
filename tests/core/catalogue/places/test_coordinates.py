"""Coordinates as people type them, and names of places."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terraseek.catalogue.places.coordinates import parse_coordinates
from terraseek.catalogue.places.place_search import search_places
from terraseek.errors import InputError

LYON = (4.8422, 45.7597)


@pytest.mark.parametrize(
    "text",
    [
        "45.7597, 4.8422",
        "45.7597 4.8422",
        "45.7597,4.8422",
        "4.8422 E, 45.7597 N",
        "45.7597N 4.8422E",
        "N45.7597 E4.8422",
        "45°45'34.9\"N 4°50'31.9\"E",
        "45° 45\u2032 34.9\u2033 N, 4° 50\u2032 31.9\u2033 E",
        "45°45.582'N 4°50.532'E",
        "lon 4.8422  lat 45.7597",
        "lat: 45.7597, lon: 4.8422",
        "31T 643288 5068960",
        "31N 643288 5068960",
        "31TFL4328868960",
        "31T FL 43288 68960",
    ],
)
def test_lyon_in_usual_notations(text: str) -> None:
    assert parse_coordinates(text) == pytest.approx(LYON, abs=5e-4)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("-33.87, 151.21", (151.21, -33.87)),
        ("151.21, -33.87", (151.21, -33.87)),
        ("33°52'S 151°12.6'E", (151.21, -33.8667)),
        ("10S 551000 4180000", (-122.420, 37.766)),
        ("56H 334500 6251000", (151.211, -33.867)),
        ("56S 334500 6251000", (151.211, -33.867)),
        ("18SUJ2337106519", (-77.0352, 38.8895)),
        ("0 0", (0, 0)),
    ],
)
def test_other_hemispheres(text: str, place: tuple[float, float]) -> None:
    assert parse_coordinates(text) == pytest.approx(place, abs=2e-3)


@pytest.mark.parametrize(
    "text", ["", "Lyon", "12 Rue de Lyon", "45.1", "1 2 3", "5E 6E", "45°61'N 4E"]
)
def test_other_text_is_no_position(text: str) -> None:
    assert parse_coordinates(text) is None


@pytest.mark.parametrize("text", ["95, 200", "91N 4E", "12, 190"])
def test_positions_off_the_globe_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="must lie in"):
        parse_coordinates(text)


@given(st.floats(-180, 180), st.floats(-90, 90))
def test_decimal_degrees_are_read_back(lon: float, lat: float) -> None:
    assert parse_coordinates(f"{lat:.6f}, {lon:.6f}") == pytest.approx((lon, lat), abs=1e-6)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse_coordinates(text)
    except InputError:
        return
    assert found is None or (-180 <= found[0] <= 180 and -90 <= found[1] <= 90)


def test_places_are_found_by_their_beginning_without_accents() -> None:
    lyon = search_places("lyon")[0]
    assert (lyon.name, lyon.country) == ("Lyon", "FR")
    assert (lyon.lon, lyon.lat) == pytest.approx((4.85, 45.75), abs=0.05)
    assert search_places("sao paulo")[0].country == "BR"
    assert {place.country for place in search_places("paris, United States")} == {"US"}
    assert search_places("york")[0].population > 100_000
    assert len(search_places("san", 5)) == 5


def test_a_name_of_another_language_finds_the_place() -> None:
    assert search_places("Hambourg")[0].name == "Hamburg"
    assert search_places("qqqqzzz") == []
    assert search_places("a") == []
