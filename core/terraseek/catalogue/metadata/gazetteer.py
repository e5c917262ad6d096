"""Where a named place is: a name and its country to one point, or to none if it is not clear which.

Names in RS5M's captions have lost every letter beyond ASCII (`S?o Lu?s`); they are found by the
same damage done to the gazetteer's names.
"""

import gzip
import json
import math
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from terraseek.catalogue.metadata.countries import country_code, lost_letters
from terraseek.catalogue.metadata.gazetteer_data import data_file

__all__ = ["Place", "find_place", "split_zone"]

_SAME_KM = 25.0
_EARTH_KM = 6371.0
_ZONE = re.compile(r"(\d{1,2})([C-HJ-NP-X])")
_BANDS = "CDEFGHJKLMNPQRSTUVWX"


@dataclass(frozen=True, slots=True)
class Place:
    """A populated place of the gazetteer."""

    name: str
    """Its name with all its letters."""
    country: str
    """ISO 3166-1 alpha-2 code."""
    lon: float
    """Degrees east of its centre, EPSG:4326."""
    lat: float
    """Degrees north of its centre, EPSG:4326."""
    population: int
    """Inhabitants; 0 where GeoNames does not know."""


@cache
def _rows() -> dict[str, list[dict[str, Any]]]:
    """The gazetteer's rows by country code."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    with gzip.open(data_file("geocode.gz"), "rb") as file:
        for row in json.load(file):
            found[row["country_code"]].append(row)
    return dict(found)


@cache
def _places(country: str) -> dict[str, tuple[Place, ...]]:
    """Places of a country by damaged, case-folded name; made for the countries that are asked."""
    found: dict[str, list[Place]] = defaultdict(list)
    for row in _rows().get(country, ()):
        place = Place(row["city"], country, row["longitude"], row["latitude"], row["population"])
        found[_key(place.name)].append(place)
    return {key: tuple(places) for key, places in found.items()}


def _key(name: str) -> str:
    return lost_letters(" ".join(name.split())).casefold()


def find_place(name: str, country: str, zone: str = "") -> Place | None:
    """The place of this name in this country, or None if there is none or it is not clear which.

    Several places of one name are told apart by the UTM zone: those in it come before those beside
    it. What is left must lie within 25 km of each other (GeoNames lists some towns twice), and the
    largest is taken.

    Args:
        name: as in a caption; `?` stands for any letter.
        country: name or code.
        zone: UTM zone with latitude band (`34H`) the place should be in or next to; may be empty.
    """
    code = country_code(country)
    if code is None or not name.strip(" ?"):
        return None
    known = _places(code).get(_key(name)) or (_alike(code, _key(name)) if "?" in name else ())
    if split_zone(zone):
        near = [[place for place in known if _zones_apart(place, zone) == n] for n in (0, 1)]
        known = tuple(near[0] or near[1])
    if not known:
        return None
    largest = max(known, key=lambda place: place.population)
    if any(_apart_km(place, largest) > _SAME_KM for place in known):
        return None
    return largest


@lru_cache(maxsize=4096)
def _alike(country: str, key: str) -> tuple[Place, ...]:
    """Places whose name fits a damaged one letter by letter: spellings have changed since."""
    rule = re.compile(re.escape(key).replace(r"\?", "."))
    found = (places for name, places in _places(country).items() if rule.fullmatch(name))
    return tuple(place for places in found for place in places)


def split_zone(zone: str) -> tuple[int, str] | None:
    """Number 1 to 60 and letter of a UTM zone such as `34H`, or None."""
    match = _ZONE.fullmatch(zone.strip().upper())
    if match is None or not 1 <= int(match[1]) <= 60:
        return None
    return int(match[1]), match[2]


def _zones_apart(place: Place, zone: str) -> int:
    """0 in the zone, 1 beside it (images of a town reach over borders), more elsewhere."""
    parts = split_zone(zone)
    assert parts is not None
    across = abs(int((place.lon + 180) // 6) % 60 + 1 - parts[0])
    band = min(max(int((place.lat + 80) // 8), 0), len(_BANDS) - 1)
    return max(min(across, 60 - across), abs(band - _BANDS.index(parts[1])))


def _apart_km(one: Place, other: Place) -> float:
    """Great-circle distance by the haversine formula."""
    lat1, lat2 = math.radians(one.lat), math.radians(other.lat)
    across = math.sin(math.radians(other.lon - one.lon) / 2) ** 2
    along = math.sin((lat2 - lat1) / 2) ** 2
    half = along + math.cos(lat1) * math.cos(lat2) * across
    return 2 * _EARTH_KM * math.asin(math.sqrt(min(1.0, half)))
