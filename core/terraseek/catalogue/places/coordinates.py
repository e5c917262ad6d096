"""Read coordinates as people type them: decimal degrees, degrees and minutes, UTM and MGRS."""

import math
import re

from terraseek.errors import InputError

__all__ = ["parse_coordinates"]

_BANDS = "CDEFGHJKLMNPQRSTUVWX"
_NUMBER = r"[-+]?\d+(?:[.,]\d+)?"
_DEGREES = re.compile(
    rf"(?P<before>[NSEW])?\s*(?P<d>{_NUMBER})\s*(?:[°ºd]\s*|\s+(?=\d))?"
    rf"(?:(?P<m>\d+(?:\.\d+)?)\s*['\u2032\u2019m]\s*)?(?:(?P<s>\d+(?:\.\d+)?)\s*(?:\"|\u2033|\u201d|''|s)\s*)?"
    rf"(?P<after>[NSEW])?",
    re.IGNORECASE,
)
_UTM = re.compile(
    r"(\d{1,2})\s*([C-HJ-NP-X])[\s,]+(\d{5,7}(?:\.\d+)?)\s*(?:m?E)?[\s,]+(\d{1,8}(?:\.\d+)?)\s*(?:m?N)?",
    re.IGNORECASE,
)
_MGRS = re.compile(
    r"(\d{1,2})([C-HJ-NP-X])([A-HJ-NP-Z])([A-HJ-NP-V])((?:\d\d){0,5})", re.IGNORECASE
)
_COLUMNS = ("ABCDEFGH", "JKLMNPQR", "STUVWXYZ")
_ROWS = "ABCDEFGHJKLMNPQRSTUV"
_BAND_S_NORTHINGS = (3_500_000.0, 4_460_000.0)
"""Northings of MGRS band S, in metres; with others, S means the southern hemisphere."""


def parse_coordinates(text: str) -> tuple[float, float] | None:
    """Longitude and latitude in degrees (EPSG:4326) of a position as people type it.

    Two numbers are latitude and longitude, as most people write them, unless letters (N, S, E, W)
    or the words lon and lat say otherwise, or the first one is beyond 90. Degrees may have minutes
    and seconds (`45°45'35"N 4°50'32"E`). UTM is `31T 643000 5068000` or `31N 643000 5068000`, MGRS
    `31TFL4300068000`, whose position is the centre of its square.

    Args:
        text: what was typed.

    Returns:
        (lon, lat); None for text that is no position, such as the name of a place.

    Raises:
        InputError: it is a position, but off the globe.
    """
    cleaned = " ".join(text.replace("\N{MINUS SIGN}", "-").split())
    found = _parse_mgrs(cleaned) or _parse_utm(cleaned) or _parse_degrees(cleaned)
    if found is None:
        return None
    lon, lat = found
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise InputError(
            f"{text!r} is longitude {lon:g} and latitude {lat:g}; these must lie in -180..180 and "
            "-90..90"
        )
    return lon, lat


def _parse_degrees(text: str) -> tuple[float, float] | None:
    names = re.findall(r"\b(lat|lon|lng|latitude|longitude)\b", text, re.IGNORECASE)
    plain = re.sub(r"\b(lat|lon|lng)(itude)?\b[:=]?", " ", text, flags=re.IGNORECASE).strip(" ()[]")
    if re.fullmatch(rf"{_NUMBER}\s*[,;]\s*{_NUMBER}", plain) and plain.count(",") == 1:
        parts = re.split(r"[,;]", plain)
    else:
        parts = _two_parts(plain)
    values = [_degrees(part.strip()) for part in parts]
    if len(values) != 2 or None in values:
        return None
    (one, first), (two, second) = (value for value in values if value is not None)
    if first or second:
        is_lon = [letter in ("E", "W") for letter in (first, second)]
        if first and second and is_lon[0] == is_lon[1]:
            return None
        return (one, two) if first in ("E", "W") or second in ("N", "S") else (two, one)
    starts_with_lon = bool(names) and names[0].lower().startswith(("lon", "lng"))
    return (one, two) if starts_with_lon or abs(one) > 90 else (two, one)


def _two_parts(text: str) -> list[str]:
    """Halves of a text with two angles: at a separator, after a letter, or between numbers."""
    for pattern in (
        r"\s*[,;/]\s+|;|(?<=[NSEWnsew])\s*[,;]\s*",
        r"(?<=[NSEWnsew])\s*(?=\d)",
        r"\s*,\s*",
        r"\s+",
    ):
        parts = [part for part in re.split(pattern, text) if part]
        if len(parts) == 2:
            return parts
    found = re.fullmatch(r"([NSEWnsew].*?)\s*([NSEWnsew].*)", text)
    return list(found.groups()) if found else []


def _degrees(text: str) -> tuple[float, str] | None:
    """Value of an angle, and its letter in upper case, or blank."""
    found = _DEGREES.fullmatch(text)
    if found is None or (found["before"] and found["after"]):
        return None
    minutes, seconds = (float(found[name] or 0) for name in ("m", "s"))
    if minutes >= 60 or seconds >= 60:
        return None
    degrees = float(found["d"].replace(",", "."))
    value = math.copysign(abs(degrees) + minutes / 60 + seconds / 3600, degrees)
    letter = (found["before"] or found["after"] or "").upper()
    return (-value if letter in ("S", "W") else value), letter


def _parse_utm(text: str) -> tuple[float, float] | None:
    found = _UTM.fullmatch(text)
    if found is None or not 1 <= int(found[1]) <= 60:
        return None
    letter, east, north = found[2].upper(), float(found[3]), float(found[4])
    low, high = _BAND_S_NORTHINGS
    is_south = letter < "N" or (letter == "S" and not low <= north <= high)
    return _from_utm(int(found[1]), is_south, east, north)


def _parse_mgrs(text: str) -> tuple[float, float] | None:
    found = _MGRS.fullmatch(text.replace(" ", ""))
    if found is None or not 1 <= int(found[1]) <= 60:
        return None
    zone, band, digits = int(found[1]), found[2].upper(), found[5]
    column = _COLUMNS[(zone - 1) % 3].find(found[3].upper())
    if column < 0:
        return None
    half = len(digits) // 2
    side = 10.0 ** (5 - half)
    east = (column + 1) * 1e5 + (int(digits[:half] or 0) + 0.5) * side
    row = (_ROWS.index(found[4].upper()) - (0 if zone % 2 else 5)) % 20
    north = row * 1e5 + (int(digits[half:] or 0) + 0.5) * side
    middle = -76.0 + 8 * _BANDS.index(band)
    places = [_from_utm(zone, band < "N", east, north + turn * 2e6) for turn in range(5)]
    return min(places, key=lambda place: abs(place[1] - middle))


def _from_utm(zone: int, is_south: bool, east: float, north: float) -> tuple[float, float]:
    from pyproj import Transformer

    epsg = (32700 if is_south else 32600) + zone
    lon, lat = Transformer.from_crs(epsg, 4326, always_xy=True).transform(east, north)
    return float(lon), float(lat)
