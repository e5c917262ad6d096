"""Find the window of a scene that covers a bounding box."""

import math

import numpy as np

from terraseek.errors import OutsideSceneError
from terraseek.geo import BBox
from terraseek.scenes.georef import Georef

__all__ = ["window_of_box"]

Window = tuple[int, int, int, int]
"""First row, first column, row after the last, column after the last."""

_NODES = 65
"""Positions per side of a box that are projected; its edges may be curved on the grid."""
_SEAM_DEG = 1e-9
"""Degrees by which boxes are narrowed, because a longitude where a grid begins is also its end."""
_TOLERANCE_PX = 1e-3
"""An edge that enters a pixel by less than this does not include it, for it may be rounding."""


def window_of_box(georef: Georef, box: BBox, name: str) -> Window:
    """Smallest window of whole pixels that contains the part of a box inside a grid.

    Args:
        georef: the grid.
        box: the box, which may be partly outside and may cross the antimeridian.
        name: name of the scene, for messages.

    Raises:
        OutsideSceneError: the grid has no georeference, the box is outside, or it covers two
            opposite ends of a grid around the globe.
    """
    bounds = georef.bounds
    if bounds is None:
        raise OutsideSceneError(
            f"{name} has no georeference, so that no box in degrees can be found in it; "
            "read rows and columns with `window`"
        )
    windows = [_window(georef, part) for part in _common_parts(bounds, box)]
    found = [window for window in windows if window is not None]
    if not found:
        raise OutsideSceneError(
            f"the box {_text(box)} is outside {name}, which covers {_text(bounds)} (W,S,E,N)"
        )
    merged = found[0]
    for window in found[1:]:
        if not _touch(merged, window):
            raise OutsideSceneError(
                f"the box {_text(box)} covers both ends of {name} but not the pixels between; "
                "read its two sides of the scene's edge one by one"
            )
        (top, left, bottom, right), (row0, col0, row1, col1) = merged, window
        merged = (min(top, row0), min(left, col0), max(bottom, row1), max(right, col1))
    return merged


def _common_parts(bounds: BBox, box: BBox) -> list[tuple[float, float, float, float]]:
    """Intersections as west, south, east, north; longitudes continue those of `bounds`."""
    south, north = max(bounds.south, box.south), min(bounds.north, box.north)
    end = bounds.east + (360 if bounds.crosses_antimeridian else 0)
    width = box.east - box.west + (360 if box.crosses_antimeridian else 0)
    parts = []
    for turn in (-360, 0, 360):
        west, east = max(bounds.west, box.west + turn), min(end, box.west + width + turn)
        if west < east and south < north:
            parts.append((west, south, east, north))
    return parts


def _window(georef: Georef, part: tuple[float, float, float, float]) -> Window | None:
    west, south, east, north = part
    inset = min(_SEAM_DEG, (east - west) / 4)
    lon, lat = np.meshgrid(
        np.linspace(west + inset, east - inset, _NODES), np.linspace(south, north, _NODES)
    )
    cols, rows = georef.pixels(lon, lat)
    projected = np.isfinite(cols) & np.isfinite(rows)
    if not np.any(projected):
        return None
    cols, rows = cols[projected], rows[projected]
    row0, row1 = _whole(float(rows.min()), float(rows.max()), georef.height)
    col0, col1 = _whole(float(cols.min()), float(cols.max()), georef.width)
    return (row0, col0, row1, col1) if row0 < row1 and col0 < col1 else None


def _whole(low: float, high: float, side: int) -> tuple[int, int]:
    """Whole pixels from `low` to `high` that exist on a side; at least one if `low` is on it."""
    first = max(0, math.floor(low + _TOLERANCE_PX))
    return first, min(side, max(math.ceil(high - _TOLERANCE_PX), math.floor(low) + 1))


def _touch(one: Window, other: Window) -> bool:
    rows_touch = one[0] <= other[2] and other[0] <= one[2]
    return rows_touch and one[1] <= other[3] and other[1] <= one[3]


def _text(box: BBox) -> str:
    return ",".join(f"{value:.6g}" for value in box.as_tuple())
