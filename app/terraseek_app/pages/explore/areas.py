"""Areas that limit the search in Explore: conversion to library types, and texts about them."""

from collections.abc import Sequence

from terraseek.catalogue import Area
from terraseek.geo import BBox

__all__ = ["MAX_RADIUS_KM", "area_bounds", "box_text", "circle_text", "polygon_area"]

MAX_RADIUS_KM = 20_015.0
"""Half the Earth's circumference: a circle of this radius covers the globe."""


def polygon_area(corners: Sequence[tuple[float, float]]) -> Area:
    """The area inside a polygon with corners (lon, lat) in degrees.

    Raises:
        FilterError: the polygon is empty, or has latitudes beyond the poles.
    """
    ring = ", ".join(f"{lon!r} {lat!r}" for lon, lat in [*corners, *corners[:1]])
    return Area.parse(f"POLYGON (({ring}))")


def area_bounds(
    box: tuple[float, float, float, float] | None,
    polygon: Sequence[tuple[float, float]] | None,
    circle: tuple[float, float, float] | None,
) -> tuple[float, float, float, float] | None:
    """Bounds (west, south, east, north) in degrees of the first area given; None without one."""
    if box:
        return box
    if polygon:
        lons, lats = zip(*polygon, strict=True)
        return min(lons), min(lats), max(lons), max(lats)
    if circle:
        from terraseek.catalogue import Circle

        bounds: BBox = Circle(*circle).boxes()[0]
        return bounds.as_tuple()
    return None


def box_text(box: tuple[float, float, float, float]) -> str:
    """A box as text, such as `2.0°E to 3.0°E, 48.0°N to 49.0°N`."""
    west, south, east, north = box
    return f"{_lon(west)} to {_lon(east)}, {_lat(south)} to {_lat(north)}"


def circle_text(circle: tuple[float, float, float]) -> str:
    """A circle as text, such as `100 km around 48.9°N, 2.4°E`."""
    lon, lat, km = circle
    return f"{km:,.4g} km around {_lat(lat)}, {_lon(lon)}"


def _lon(value: float) -> str:
    return f"{abs(value):.1f}°{'E' if value >= 0 else 'W'}"


def _lat(value: float) -> str:
    return f"{abs(value):.1f}°{'N' if value >= 0 else 'S'}"
