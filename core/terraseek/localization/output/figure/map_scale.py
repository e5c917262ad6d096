"""Directions and distances in the image of a scene: where north is, and how long a scale bar is."""

import math
from dataclasses import dataclass

from terraseek.scenes import Georef

__all__ = ["ScaleBar", "north_direction", "scale_bar"]

_NORTH_STEP_DEG = 1e-4
"""Step to the north from the centre, about 11 m."""
_POLE_DEG = 89.99
_MULTIPLES = (5, 2, 1)


@dataclass(frozen=True, slots=True)
class ScaleBar:
    """A bar of a round length."""

    length_px: float
    """Length in pixels of the scene along its rows."""
    label: str
    """Its length in metres or kilometres, in pixels for a scene that is not located."""


def north_direction(georef: Georef) -> tuple[float, float] | None:
    """Unit vector (right, down) in the image that points north at the centre of the scene.

    It is measured on the grid itself, so it is right for rotated and mirrored grids, and for scenes
    placed by control points. None where the scene is not located, or its centre is a pole.
    """
    centre = georef.pixel_to_lonlat(georef.width / 2, georef.height / 2)
    if centre is None or abs(centre[1]) > _POLE_DEG:
        return None
    lon, lat = centre
    north = georef.lonlat_to_pixel(lon, lat + _NORTH_STEP_DEG)
    south = georef.lonlat_to_pixel(lon, lat - _NORTH_STEP_DEG)
    if north is None or south is None:
        return None
    right, down = north[0] - south[0], north[1] - south[1]
    length = math.hypot(right, down)
    return (right / length, down / length) if length > 0 else None


def scale_bar(georef: Georef, longest_px: float) -> ScaleBar:
    """The longest bar of 1, 2 or 5 times a power of ten that fits.

    Args:
        georef: geometry of the scene.
        longest_px: most pixels of the scene that the bar may span.
    """
    metres = _metres_across(georef)
    if metres is None:
        length = max(_round_length(longest_px), 1.0)
        return ScaleBar(length, f"{length:,.0f} px")
    length = _round_length(longest_px * metres)
    label = f"{length / 1000:,g} km" if length >= 1000 else f"{length:g} m"
    return ScaleBar(length / metres, label)


def _round_length(longest: float) -> float:
    power = 10.0 ** math.floor(math.log10(longest))
    return next(power * multiple for multiple in _MULTIPLES if power * multiple <= longest)


def _metres_across(georef: Georef) -> float | None:
    """Length in metres of one pixel along the row through the centre, on the WGS84 ellipsoid."""
    from pyproj import Geod

    col, row = georef.width / 2, georef.height / 2
    left, right = (georef.pixel_to_lonlat(col + step, row) for step in (-0.5, 0.5))
    if left is None or right is None:
        return None
    metres = float(Geod(ellps="WGS84").inv(*left, *right)[2])
    return metres if metres > 0 else None
