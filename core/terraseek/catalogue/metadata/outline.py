"""Centre and footprint of a geometry on the globe, also across the antimeridian."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["centre_of_box", "location_columns", "parse_geometry", "wrap"]

_MAX_LATITUDE = 90.0
_LONLAT = 4326
_HEXADECIMAL = re.compile(r"(?:[0-9A-Fa-f]{2}){9,}")


def wrap(lon: float) -> float:
    """Longitude in -180..180; values in that range are unchanged."""
    return lon if -180 <= lon <= 180 else (lon + 180) % 360 - 180


def centre_of_box(west: float, south: float, east: float, north: float) -> tuple[float, float]:
    """Longitude and latitude of the centre; west > east in a box across the antimeridian."""
    return wrap((west + east + (360 if west > east else 0)) / 2), (south + north) / 2


def parse_geometry(value: object) -> "BaseGeometry | None":
    """Geometry of WKB (bytes or hexadecimal), WKT or GeoJSON; None for anything else, or if empty.

    A reference system that PostGIS states in WKB or WKT is changed to longitude and latitude.
    """
    import shapely
    from shapely.geometry import shape

    geometry: Any = None
    try:
        if isinstance(value, (bytes, bytearray)):
            geometry = shapely.from_wkb(bytes(value))
        elif isinstance(value, str):
            geometry = _geometry_of_text(value.strip())
        elif isinstance(value, dict):
            geometry = shape(value)
        # GeoJSON may hold anything in place of numbers
    except (
        shapely.errors.ShapelyError,
        ValueError,
        TypeError,
        AttributeError,
        KeyError,
        IndexError,
    ):
        return None
    return None if geometry is None or geometry.is_empty else _in_lonlat(geometry)


def _geometry_of_text(text: str) -> Any:  # noqa: ANN401 - shapely's geometries
    import shapely
    from shapely.geometry import shape

    if text.startswith("{"):
        return shape(json.loads(text))
    if _HEXADECIMAL.fullmatch(text):
        return shapely.from_wkb(text)
    srid, separator, wkt = text.partition(";")
    if separator and srid.upper().startswith("SRID="):
        return shapely.set_srid(shapely.from_wkt(wkt), int(srid[5:]))
    return shapely.from_wkt(text)


def _in_lonlat(geometry: Any) -> Any:  # noqa: ANN401 - shapely's geometries
    """The geometry in longitude and latitude; None if its reference system is not known."""
    import shapely

    srid = int(shapely.get_srid(geometry))
    if srid in (0, _LONLAT):
        return geometry
    from pyproj import Transformer
    from pyproj.exceptions import ProjError

    try:
        transformer = Transformer.from_crs(srid, _LONLAT, always_xy=True)
    except ProjError:
        return None
    to_lonlat: Any = transformer.transform
    return shapely.transform(geometry, to_lonlat, interleaved=False)


def location_columns(geometry: "BaseGeometry") -> dict[str, Any]:
    """Columns `lon` and `lat` of the centre, and `footprint` of a polygon, as JSON text.

    The longitudes of the geometry may continue beyond 180, jump from 179 to -179, or be cut at the
    antimeridian (RFC 7946 section 3.1.9). The result is empty if a coordinate is not finite or a
    latitude is out of range.
    """
    parts = list(_parts(geometry))
    if not parts:
        return {}
    lat = np.concatenate([part[:, 1] for part in parts])
    if not all(np.isfinite(part).all() for part in parts) or np.abs(lat).max() > _MAX_LATITUDE:
        return {}
    lines = [_continuous(part[:, 0]) for part in parts]
    west, east = _extent([(float(lon.min()), float(lon.max())) for lon in lines])
    columns: dict[str, Any] = {
        "lon": wrap((west + east) / 2),
        "lat": float(lat.min() + lat.max()) / 2,
    }
    if geometry.geom_type == "Polygon":
        corners = zip(lines[0].tolist(), parts[0][:, 1].tolist(), strict=True)
        columns["footprint"] = json.dumps([[x, y] for x, y in corners])
    return columns


def _parts(geometry: "BaseGeometry") -> Iterator[Float64[np.ndarray, "n 2"]]:
    """Coordinates of points, lines and outer rings."""
    for part in getattr(geometry, "geoms", [geometry]):
        if hasattr(part, "geoms"):
            yield from _parts(part)
        elif not part.is_empty:
            line = part.exterior if part.geom_type == "Polygon" else part
            yield np.asarray(line.coords, np.float64)[:, :2]


def _continuous(lon: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Undo jumps across the antimeridian; a ring along all longitudes has edges of 360 degrees."""
    jumps = np.abs(np.diff(lon))
    if np.any(jumps >= 360) or not np.any(jumps > 180):
        return lon
    return np.asarray(np.unwrap(lon, period=360.0))


def _extent(ranges: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Least wide range that contains all ranges on the circle of longitudes."""
    if any(east - west >= 360 for west, east in ranges):
        return -180.0, 180.0
    ordered = sorted((west % 360, west % 360 + east - west) for west, east in ranges)
    reach = max(east for _, east in ordered) - 360
    gap, start = 0.0, None
    for west, east in ordered:
        if west - reach > gap:
            gap, start = west - reach, west
        reach = max(reach, east)
    return (-180.0, 180.0) if start is None else (start, start + 360 - gap)
