"""Scores as functions of the pixel position, drawn at any resolution.

A heat map of a 10,000 x 10,000 scene is decided by a few thousand numbers. They are kept as they
are, on a coarse grid, and drawn where and as finely as somebody looks.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64, UInt8

from terraseek.localization.methods.cell_median import PixelCells
from terraseek.localization.windows.lattice import Lattice

__all__ = ["CellField", "Field", "NodeField", "mean_field", "mean_of_windows", "node_field"]

Positions = Float64[np.ndarray, " _"]
"""Pixel positions along one axis, ascending."""


@runtime_checkable
class Field(Protocol):
    """Something that has a score at every pixel position."""

    def draw(
        self, rows: Float64[np.ndarray, " h"], cols: Float64[np.ndarray, " w"]
    ) -> Float32[np.ndarray, "h w"]:
        """Scores at row x column positions in pixels (0.5 is the first centre), ascending.

        NaN where no window knows anything.
        """
        ...


@dataclass(frozen=True, eq=False)
class CellField:
    """Constant in each cell of a grid whose lines need not be regular."""

    row_edges: Float64[np.ndarray, " r1"]
    """Ascending lines in pixels, one more than rows of `values`."""
    col_edges: Float64[np.ndarray, " c1"]
    """Ascending lines in pixels, one more than columns of `values`."""
    values: Float32[np.ndarray, "r c"]
    """Score of each cell."""

    def draw(
        self, rows: Float64[np.ndarray, " h"], cols: Float64[np.ndarray, " w"]
    ) -> Float32[np.ndarray, "h w"]:
        """Scores at row x column positions; see `Field.draw`."""
        wide = self.values[:, _cell_of(self.col_edges, cols)]
        which = _cell_of(self.row_edges, rows)
        out = np.empty((len(rows), len(cols)), np.float32)
        for cell, start, end in _runs(which):
            out[start:end] = wide[cell]
        return out

    def cut(
        self,
        table: UInt8[np.ndarray, "r c"],
        rows: Float64[np.ndarray, " h"],
        cols: Float64[np.ndarray, " w"],
    ) -> PixelCells:
        """Another number of each cell, as an image whose pixels are row x column positions."""
        seen_rows, row_bounds = _seen(_cell_of(self.row_edges, rows))
        seen_cols, col_bounds = _seen(_cell_of(self.col_edges, cols))
        return PixelCells(table[np.ix_(seen_rows, seen_cols)], row_bounds, col_bounds)


@dataclass(frozen=True, eq=False)
class NodeField:
    """Bilinear between nodes of a grid, constant beyond its outermost nodes.

    Nodes without a score (NaN) give no opinion: neighbours are weighted as if they were not there.
    """

    node_rows: Float64[np.ndarray, " r"]
    """Ascending positions in pixels."""
    node_cols: Float64[np.ndarray, " c"]
    """Ascending positions in pixels."""
    values: Float32[np.ndarray, "r c"]
    """Score at each node, NaN where the window held too few valid pixels."""

    def draw(
        self, rows: Float64[np.ndarray, " h"], cols: Float64[np.ndarray, " w"]
    ) -> Float32[np.ndarray, "h w"]:
        """Scores at row x column positions; see `Field.draw`."""
        known = np.isfinite(self.values)
        if np.all(known):
            return self._bilinear(self.values, rows, cols)
        total = self._bilinear(np.where(known, self.values, np.float32(0)), rows, cols)
        weight = self._bilinear(known.astype(np.float32), rows, cols)
        out = np.full_like(total, np.nan)
        np.divide(total, weight, out=out, where=weight > 1e-3)
        return out

    def _bilinear(
        self, values: Float32[np.ndarray, "r c"], rows: Positions, cols: Positions
    ) -> Float32[np.ndarray, "h w"]:
        # columns first, while there are few rows; then whole rows at a time
        left, right, across = _between(self.node_cols, cols)
        wide = values[:, left] * (1 - across) + values[:, right] * across
        above, below, down = _between(self.node_rows, rows)
        out = np.empty((len(rows), len(cols)), np.float32)
        for node, start, end in _runs(above):
            step = wide[below[start]] - wide[node]
            np.multiply(down[start:end, None], step[None], out=out[start:end])
            out[start:end] += wide[node]
        return out


def _cell_of(edges: Positions, positions: Positions) -> Int32[np.ndarray, " n"]:
    cell = np.searchsorted(edges, positions, side="right") - 1
    return np.clip(cell, 0, len(edges) - 2).astype(np.int32)


def _seen(
    cell: Int32[np.ndarray, " n"],
) -> tuple[Int32[np.ndarray, " m"], Int64[np.ndarray, " m1"]]:
    """Which cells ascending positions fall into, and the first position of each, then their end."""
    seen, first = np.unique(cell, return_index=True)
    return seen, np.append(first, len(cell)).astype(np.int64)


def _between(
    nodes: Positions, positions: Positions
) -> tuple[Int32[np.ndarray, " n"], Int32[np.ndarray, " n"], Float32[np.ndarray, " n"]]:
    """Index of the node before and after each position, and how far between them it lies."""
    before = np.clip(np.searchsorted(nodes, positions, side="right") - 1, 0, max(len(nodes) - 2, 0))
    after = np.minimum(before + 1, len(nodes) - 1)
    gap = np.where(after > before, nodes[after] - nodes[before], 1.0)
    share = np.clip((positions - nodes[before]) / gap, 0, 1)
    return before.astype(np.int32), after.astype(np.int32), share.astype(np.float32)


def _runs(index: Int32[np.ndarray, " n"]) -> list[tuple[int, int, int]]:
    """(value, start, end) of each stretch of equal numbers."""
    if len(index) == 0:
        return []
    cuts = np.flatnonzero(np.diff(index)) + 1
    starts = np.concatenate([[0], cuts]).tolist()
    ends = np.concatenate([cuts, [len(index)]]).tolist()
    return [(int(index[a]), a, b) for a, b in zip(starts, ends, strict=True)]


def mean_of_windows(lattice: Lattice, scores: Float32[np.ndarray, " n"]) -> CellField:
    """At every pixel the mean score of the windows that cover it: SeLo's map, with no pixel loop.

    The mean is constant between window edges. Scores are added at window corners of a difference
    array over the sorted edges and cumulated; NaN scores count as if the window did not exist.
    """
    known = np.isfinite(scores)
    windows, kept = lattice.windows[known], scores[known].astype(np.float64)
    row_edges = np.unique(np.append(lattice.windows[:, [0, 2]], [0, lattice.height]))
    col_edges = np.unique(np.append(lattice.windows[:, [1, 3]], [0, lattice.width]))
    row0, row1 = (np.searchsorted(row_edges, windows[:, i]) for i in (0, 2))
    col0, col1 = (np.searchsorted(col_edges, windows[:, i]) for i in (1, 3))
    shape = (2, len(row_edges), len(col_edges))
    corners = np.zeros(shape)
    for rows, cols, sign in ((row0, col0, 1), (row0, col1, -1), (row1, col0, -1), (row1, col1, 1)):
        np.add.at(corners[0], (rows, cols), sign * kept)
        np.add.at(corners[1], (rows, cols), sign)
    total, count = corners.cumsum(axis=1).cumsum(axis=2)[:, :-1, :-1]
    values = np.full(total.shape, np.nan, np.float32)
    np.divide(total, count, out=values, where=count > 0.5, casting="same_kind")
    return CellField(row_edges.astype(np.float64), col_edges.astype(np.float64), values)


def node_field(lattice: Lattice, scores: Float32[np.ndarray, " n"], scale: int) -> NodeField:
    """Scores of the windows of one scale at their centres; the lattice must be a full grid.

    Bilinear interpolation between centres of a half-stride lattice is the mean over the windows
    that cover a pixel, weighted by a tent that falls to zero at half a side from the centre.
    """
    nodes = _nodes(lattice, scale)
    values = np.full((len(nodes.rows), len(nodes.cols)), np.nan, np.float32)
    values[nodes.row, nodes.col] = scores[nodes.mine]
    return NodeField(nodes.rows, nodes.cols, values)


@dataclass(frozen=True, eq=False)
class _Nodes:
    """Where the windows of one scale stand; the same for every sentence."""

    rows: Positions
    cols: Positions
    mine: Int64[np.ndarray, " n"]
    row: Int64[np.ndarray, " n"]
    col: Int64[np.ndarray, " n"]


@lru_cache(maxsize=32)
def _nodes(lattice: Lattice, scale: int) -> _Nodes:
    mine = np.flatnonzero(lattice.scale == scale)
    windows = lattice.windows[mine].astype(np.float64)
    rows, row = np.unique((windows[:, 0] + windows[:, 2]) / 2, return_inverse=True)
    cols, col = np.unique((windows[:, 1] + windows[:, 3]) / 2, return_inverse=True)
    return _Nodes(rows, cols, mine, row, col)


def mean_field(fields: list[NodeField], weights: list[float]) -> NodeField:
    """The weighted mean of several bilinear fields, itself bilinear: on all their nodes together.

    Where one has no score the others decide alone.
    """
    if len(fields) == 1:
        return fields[0]
    rows = np.unique(np.concatenate([field.node_rows for field in fields]))
    cols = np.unique(np.concatenate([field.node_cols for field in fields]))
    total = np.zeros((len(rows), len(cols)), np.float32)
    count = np.zeros((len(rows), len(cols)), np.float32)
    for field, weight in zip(fields, weights, strict=True):
        drawn = field.draw(rows, cols)
        known = np.isfinite(drawn)
        total[known] += weight * drawn[known]
        count += weight * known
    values = np.full(total.shape, np.nan, np.float32)
    np.divide(total, count, out=values, where=count > 0)
    return NodeField(rows, cols, values)
