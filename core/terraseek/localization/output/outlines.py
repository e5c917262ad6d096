"""Outlines of regions on the globe: pixels to longitude and latitude, area, antimeridian."""

import math
from typing import TYPE_CHECKING

import numpy as np

from terraseek.scenes import Georef

if TYPE_CHECKING:
    from shapely import Polygon
    from shapely.geometry.base import BaseGeometry

__all__ = ["area_m2", "split_at_antimeridian", "to_lonlat"]


def area_m2(polygon: "Polygon", georef: Georef) -> float | None:
    """Area of an outline on the WGS84 ellipsoid in square metres; see `to_lonlat`."""
    from pyproj import Geod

    lonlat = to_lonlat(polygon, georef)
    if lonlat is None:
        return None
    return abs(float(Geod(ellps="WGS84").geometry_area_perimeter(lonlat)[0]))


def to_lonlat(polygon: "Polygon", georef: Georef) -> "Polygon | None":
    """The outline in lon/lat, counter-clockwise; longitudes continue beyond the antimeridian.

    None without a location on the globe, or where a vertex cannot be projected.
    """
    from shapely import Polygon
    from shapely.geometry.polygon import orient

    if not georef.located:
        return None
    rings = []
    for ring in (polygon.exterior, *polygon.interiors):
        points = np.asarray(ring.coords, np.float64)
        lon, lat = georef.lonlat(points[:, 0].copy(), points[:, 1].copy())
        if not np.all(np.isfinite(lon)):
            return None
        rings.append(np.stack([np.unwrap(lon, period=360), lat], axis=1))
    return orient(Polygon(rings[0], rings[1:]))


def split_at_antimeridian(lonlat: "Polygon") -> "BaseGeometry":
    """Cut a polygon at the antimeridian, as RFC 7946 section 3.1.9 requires."""
    from shapely import MultiPolygon, box
    from shapely.affinity import translate

    west, _, east, _ = lonlat.bounds
    if west >= -180 and east <= 180:
        return lonlat
    parts: list[Polygon] = []
    for turn in range(math.floor((west + 180) / 360), math.floor((east + 180) / 360) + 1):
        overlap = lonlat.intersection(box(-180 + 360 * turn, -90, 180 + 360 * turn, 90))
        geometries = getattr(overlap, "geoms", [overlap])
        parts += [translate(g, -360 * turn) for g in geometries if g.geom_type == "Polygon"]
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)
