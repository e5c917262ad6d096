"""UTM zones and MGRS latitude bands."""

import re

__all__ = ["LATITUDE_BANDS", "latitude_band", "parse_utm_zone", "utm_zone_number", "zones_apart"]

LATITUDE_BANDS = "CDEFGHJKLMNPQRSTUVWX"
"""Letters of the MGRS latitude bands from 80 S to 84 N; each is 8 degrees high, the last 12."""

_ZONE = re.compile(r"(\d{1,2})([C-HJ-NP-X])")


def parse_utm_zone(zone: str) -> tuple[int, str] | None:
    """Split a UTM zone such as `34H` into its number, 1 to 60, and its letter; None if invalid."""
    match = _ZONE.fullmatch(zone.strip().upper())
    if match is None or not 1 <= int(match[1]) <= 60:
        return None
    return int(match[1]), match[2]


def utm_zone_number(lon: float) -> int:
    """UTM zone number, 1 to 60, of a longitude in degrees, without the exceptions of Norway."""
    return int((lon + 180) // 6) % 60 + 1


def latitude_band(lat: float) -> str:
    """MGRS latitude band of a latitude in degrees; `C` or `X` beyond the range of UTM."""
    return LATITUDE_BANDS[min(max(int((lat + 80) // 8), 0), len(LATITUDE_BANDS) - 1)]


def zones_apart(one: int, other: int) -> int:
    """Difference of two zone numbers around the globe, 0 to 30."""
    difference = abs(one - other)
    return min(difference, 60 - difference)
