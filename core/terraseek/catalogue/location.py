"""How well a picture's place is known, and which coordinates are no coordinates."""

import math
from typing import Any

from terraseek.catalogue.records import PRECISIONS, LocationPrecision

__all__ = ["locate", "number"]


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

    Bad are values that are no number, out of range, and 0,0, where broken metadata puts pictures.
    Longitudes of the 0..360 convention are brought to -180..180. Without coordinates a UTM zone
    or a country still gives a (coarser) place, but no point.
    """
    stated = bool(_text(columns.get("lon")) or _text(columns.get("lat")))
    lon, lat = number(columns.get("lon")), number(columns.get("lat"))
    if lon is not None and lat is not None and _plausible(lon, lat):
        own = _text(columns.get("location_precision"))
        precision: LocationPrecision = "point" if own == PRECISIONS[1] else "exact"
        precision = given or precision
        return (lon - 360 if lon > 180 else lon), lat, precision, False
    if _text(columns.get("utm")):
        return None, None, "utm_zone", stated
    if _text(columns.get("country")) or _text(columns.get("place")):
        return None, None, "place_name", stated
    return None, None, "none", stated


def _plausible(lon: float, lat: float) -> bool:
    return -180 <= lon <= 360 and -90 <= lat <= 90 and (lon, lat) != (0.0, 0.0)


def _text(value: object) -> str:
    text = "" if value is None else str(value).strip()
    return "" if text.lower() in ("nan", "none", "null") else text
