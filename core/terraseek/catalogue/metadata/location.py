"""How well an image's place is known, and which coordinates are no coordinates."""

import math
from typing import Any

from terraseek.catalogue.metadata.countries import country_code
from terraseek.catalogue.metadata.gazetteer import Place, find_place
from terraseek.catalogue.records import PRECISIONS, LocationPrecision

__all__ = ["locate", "named_place", "number"]


def number(value: object) -> float | None:
    """A finite float out of a cell, or None for anything else."""
    if value is None or isinstance(value, bool):
        return None
    try:
        parsed = float(str(value).strip())
    except ValueError:
        return None
    return parsed if math.isfinite(parsed) else None


def locate(
    columns: dict[str, Any], given: LocationPrecision | None
) -> tuple[float | None, float | None, LocationPrecision, bool]:
    """Longitude and latitude in degrees, precision, and whether bad coordinates were dropped.

    Bad are values that are no number, out of range, and 0,0, where broken metadata puts images.
    Longitudes of the 0..360 convention are brought to -180..180. Without coordinates a place the
    gazetteer knows gives its centre; a UTM zone or a country alone gives no point.
    """
    stated = bool(_text(columns.get("lon")) or _text(columns.get("lat")))
    lon, lat = number(columns.get("lon")), number(columns.get("lat"))
    if lon is not None and lat is not None and _plausible(lon, lat):
        own = _text(columns.get("location_precision"))
        stored = next((known for known in PRECISIONS[:-1] if known == own), None)
        return (lon - 360 if lon > 180 else lon), lat, given or stored or "exact", False
    found = named_place(columns)
    if found is not None:
        return found.lon, found.lat, "place_name", stated
    if _text(columns.get("utm")):
        return None, None, "utm_zone", stated
    if _text(columns.get("country")) or _text(columns.get("place")):
        return None, None, "place_name", stated
    return None, None, "none", stated


def named_place(columns: dict[str, Any]) -> Place | None:
    """The gazetteer's place for the columns `place` and `country`, if it is clear which.

    `place` may end with the country itself (`Bergvliet, South Africa`).
    """
    name, country = _text(columns.get("place")), _text(columns.get("country"))
    if name and not country and "," in name:
        name, _, country = (part.strip() for part in name.rpartition(","))
    if not name or country_code(country) is None:
        return None
    # a letter that means the hemisphere says nothing about the latitude band
    band = _text(columns.get("utm_kind")) != "hemisphere"
    return find_place(name, country, _text(columns.get("utm")) if band else "")


def _plausible(lon: float, lat: float) -> bool:
    return -180 <= lon <= 360 and -90 <= lat <= 90 and (lon, lat) != (0.0, 0.0)


def _text(value: object) -> str:
    text = "" if value is None else str(value).strip()
    return "" if text.lower() in ("nan", "none", "null") else text
