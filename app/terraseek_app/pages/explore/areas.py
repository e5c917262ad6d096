"""Parts of the globe chosen in Explore: what the library makes of them, and words for them."""

from collections.abc import Sequence

from terraseek.catalogue import Area
from terraseek.geo import BBox

__all__ = ["MOST_KM", "area_of", "bounds_of", "box_words", "circle_words"]

MOST_KM = 20_015.0
"""Half the Earth's circumference: a circle of this radius holds everything."""


def area_of(corners: Sequence[tuple[float, float]]) -> Area:
    """The area within corners (lon, lat) in degrees.

    Raises:
        FilterError: they enclose nothing, or leave the globe.
    """
    ring = ", ".join(f"{lon!r} {lat!r}" for lon, lat in [*corners, *corners[:1]])
    return Area.parse(f"POLYGON (({ring}))")


def bounds_of(
    box: tuple[float, float, float, float] | None,
    polygon: Sequence[tuple[float, float]] | None,
    circle: tuple[float, float, float] | None,
) -> tuple[float, float, float, float] | None:
    """(west, south, east, north) of the first area there is; None without one."""
    if box:
        return box
    if polygon:
        lons, lats = zip(*polygon, strict=True)
        return min(lons), min(lats), max(lons), max(lats)
    if circle:
        from terraseek.catalogue import Circle

        around: BBox = Circle(*circle).boxes()[0]
        return around.as_tuple()
    return None


def box_words(box: tuple[float, float, float, float]) -> str:
    """A box for people."""
    west, south, east, north = box
    return f"{_lon(west)} to {_lon(east)}, {_lat(south)} to {_lat(north)}"


def circle_words(circle: tuple[float, float, float]) -> str:
    """A circle for people."""
    lon, lat, km = circle
    return f"{km:,.4g} km around {_lat(lat)}, {_lon(lon)}"


def _lon(value: float) -> str:
    return f"{abs(value):.1f}°{'E' if value >= 0 else 'W'}"


def _lat(value: float) -> str:
    return f"{abs(value):.1f}°{'N' if value >= 0 else 'S'}"
