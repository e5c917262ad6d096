"""Outlines of regions as contour lines of the scores, instead of along the edges of grid cells.

Marching squares with linear interpolation (Lorensen and Cline, "Marching cubes", 1987, in two
dimensions): each edge between a cell inside and one outside becomes the point between the two cell
centres at which the interpolated score equals the threshold.
"""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Float64

if TYPE_CHECKING:
    from shapely import Polygon

__all__ = ["TOLERANCE", "contour_polygon"]

TOLERANCE = 0.25
"""Largest distance in cells by which simplifying moves a contour."""


def contour_polygon(
    staircase: "Polygon", score: Float32[np.ndarray, "h w"], lowest: float
) -> "Polygon":
    """The contour of the scores at `lowest` that runs along a union of grid cells.

    No point is farther than half a cell from the edge of the cells, plus `TOLERANCE`, so that the
    area differs from theirs by no more than that times the length of their outline. Along the
    border of the scene and of invalid cells, where there is no score to interpolate, the outline is
    the edge of the cells.

    Args:
        staircase: union of the cells with at least `lowest`, connected by edges; (col, row) in
            cells, with a vertex at each corner and none at other places than cell corners.
        score: scores of the cells; NaN is invalid.
        lowest: the threshold.

    Returns:
        A valid polygon in cells; `staircase` itself where the contour has less than half its area,
        as around single cells that hardly exceed the threshold.
    """
    from shapely import Polygon

    rings = [
        _contour(np.asarray(ring.coords, np.float64), score, lowest)
        for ring in (staircase.exterior, *staircase.interiors)
    ]
    contour = Polygon(rings[0], rings[1:])
    for outline in (contour.simplify(TOLERANCE), contour):
        # scores equal to the threshold can pinch a contour
        if isinstance(outline, Polygon) and outline.is_valid and 2 * outline.area >= staircase.area:
            return outline
    return staircase


def _contour(
    corners: Float64[np.ndarray, "n 2"], score: Float32[np.ndarray, "h w"], lowest: float
) -> Float64[np.ndarray, "m 2"]:
    """Contour points along a closed ring of cell corners; the last one repeats the first."""
    starts, steps = _unit_edges(corners)
    points, fixed = _crossings(starts, steps, score, lowest)
    joints = starts  # joint i lies between edge i - 1 and edge i
    fixed_before, across_before = np.roll(fixed, 1), np.roll(steps, 1, axis=0)
    before = np.roll(points, 1, axis=0)
    corner = fixed & fixed_before & np.any(steps != across_before, axis=1)
    # where the contour meets the border of the scene it continues straight up to it
    meets = (fixed != fixed_before) & np.any(steps != across_before, axis=1)
    free = np.where(fixed[:, None], before, points)
    along = np.where(fixed[:, None], steps, across_before) != 0  # axis of the fixed edge
    joint_points = np.where(meets[:, None], np.where(along, free, joints), joints)
    keep = np.stack([corner | meets, np.ones(len(points), bool)], axis=1).ravel()
    both = np.stack([joint_points, points], axis=1).reshape(-1, 2)[keep]
    return np.concatenate([both, both[:1]])


def _unit_edges(
    corners: Float64[np.ndarray, "n 2"],
) -> tuple[Float64[np.ndarray, "m 2"], Float64[np.ndarray, "m 2"]]:
    """Start and direction of each cell edge along a closed ring."""
    offsets = np.diff(corners, axis=0)
    lengths = np.abs(offsets).sum(axis=1).round().astype(int)
    steps = np.repeat(np.sign(offsets), lengths, axis=0)
    index = np.arange(len(steps)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.repeat(corners[:-1], lengths, axis=0) + steps * index[:, None], steps


def _crossings(
    starts: Float64[np.ndarray, "m 2"],
    steps: Float64[np.ndarray, "m 2"],
    score: Float32[np.ndarray, "h w"],
    lowest: float,
) -> tuple[Float64[np.ndarray, "m 2"], np.ndarray]:
    """Contour point of each cell edge; whether it is the middle, for want of a second score."""
    middles = starts + steps / 2
    normals = steps[:, ::-1] / 2  # from the middle of the edge to the two cell centres
    first, second = (_at(middles + sign * normals, score) for sign in (-1, 1))
    fixed = ~(np.isfinite(first) & np.isfinite(second)) | (first == second)
    share = np.full(len(starts), 0.5)
    np.divide(lowest - first, second - first, out=share, where=~fixed)
    return middles + normals * (2 * share.clip(0, 1) - 1)[:, None], fixed


def _at(
    centres: Float64[np.ndarray, "m 2"], score: Float32[np.ndarray, "h w"]
) -> Float64[np.ndarray, " m"]:
    """Scores at cell centres (col, row); NaN outside the grid."""
    col, row = (np.floor(centres[:, axis]).astype(int) for axis in (0, 1))
    height, width = score.shape
    inside = (col >= 0) & (row >= 0) & (col < width) & (row < height)
    values = np.full(len(centres), np.nan)
    values[inside] = score[row[inside], col[inside]]
    return values
