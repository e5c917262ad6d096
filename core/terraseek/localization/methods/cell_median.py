"""The median filter of an image made of few large cells, the same bytes as filtering its pixels.

The windows of a published map have their edges on a coarse grid, so the map is constant in cells
that are about half as wide as the filter. Under the filter lie then some three by three values, and
how much of it each covers is a product of two lengths. So the median is found by adding up areas of
the smallest values first, instead of counting 63,001 pixels for each pixel.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from terraseek.localization.windows.row_blocks import cores

__all__ = ["PixelCells", "median_of_cells", "pays"]

_FEW_CELLS = 5
"""Cells under the filter, along one side, up to which areas are added."""
_FEW_CORES = 4
"""Cores up to which one of them adds areas faster than all of them filter pixels; threads would
only wait for each other here, so short are the steps between them."""

Bounds = Int64[np.ndarray, " _"]


@dataclass(frozen=True, eq=False)
class PixelCells:
    """An image that is constant in the cells of a grid."""

    values: UInt8[np.ndarray, "r c"]
    """Value of each cell."""
    row_bounds: Bounds
    """First pixel row of each row of cells, then the height; none is empty."""
    col_bounds: Bounds
    """The same for columns."""

    def pixels(self) -> UInt8[np.ndarray, "h w"]:
        """The image."""
        wide = np.repeat(self.values, np.diff(self.col_bounds), axis=1)
        return np.repeat(wide, np.diff(self.row_bounds), axis=0)


def pays(cells: PixelCells, side: int) -> bool:
    """Whether this is faster than filtering the pixels with all cores."""
    bounds = (cells.row_bounds, cells.col_bounds)
    size = min(float(np.diff(one).mean()) for one in bounds)
    return side / size + 1 <= _FEW_CELLS and cores() <= _FEW_CORES


def median_of_cells(cells: PixelCells, side: int) -> UInt8[np.ndarray, "h w"]:
    """Each pixel's median over `side` x `side` pixels (odd); rims go on outwards."""
    rows, cols = cells.row_bounds, cells.col_bounds
    out = np.empty((int(rows[-1]), int(cols[-1])), np.uint8)
    across = [_Reach(cols, cell, side) for cell in range(len(cols) - 1)]
    room = _Room()
    for cell in range(len(rows) - 1):
        down = _Reach(rows, cell, side)
        for reach in across:
            under = cells.values[down.cells, reach.cells]
            out[down.pixels, reach.pixels] = _block(under, down, reach, side * side // 2, room)
    return out


class _Reach:
    """How far the filter reaches, along one axis, from each pixel of a cell."""

    def __init__(self, bounds: Bounds, cell: int, side: int) -> None:
        half, end = side // 2, int(bounds[-1])
        start, stop = int(bounds[cell]), int(bounds[cell + 1])
        touched = np.searchsorted(
            bounds, [max(0, start - half), min(end, stop + half) - 1], side="right"
        )
        first, last = int(touched[0]) - 1, int(touched[1]) - 1
        self.cells = slice(first, last + 1)
        self.pixels = slice(start, stop)
        pixel = np.arange(start, stop)[:, None]
        lower, upper = bounds[first : last + 1].copy(), bounds[first + 1 : last + 2].copy()
        if first == 0:
            lower[0] = -half  # the rim goes on beyond the image
        if upper[-1] == end:
            upper[-1] = end + half
        share = np.minimum(pixel + half + 1, upper) - np.maximum(pixel - half, lower)
        self.share: Float32[np.ndarray, "pixels cells"] = share.clip(0).astype(np.float32)
        """Pixels of each cell under the filter."""
        bent = (np.diff(share.clip(0), 2, axis=0) != 0).any(axis=1).nonzero()[0] + 1
        corners = np.unique(np.concatenate([[0], bent, [stop - start - 1]]))
        self.corners: Float32[np.ndarray, "corners cells"] = self.share[corners]
        """`share` where it changes its slope: between them it is linear."""


def _block(
    under: UInt8[np.ndarray, "i j"], down: _Reach, across: _Reach, half: int, room: "_Room"
) -> UInt8[np.ndarray, "h w"] | np.uint8:
    """Medians of one cell's pixels; a single number where all are the same."""
    import cv2

    order = np.argsort(under, axis=None)
    rank = np.empty(under.size, np.int64)
    rank[order] = np.arange(under.size)
    smaller = (rank.reshape(under.shape) <= np.arange(under.size)[:, None, None]).astype(np.float32)
    # areas are linear in both directions between corners, so corners have the least and the most
    area = (down.corners @ smaller @ across.corners.T).reshape(under.size, -1)
    below = int((area.max(axis=1) <= half).sum())
    doubtful = int((area.min(axis=1) <= half).sum())
    values = under.ravel()[order]
    if values[below] == values[doubtful]:
        return np.uint8(values[below])
    # areas are whole numbers below 2^24, which single precision adds exactly
    rows = (down.share @ smaller[below:doubtful]).reshape(-1, under.shape[1])
    shape = (doubtful - below, len(down.share), len(across.share))
    sums, flags = room.of(shape)
    np.matmul(rows, across.share.T, out=sums.reshape(len(rows), -1))
    np.less_equal(sums, half, out=flags)
    place = np.add.reduce(flags.view(np.uint8), axis=0, dtype=np.uint8)
    table = np.zeros(256, np.uint8)
    table[: doubtful - below + 1] = values[below : doubtful + 1]
    return np.asarray(cv2.LUT(place, table), np.uint8)


class _Room:
    """Memory for the sums of all blocks in turn: fresh pages would cost as much as the sums."""

    def __init__(self) -> None:
        self._sums, self._flags = np.empty(0, np.float32), np.empty(0, np.bool_)

    def of(
        self, shape: tuple[int, int, int]
    ) -> tuple[Float32[np.ndarray, "k h w"], Bool[np.ndarray, "k h w"]]:
        """Sums and flags of a shape; what was there before is lost."""
        size = math.prod(shape)
        if size > len(self._sums):
            self._sums, self._flags = np.empty(size, np.float32), np.empty(size, np.bool_)
        return self._sums[:size].reshape(shape), self._flags[:size].reshape(shape)
