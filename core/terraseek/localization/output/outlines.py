"""Outlines of regions on the globe: pixels to longitude and latitude, area, antimeridian."""

import math
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float64

from terraseek.scenes import Georef

if TYPE_CHECKING:
    from shapely import Polygon
    from shapely.geometry.base import BaseGeometry

__all__ = ["area_m2", "area_text", "split_at_antimeridian", "to_lonlat"]

_MIN_RING = 4
_BISECTIONS = 16
"""Halvings of an edge; of one of 10,000 pixels, 0.2 pixels are left."""


def area_m2(polygon: "Polygon", georef: Georef) -> float | None:
    """Area of an outline on the WGS84 ellipsoid in square metres; see `to_lonlat`."""
    from pyproj import Geod

    lonlat = to_lonlat(polygon, georef)
    if lonlat is None:
        return None
    return abs(float(Geod(ellps="WGS84").geometry_area_perimeter(lonlat)[0]))


def area_text(square_metres: float) -> str:
    """An area in m², ha or km², whichever reads best."""
    for unit, size in (("km²", 1e6), ("ha", 1e4)):
        if square_metres >= size:
            value = square_metres / size
            return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
    return f"{square_metres:,.0f} m²"


def to_lonlat(polygon: "Polygon", georef: Georef) -> "Polygon | None":
    """The outline in lon/lat, counter-clockwise; longitudes continue beyond the antimeridian.

    Where pixels are not on the globe (the corners of a full disk), it ends at the last ones that
    are. None without a location on the globe, or where no part of it is on the globe.
    """
    from shapely import Polygon
    from shapely.geometry.polygon import orient

    if not georef.located:
        return None
    rings, clipped = [], False
    for ring in (polygon.exterior, *polygon.interiors):
        points = np.asarray(ring.coords, np.float64)
        lon, lat = georef.lonlat(points[:, 0].copy(), points[:, 1].copy())
        if not np.all(np.isfinite(lon)):
            clipped = True
            points = _on_globe(points, np.isfinite(lon), georef)
            lon, lat = georef.lonlat(points[:, 0].copy(), points[:, 1].copy())
        if len(points) >= _MIN_RING:
            rings.append(_continuous(lon, lat))
            clipped |= len(rings[-1]) > len(points)
        elif not rings:
            return None  # of the outer ring
    outline = Polygon(rings[0], rings[1:])
    return orient(_largest_part(outline) if clipped else outline)


def _continuous(
    lon: Float64[np.ndarray, " n"], lat: Float64[np.ndarray, " n"]
) -> Float64[np.ndarray, "m 2"]:
    """Ring whose longitudes have no jumps; one around a pole also has the edge at that pole."""
    lon = np.unwrap(lon, period=360)
    if abs(lon[-1] - lon[0]) > 180:
        pole = np.copysign(90.0, lat.mean())
        lon, lat = np.append(lon, [lon[-1], lon[0], lon[0]]), np.append(lat, [pole, pole, lat[0]])
    return np.stack([lon, lat], axis=1)


def _on_globe(
    points: Float64[np.ndarray, "n 2"], known: Bool[np.ndarray, " n"], georef: Georef
) -> Float64[np.ndarray, "m 2"]:
    """Points of a closed ring on the globe, and on each edge that leaves it the last one that is.

    Args:
        points: (col, row); the last one repeats the first.
        known: which of them are on the globe.
        georef: maps them.
    """
    kept: list[Float64[np.ndarray, 2]] = []
    for start, end, a, b in zip(points[:-1], points[1:], known[:-1], known[1:], strict=True):
        if a:
            kept.append(start)
        if a == b:
            continue
        inside, outside = (start, end) if a else (end, start)
        for _ in range(_BISECTIONS):
            middle = (inside + outside) / 2
            if georef.pixel_to_lonlat(float(middle[0]), float(middle[1])) is None:
                outside = middle
            else:
                inside = middle
        kept.append(inside)
    return np.array([*kept, *kept[:1]]).reshape(-1, 2)


def _largest_part(outline: "Polygon") -> "Polygon":
    """The outline, or the largest valid part of one that cuts itself after it was clipped."""
    from shapely import make_valid

    if outline.is_valid:
        return outline
    parts = getattr(make_valid(outline), "geoms", [])
    polygons: list[Polygon] = [part for part in parts if part.geom_type == "Polygon"]
    return max(polygons, key=lambda part: part.area, default=outline)


def split_at_antimeridian(lonlat: "Polygon") -> "BaseGeometry":
    """Cut a polygon at the antimeridian, as RFC 7946 section 3.1.9 requires.

    An outline that cuts itself, as next to a pole, is cut up first.
    """
    from shapely import MultiPolygon, box, make_valid, union_all
    from shapely.affinity import translate

    west, _, east, _ = lonlat.bounds
    if west >= -180 and east <= 180:
        return lonlat
    whole = lonlat if lonlat.is_valid else make_valid(lonlat)
    parts: list[Polygon] = []
    for turn in range(math.floor((west + 180) / 360), math.floor((east + 180) / 360) + 1):
        overlap = whole.intersection(box(-180 + 360 * turn, -90, 180 + 360 * turn, 90))
        geometries = getattr(overlap, "geoms", [overlap])
        parts += [translate(g, -360 * turn) for g in geometries if g.geom_type == "Polygon"]
    if east - west >= 360:  # around a pole: the first part continues the last one
        return union_all(parts)
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)
