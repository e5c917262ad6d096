"""Number of places where the edges of areas cross, counted with bounded work.

The time that GEOS takes to repair a polygon or to unite polygons grows faster than the number of
crossings: a star of 101 vertices has 5,000 and takes seconds, one of 301 takes minutes.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int64

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["has_more_crossings"]

_CHUNK = 64
_BASE_PAIRS = 2_000_000
_PAIRS_PER_EDGE = 20

Edges = Float[np.ndarray, "n 4"]
"""Start and end of each edge: lon, lat, lon, lat in degrees."""


def has_more_crossings(geometry: "BaseGeometry", limit: int) -> bool:
    """Whether more than `limit` pairs of edges cross or overlap along a line.

    Also true if the boxes of so many pairs of edges overlap that the pairs cannot be tested in
    about a second. Edges that only share an end, or are the same, do not cross.

    Args:
        geometry: polygons, or a collection of them.
        limit: most pairs accepted.
    """
    import shapely

    edges = _edges(geometry)
    low, high = np.minimum(edges[:, :2], edges[:, 2:]), np.maximum(edges[:, :2], edges[:, 2:])
    boxes: Any = shapely.box(low[:, 0], low[:, 1], high[:, 0], high[:, 1])
    tree = shapely.STRtree(boxes)
    n_pairs, n_crossings = 0, 0
    for start in range(0, len(edges), _CHUNK):
        first, second = tree.query(boxes[start : start + _CHUNK])
        first = first + start
        n_pairs += len(first)
        later = second > first  # each pair once
        n_crossings += int(_cross(edges[first[later]], edges[second[later]]).sum())
        if n_crossings > limit or n_pairs > _BASE_PAIRS + _PAIRS_PER_EDGE * len(edges):
            return True
    return False


def _edges(geometry: "BaseGeometry") -> Edges:
    import shapely

    rings = shapely.get_rings(shapely.get_parts(geometry))
    points, ring = shapely.get_coordinates(rings, return_index=True)
    edges: Edges = np.hstack([points[:-1], points[1:]])[ring[:-1] == ring[1:]]
    return edges


def _cross(a: Edges, b: Edges) -> Bool[np.ndarray, " n"]:
    """Which edges of `a` and `b` cross in their interiors, or lie on one line and overlap."""
    b_start, b_end = _side(a, b[:, :2]), _side(a, b[:, 2:])
    a_start, a_end = _side(b, a[:, :2]), _side(b, a[:, 2:])
    proper = (b_start * b_end < 0) & (a_start * a_end < 0)
    same = (a == b).all(1) | (a == b[:, [2, 3, 0, 1]]).all(1)
    collinear = (b_start == 0) & (b_end == 0) & ~same
    crossing: Bool[np.ndarray, " n"] = proper | (collinear & _overlap(a, b))
    return crossing


def _side(edge: Edges, point: Float[np.ndarray, "n 2"]) -> Int64[np.ndarray, " n"]:
    """Side of an edge that a point lies on: 1 left, -1 right, 0 on its line."""
    across = edge[:, 2:] - edge[:, :2]
    to_point = point - edge[:, :2]
    left = across[:, 0] * to_point[:, 1] - across[:, 1] * to_point[:, 0]
    side: Int64[np.ndarray, " n"] = np.sign(left).astype(np.int64)
    return side


def _overlap(a: Edges, b: Edges) -> Bool[np.ndarray, " n"]:
    """Whether the extents of collinear edges share more than a point."""
    a_low, a_high = np.minimum(a[:, :2], a[:, 2:]), np.maximum(a[:, :2], a[:, 2:])
    b_low, b_high = np.minimum(b[:, :2], b[:, 2:]), np.maximum(b[:, :2], b[:, 2:])
    shared: Bool[np.ndarray, " n"] = (np.minimum(a_high, b_high) > np.maximum(a_low, b_low)).any(1)
    return shared
