"""Location of an item: coordinates that can be trusted, and how precise they are."""

import math
import re
from typing import Any, NamedTuple

from terraseek.catalogue.places.countries import country_code
from terraseek.catalogue.places.gazetteer import Place, find_place
from terraseek.catalogue.records import PRECISIONS, LocationPrecision

__all__ = ["Location", "locate", "lookup_place", "parse_degrees", "parse_number"]


class Location(NamedTuple):
    """Coordinates of an item, EPSG:4326."""

    lon: float | None
    """Degrees east, -180 to 180; None where unknown."""
    lat: float | None
    """Degrees north; None where unknown."""
    precision: LocationPrecision
    """How well the coordinates locate the image."""
    rejected: bool
    """Whether the item had coordinates that are invalid."""


def parse_number(value: object) -> float | None:
    """Finite float of a table cell; None for anything else."""
    if value is None or isinstance(value, bool):
        return None
    try:
        parsed = float(str(value).strip())
    except ValueError:
        return None
    return parsed if math.isfinite(parsed) else None


_DECIMAL_COMMA = re.compile(r"[+-]?\d{1,3},\d+")
_SEXAGESIMAL = re.compile(
    r"(?P<before>[NSEWnsew]?)\s*(?P<sign>[+-]?)(?P<degrees>\d{1,3}(?:[.,]\d+)?)\s*[°ºd]?\s*"
    r"(?:(?P<minutes>\d{1,2}(?:[.,]\d+)?)\s*['\u2032\u2019m]\s*)?"
    r"(?:(?P<seconds>\d{1,2}(?:[.,]\d+)?)\s*(?:\"|″|”|''|s)\s*)?(?P<after>[NSEWnsew]?)"
)


def parse_degrees(value: object) -> float | None:
    """Degrees of a table cell: a number, also with a decimal comma, or `48°51'24"N`, `N 48.85`."""
    number = parse_number(value)
    if number is not None or not isinstance(value, str):
        return number
    text = value.strip().replace("\N{MINUS SIGN}", "-")
    if _DECIMAL_COMMA.fullmatch(text):
        return float(text.replace(",", "."))
    match = _SEXAGESIMAL.fullmatch(text)
    if match is None or (match["before"] and match["after"]):
        return None
    parts = (match["degrees"], match["minutes"] or "0", match["seconds"] or "0")
    degrees, minutes, seconds = (float(part.replace(",", ".")) for part in parts)
    angle = degrees + minutes / 60 + seconds / 3600
    return (
        -angle
        if match["sign"] == "-" or (match["before"] or match["after"]).upper() in ("S", "W")
        else angle
    )


def locate(columns: dict[str, Any], precision: LocationPrecision | None) -> Location:
    """Locate an item by its coordinates, else by its place name, its UTM zone or its country.

    Coordinates are rejected if they are not numbers, out of range, or 0,0, which is how broken
    metadata writes "unknown". Longitudes from 0 to 360 are converted to -180..180. Without valid
    coordinates, a place that the gazetteer knows gives its centre; a UTM zone or a country alone
    gives no point.

    Args:
        columns: what is known about the item.
        precision: precision of valid coordinates; None takes the column `location_precision`, or
            "exact" without it.
    """
    stated = bool(_text(columns.get("lon")) or _text(columns.get("lat")))
    lon, lat = parse_degrees(columns.get("lon")), parse_degrees(columns.get("lat"))
    if lon is not None and lat is not None and _is_plausible(lon, lat):
        text = _text(columns.get("location_precision"))
        stored = next((known for known in PRECISIONS[:-1] if known == text), None)
        return Location(lon - 360 if lon > 180 else lon, lat, precision or stored or "exact", False)
    place = lookup_place(columns)
    if place is not None:
        return Location(place.lon, place.lat, "place_name", stated)
    if _text(columns.get("utm")):
        return Location(None, None, "utm_zone", stated)
    if _text(columns.get("country")) or _text(columns.get("place")):
        return Location(None, None, "place_name", stated)
    return Location(None, None, "none", stated)


def lookup_place(columns: dict[str, Any]) -> Place | None:
    """Gazetteer entry of the columns `place` and `country`; None if unknown or ambiguous.

    `place` may end with the country (`Bergvliet, South Africa`). A `state` that has one of several
    places of that name decides between them.
    """
    name, country = _text(columns.get("place")), _text(columns.get("country"))
    if name and not country and "," in name:
        name, _, country = (part.strip() for part in name.rpartition(","))
    if not name or country_code(country) is None:
        return None
    # a letter that means the hemisphere is not a latitude band
    has_band = _text(columns.get("utm_kind")) != "hemisphere"
    zone = _text(columns.get("utm")) if has_band else ""
    return find_place(name, country, zone, _text(columns.get("state")))


def _is_plausible(lon: float, lat: float) -> bool:
    return -180 <= lon <= 360 and -90 <= lat <= 90 and (lon, lat) != (0.0, 0.0)


def _text(value: object) -> str:
    text = "" if value is None else str(value).strip()
    return "" if text.lower() in ("nan", "none", "null") else text
