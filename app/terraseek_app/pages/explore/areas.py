"""Areas that limit the search in Explore: conversion to library types, and texts about them."""

from collections.abc import Sequence

from terraseek.catalogue import Area
from terraseek.geo import BBox
from terraseek.parameters import format_degrees

__all__ = [
    "MAX_RADIUS_KM",
    "area_bounds",
    "box_text",
    "circle_text",
    "polygons_area",
    "polygons_text",
]

MAX_RADIUS_KM = 20_015.0
"""Half the Earth's circumference: a circle of this radius covers the globe."""


def polygons_area(polygons: Sequence[Sequence[tuple[float, float]]]) -> Area:
    """The area inside polygons with corners (lon, lat) in degrees.

    Raises:
        FilterError: a polygon is empty, or has latitudes beyond the poles.
    """
    return Area.parse("|".join(";".join(f"{x!r},{y!r}" for x, y in ring) for ring in polygons))


def polygons_text(polygons: Sequence[Sequence[tuple[float, float]]]) -> str:
    """Polygons as text, as links, command line and API have them."""
    return "|".join(";".join(map(format_degrees, ring)) for ring in polygons)


def area_bounds(
    box: tuple[float, float, float, float] | None,
    polygons: Sequence[Sequence[tuple[float, float]]],
    circle: tuple[float, float, float] | None,
) -> tuple[float, float, float, float] | None:
    """Bounds (west, south, east, north) in degrees of the first kind given; None without one."""
    if box:
        return box
    if polygons:
        lons, lats = zip(*(corner for ring in polygons for corner in ring), strict=True)
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
