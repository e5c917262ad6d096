"""Place and time of images that GDAL does not georeference: EXIF of photographs, world files."""

import math
from pathlib import Path
from typing import Any

from terraseek.catalogue.images import open_image, read_bytes
from terraseek.catalogue.records import ImageRef
from terraseek.decoding import guarded
from terraseek.errors import SceneError

__all__ = ["UNPLACED", "has_world_file", "is_animated", "photograph_columns"]

UNPLACED = "_unplaced"
"""Key of the reason why an image has a position that could not be used."""

_GPS_IFD, _EXIF_IFD = 0x8825, 0x8769
_LATITUDE, _LONGITUDE = (1, 2), (3, 4)
"""GPS tags of the hemisphere and of degrees, minutes and seconds."""
_GPS_TIME, _GPS_DATE = 7, 29
_TAKEN, _TAKEN_OFFSET, _MODIFIED = 0x9003, 0x9011, 0x0132


def has_world_file(path: Path) -> bool:
    """Whether a file beside an image can place it: `.jgw`, `.jpgw`, `.wld` or `.aux.xml`."""
    suffix = path.suffix
    endings = [f"{suffix[:2]}{suffix[-1:]}w", f"{suffix}w", ".wld"]
    names = [path.with_suffix(end) for ending in endings for end in (ending, ending.upper())]
    return any(p.is_file() for p in (*names, path.with_name(f"{path.name}.aux.xml")))


def photograph_columns(ref: ImageRef) -> dict[str, Any]:
    """Columns `lon`, `lat`, `location_precision` and `captured_at` from EXIF, where it has them.

    The place is that of the camera, so its precision is `point`. The time is that of the satellites
    (UTC), else the camera's clock, with its offset if that is stated. Damaged EXIF gives nothing.
    """
    try:
        with guarded(ref.label), open_image(read_bytes(ref), ref.label) as image:
            exif = image.getexif()
            gps, taken = exif.get_ifd(_GPS_IFD), exif.get_ifd(_EXIF_IFD)
            modified = exif.get(_MODIFIED)
    except SceneError:  # viewers ignore damaged EXIF, too
        return {}
    columns: dict[str, Any] = {}
    lat, lon = _degrees(gps, _LATITUDE, "NS"), _degrees(gps, _LONGITUDE, "EW")
    if lat is not None and lon is not None:
        columns = {"lon": lon, "lat": lat, "location_precision": "point"}
    elif _LATITUDE[1] in gps or _LONGITUDE[1] in gps:
        columns = {UNPLACED: "a GPS position in EXIF that is incomplete or damaged"}
    moment = _gps_moment(gps) or _camera_moment(taken) or _text(modified)
    return columns | ({"captured_at": moment} if moment else {})


def is_animated(ref: ImageRef) -> bool:
    """Whether an image of a format with animations has more than one frame."""
    if ref.suffix not in (".gif", ".png", ".webp"):
        return False
    try:
        with guarded(ref.label), open_image(read_bytes(ref), ref.label) as image:
            return bool(getattr(image, "is_animated", False))
    except SceneError:  # the first frame was decoded
        return False


def _degrees(gps: dict[int, Any], tags: tuple[int, int], sides: str) -> float | None:
    """Degrees; None without numbers, or without the letter of a side, which would be a guess."""
    hemisphere, angle = (gps.get(tag) for tag in tags)
    try:
        parts = [float(part) for part in angle]  # type: ignore[union-attr]  # any tag may be absent
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    value = math.fsum(part / 60.0**n for n, part in enumerate(parts[:3]))
    if not parts or not math.isfinite(value):
        return None
    side = _text(hemisphere).upper()[:1]
    if not side or side not in sides:
        return None
    return -value if side == sides[1] else value


def _gps_moment(gps: dict[int, Any]) -> str:
    date, time = _text(gps.get(_GPS_DATE)), gps.get(_GPS_TIME)
    try:
        hours, minutes, seconds = (int(float(part)) for part in time)  # type: ignore[union-attr]
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return ""
    return f"{date} {hours:02d}:{minutes:02d}:{seconds:02d}" if date else ""


def _camera_moment(taken: dict[int, Any]) -> str:
    moment, offset = _text(taken.get(_TAKEN)), _text(taken.get(_TAKEN_OFFSET))
    if not moment or not offset:
        return moment
    return f"{moment[:10].replace(':', '-')}T{moment[11:]}{offset}"


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    return "" if value is None else str(value).strip("\0 ")
