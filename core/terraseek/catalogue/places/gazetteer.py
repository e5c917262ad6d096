"""Lookup of a named place: a name and its country to one point, or None if it is ambiguous.

Names in RS5M's captions have lost every letter beyond ASCII (`S?o Lu?s`); the gazetteer's names are
damaged in the same way before they are compared.
"""

import gzip
import json
import math
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain
from typing import Any

from terraseek.catalogue.places.countries import country_code
from terraseek.catalogue.places.gazetteer_files import gazetteer_file
from terraseek.catalogue.places.text_repair import ascii_with_question_marks
from terraseek.catalogue.places.utm import (
    LATITUDE_BANDS,
    latitude_band,
    parse_utm_zone,
    utm_zone_number,
    zones_apart,
)
from terraseek.geo import EARTH_KM

__all__ = ["Place", "all_places", "find_anywhere", "find_place", "find_states"]

_SAME_PLACE_KM = 25.0


@dataclass(frozen=True, slots=True)
class Place:
    """A populated place of the gazetteer."""

    name: str
    """Name with all its letters."""
    country: str
    """ISO 3166-1 alpha-2 code."""
    lon: float
    """Degrees east of its centre, EPSG:4326."""
    lat: float
    """Degrees north of its centre, EPSG:4326."""
    population: int
    """Inhabitants; 0 where GeoNames does not know."""
    state: str = ""
    """Name of its first-level division; blank where GeoNames does not know."""


@cache
def _places_by_country() -> dict[str, tuple[Place, ...]]:
    """All places by the code of their country, both in the order of the gazetteer."""
    found: dict[str, list[Place]] = defaultdict(list)
    with gzip.open(gazetteer_file("geocode.gz"), "rb") as file:
        for place in json.load(file, object_hook=_place):
            found[place.country].append(place)
    return {country: tuple(places) for country, places in found.items()}


def _place(row: dict[str, Any]) -> Place:
    return Place(
        row["city"],
        row["country_code"],
        row["longitude"],
        row["latitude"],
        row["population"],
        row.get("state", ""),
    )


def all_places() -> Iterator[Place]:
    """All populated places of the gazetteer.

    Raises:
        MissingExtraError: the gazetteer is not installed.
    """
    return chain.from_iterable(_places_by_country().values())


@cache
def _places_by_key(country: str) -> dict[str, tuple[Place, ...]]:
    """Places of one country by `_key` of their name."""
    found: dict[str, list[Place]] = defaultdict(list)
    for place in _places_by_country().get(country, ()):
        found[_key(place.name)].append(place)
    return {key: tuple(places) for key, places in found.items()}


@cache
def _countries_by_key() -> dict[str, tuple[str, ...]]:
    """Codes of the countries that have a place of this name, by `_key`."""
    found: dict[str, set[str]] = defaultdict(set)
    for place in all_places():
        found[_key(place.name)].add(place.country)
    return {key: tuple(sorted(codes)) for key, codes in found.items()}


def _key(name: str) -> str:
    return ascii_with_question_marks(" ".join(name.split())).casefold()


def find_states(name: str) -> frozenset[str]:
    """Codes of the countries that have a state or region of this name."""
    return _countries_of_states().get(_key(name), frozenset())


@cache
def _countries_of_states() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for country, places in _places_by_country().items():
        for state in {place.state for place in places} - {""}:
            found[_key(state)].add(country)
    return {key: frozenset(codes) for key, codes in found.items()}


def find_anywhere(name: str) -> Place | None:
    """Find the only place on Earth with this name; None if there is none or it is ambiguous.

    Several places within 25 km of the largest count as one, as in `find_place`.
    """
    codes = _countries_by_key().get(_key(name), ())
    return _only_one(tuple(p for code in codes for p in _places_by_key(code)[_key(name)]))


def find_place(name: str, country: str, zone: str = "", state: str = "") -> Place | None:
    """Find the place with this name in this country; None if there is none or it is ambiguous.

    If any of several places with one name is in the state, the others do not count. Of the rest,
    those in the UTM zone come before those in a neighbouring zone. The remaining ones must lie
    within 25 km of the largest (GeoNames lists some towns twice), which is returned.

    Args:
        name: as in a caption; `?` stands for any letter.
        country: name or code.
        zone: UTM zone with latitude band (`34H`) of the place or next to it; may be empty.
        state: first-level division (`Texas`); may be empty.
    """
    code = country_code(country)
    if code is None or not name.strip(" ?"):
        return None
    key = _key(name)
    places = _places_by_key(code).get(key) or (_matching(code, key) if "?" in name else ())
    if state:
        places = tuple(p for p in places if _key(p.state) == _key(state)) or places
    parsed = parse_utm_zone(zone)
    if parsed is not None:
        distances = [(_zone_distance(place, *parsed), place) for place in places]
        inside, beside = (tuple(p for away, p in distances if away == n) for n in (0, 1))
        places = inside or beside
    return _only_one(places)


def _only_one(places: tuple[Place, ...]) -> Place | None:
    """The largest of places that all lie within 25 km of it; else None."""
    if not places:
        return None
    largest = max(places, key=lambda place: place.population)
    if any(_distance_km(place, largest) > _SAME_PLACE_KM for place in places):
        return None
    return largest


@lru_cache(maxsize=4096)
def _matching(country: str, key: str) -> tuple[Place, ...]:
    """Places whose name matches a key in which `?` is any letter.

    The gazetteer may spell a letter in ASCII where the caption lost it.
    """
    pattern = re.compile(re.escape(key).replace(r"\?", "."))
    found = (ps for name, ps in _places_by_key(country).items() if pattern.fullmatch(name))
    return tuple(place for places in found for place in places)


def _zone_distance(place: Place, number: int, band: str) -> int:
    """0 in the zone, 1 in a neighbouring one (images of a town cross borders), else more."""
    across = zones_apart(utm_zone_number(place.lon), number)
    down = LATITUDE_BANDS.index(latitude_band(place.lat)) - LATITUDE_BANDS.index(band)
    return max(across, abs(down))


def _distance_km(one: Place, other: Place) -> float:
    """Great-circle distance by the haversine formula."""
    lat1, lat2 = math.radians(one.lat), math.radians(other.lat)
    across = math.sin(math.radians(other.lon - one.lon) / 2) ** 2
    along = math.sin((lat2 - lat1) / 2) ** 2
    half = along + math.cos(lat1) * math.cos(lat2) * across
    return 2 * EARTH_KM * math.asin(math.sqrt(min(1.0, half)))
