"""Scores as functions of the pixel position, which can be sampled at any resolution.

A few thousand window scores determine the heat map of a 10,000 x 10,000 scene. They are kept on a
coarse grid and interpolated only where, and only as finely as, somebody looks.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64, UInt8

from terraseek.localization.windows.cell_image import CellImage
from terraseek.localization.windows.lattice import Lattice

__all__ = [
    "CellField",
    "Field",
    "NodeField",
    "count_of_windows",
    "mean_field",
    "mean_of_windows",
    "node_field",
]

Positions = Float64[np.ndarray, " _"]
"""Pixel positions along one axis, ascending."""
_MIN_WEIGHT = 1e-3
"""Interpolation weight of scored nodes below which a position has no score."""


@runtime_checkable
class Field(Protocol):
    """Function that gives a score at every pixel position."""

    def sample(
        self, rows: Float64[np.ndarray, " h"], cols: Float64[np.ndarray, " w"]
    ) -> Float32[np.ndarray, "h w"]:
        """Scores at the crossings of rows and columns.

        Args:
            rows: ascending row positions in scene pixels; 0.5 is the centre of the first row.
            cols: ascending column positions in scene pixels.

        Returns:
            One score per crossing; NaN where no window with a score lies.
        """
        ...


@dataclass(frozen=True, eq=False)
class CellField:
    """Constant in each cell of a grid with irregular lines."""

    row_edges: Float64[np.ndarray, " r1"]
    """Ascending grid lines in pixels, one more than rows of `values`."""
    col_edges: Float64[np.ndarray, " c1"]
    """Ascending grid lines in pixels, one more than columns of `values`."""
    values: Float32[np.ndarray, "r c"]
    """Score of each grid cell."""

    def sample(
        self, rows: Float64[np.ndarray, " h"], cols: Float64[np.ndarray, " w"]
    ) -> Float32[np.ndarray, "h w"]:
        """Scores at row x column positions; see `Field.sample`."""
        wide = self.values[:, _cell_index(self.col_edges, cols)]
        out = np.empty((len(rows), len(cols)), np.float32)
        for cell, start, end in _runs(_cell_index(self.row_edges, rows)):
            out[start:end] = wide[cell]
        return out

    def to_image(
        self,
        values: UInt8[np.ndarray, "r c"],
        rows: Float64[np.ndarray, " h"],
        cols: Float64[np.ndarray, " w"],
    ) -> CellImage:
        """Image with a pixel at each row x column position.

        Args:
            values: 8-bit value of each grid cell, which the image shows instead of the scores.
            rows: ascending row positions in scene pixels.
            cols: ascending column positions in scene pixels.
        """
        used_rows, row_bounds = _used_cells(_cell_index(self.row_edges, rows))
        used_cols, col_bounds = _used_cells(_cell_index(self.col_edges, cols))
        return CellImage(values[np.ix_(used_rows, used_cols)], row_bounds, col_bounds)


@dataclass(frozen=True, eq=False)
class NodeField:
    """Bilinear between the nodes of a grid, constant outside its outermost nodes.

    Nodes without a score (NaN) are left out: the weights of the other neighbours are scaled up to
    sum to 1.
    """

    node_rows: Float64[np.ndarray, " r"]
    """Ascending positions in pixels."""
    node_cols: Float64[np.ndarray, " c"]
    """Ascending positions in pixels."""
    values: Float32[np.ndarray, "r c"]
    """Score at each node, NaN where the window held too few valid pixels."""

    def sample(
        self, rows: Float64[np.ndarray, " h"], cols: Float64[np.ndarray, " w"]
    ) -> Float32[np.ndarray, "h w"]:
        """Scores at row x column positions; see `Field.sample`."""
        scored = np.isfinite(self.values)
        if np.all(scored):
            return self._bilinear(self.values, rows, cols)
        total = self._bilinear(np.where(scored, self.values, np.float32(0)), rows, cols)
        weight = self._bilinear(scored.astype(np.float32), rows, cols)
        out = np.full_like(total, np.nan)
        np.divide(total, weight, out=out, where=weight > _MIN_WEIGHT)
        return out

    def _bilinear(
        self, values: Float32[np.ndarray, "r c"], rows: Positions, cols: Positions
    ) -> Float32[np.ndarray, "h w"]:
        # columns first, while there are few rows; then whole rows at a time
        left, right, across = _neighbours(self.node_cols, cols)
        wide = values[:, left] * (1 - across) + values[:, right] * across
        above, below, down = _neighbours(self.node_rows, rows)
        out = np.empty((len(rows), len(cols)), np.float32)
        for node, start, end in _runs(above):
            step = wide[below[start]] - wide[node]
            np.multiply(down[start:end, None], step[None], out=out[start:end])
            out[start:end] += wide[node]
        return out


def _cell_index(edges: Positions, positions: Positions) -> Int32[np.ndarray, " n"]:
    """Index of the grid cell that each position falls into."""
    cell = np.searchsorted(edges, positions, side="right") - 1
    return np.clip(cell, 0, len(edges) - 2).astype(np.int32)


def _used_cells(
    cell: Int32[np.ndarray, " n"],
) -> tuple[Int32[np.ndarray, " m"], Int64[np.ndarray, " m1"]]:
    """Distinct cells among ascending cell indices; index of the first of each, then the count."""
    used, first = np.unique(cell, return_index=True)
    return used, np.append(first, len(cell)).astype(np.int64)


def _neighbours(
    nodes: Positions, positions: Positions
) -> tuple[Int32[np.ndarray, " n"], Int32[np.ndarray, " n"], Float32[np.ndarray, " n"]]:
    """Index of the node before and after each position, and the weight (0-1) of the latter."""
    before = np.clip(np.searchsorted(nodes, positions, side="right") - 1, 0, max(len(nodes) - 2, 0))
    after = np.minimum(before + 1, len(nodes) - 1)
    gap = np.where(after > before, nodes[after] - nodes[before], 1.0)
    weight = np.clip((positions - nodes[before]) / gap, 0, 1)
    return before.astype(np.int32), after.astype(np.int32), weight.astype(np.float32)


def _runs(index: Int32[np.ndarray, " n"]) -> list[tuple[int, int, int]]:
    """(value, start, end) of each run of equal numbers."""
    if len(index) == 0:
        return []
    cuts = np.flatnonzero(np.diff(index)) + 1
    starts = np.concatenate([[0], cuts]).tolist()
    ends = np.concatenate([cuts, [len(index)]]).tolist()
    return [(int(index[a]), a, b) for a, b in zip(starts, ends, strict=True)]


def mean_of_windows(lattice: Lattice, scores: Float32[np.ndarray, " n"]) -> CellField:
    """At every pixel the mean score of the windows that cover it, as in SeLo's published map.

    The mean is constant between window edges, so no loop over pixels is needed: scores are added at
    window corners of a difference array over the sorted edges, which is then summed cumulatively.
    Windows whose score is NaN are left out.
    """
    scored = np.isfinite(scores)
    windows, values = lattice.windows[scored], scores[scored].astype(np.float64)
    edges = _edges(lattice.windows, lattice.height, lattice.width)
    total = _sum_of_windows(windows, values, *edges)
    count = _sum_of_windows(windows, np.ones(len(windows)), *edges)
    mean = np.full(total.shape, np.nan, np.float32)
    np.divide(total, count, out=mean, where=count > 0.5, casting="same_kind")
    return CellField(*edges, mean)


def count_of_windows(windows: Int32[np.ndarray, "n 4"], height: int, width: int) -> CellField:
    """At every pixel the number of windows that cover it.

    Args:
        windows: row0, col0, row1, col1 in pixels; ends are exclusive.
        height: rows of the scene.
        width: columns of the scene.
    """
    edges = _edges(windows, height, width)
    count = _sum_of_windows(windows, np.ones(len(windows)), *edges)
    return CellField(*edges, count.round().astype(np.float32))


def _edges(
    windows: Int32[np.ndarray, "n 4"], height: int, width: int
) -> tuple[Positions, Positions]:
    """Rows and columns at which a window or the scene begins or ends, ascending."""
    rows = np.unique(np.append(windows[:, [0, 2]], [0, height]))
    cols = np.unique(np.append(windows[:, [1, 3]], [0, width]))
    return rows.astype(np.float64), cols.astype(np.float64)


def _sum_of_windows(
    windows: Int32[np.ndarray, "n 4"],
    values: Float64[np.ndarray, " n"],
    row_edges: Positions,
    col_edges: Positions,
) -> Float64[np.ndarray, "r c"]:
    """Sum of the values of the windows that cover each cell between the edges."""
    row0, row1 = (np.searchsorted(row_edges, windows[:, i]) for i in (0, 2))
    col0, col1 = (np.searchsorted(col_edges, windows[:, i]) for i in (1, 3))
    corners = np.zeros((len(row_edges), len(col_edges)))
    for rows, cols, sign in ((row0, col0, 1), (row0, col1, -1), (row1, col0, -1), (row1, col1, 1)):
        np.add.at(corners, (rows, cols), sign * values)
    total: Float64[np.ndarray, "r c"] = corners.cumsum(axis=0).cumsum(axis=1)[:-1, :-1]
    return total


def node_field(lattice: Lattice, scores: Float32[np.ndarray, " n"], scale: int) -> NodeField:
    """Scores of the windows of one side length, placed at their centres.

    Bilinear interpolation between the centres of a half-stride lattice equals the mean over the
    windows that cover a pixel, weighted by a tent that falls to 0 at half a side from the centre.

    Args:
        lattice: windows; those of the chosen side must form a full grid.
        scores: score of each window of the lattice.
        scale: window side in pixels.
    """
    nodes = _nodes(lattice, scale)
    values = np.full((len(nodes.rows), len(nodes.cols)), np.nan, np.float32)
    values[nodes.row, nodes.col] = scores[nodes.windows]
    return NodeField(nodes.rows, nodes.cols, values)


@dataclass(frozen=True, eq=False)
class _Nodes:
    """Grid of the window centres of one side length; the same for every query."""

    rows: Positions
    cols: Positions
    windows: Int64[np.ndarray, " n"]
    """Index of the windows of this side in the lattice."""
    row: Int64[np.ndarray, " n"]
    """Node row of each of these windows."""
    col: Int64[np.ndarray, " n"]
    """Node column of each of these windows."""


@lru_cache(maxsize=32)
def _nodes(lattice: Lattice, scale: int) -> _Nodes:
    index = np.flatnonzero(lattice.scale == scale)
    windows = lattice.windows[index].astype(np.float64)
    rows, row = np.unique((windows[:, 0] + windows[:, 2]) / 2, return_inverse=True)
    cols, col = np.unique((windows[:, 1] + windows[:, 3]) / 2, return_inverse=True)
    return _Nodes(rows, cols, index, row, col)


def mean_field(fields: list[NodeField], weights: list[float]) -> NodeField:
    """Weighted mean of bilinear fields, itself bilinear: evaluated on the union of their nodes.

    Where a field has no score, the mean is over the others.
    """
    if len(fields) == 1:
        return fields[0]
    rows = np.unique(np.concatenate([field.node_rows for field in fields]))
    cols = np.unique(np.concatenate([field.node_cols for field in fields]))
    total = np.zeros((len(rows), len(cols)), np.float32)
    count = np.zeros((len(rows), len(cols)), np.float32)
    for field, weight in zip(fields, weights, strict=True):
        sampled = field.sample(rows, cols)
        scored = np.isfinite(sampled)
        total[scored] += weight * sampled[scored]
        count += weight * scored
    values = np.full(total.shape, np.nan, np.float32)
    np.divide(total, count, out=values, where=count > 0)
    return NodeField(rows, cols, values)
