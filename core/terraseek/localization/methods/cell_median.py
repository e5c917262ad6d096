"""Median filter of an image made of few large grid cells; the result equals filtering its pixels.

The windows of a published map have their edges on a coarse grid, so the map is constant in cells
about half as wide as the filter. The filter then covers some three by three cells, and its overlap
with each is a product of two lengths. So the median is found by adding up the areas of the smallest
values first, instead of counting 63,001 pixels for each pixel.
"""

import math

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from terraseek.localization.windows.cell_image import Bounds, CellImage
from terraseek.localization.windows.row_blocks import available_cores

__all__ = ["is_faster", "median_of_cells"]

_MAX_CELLS = 5
"""Cells under the filter, along one side, up to which adding areas is faster."""
_MAX_CORES = 4
"""Cores up to which one core that adds areas is faster than all cores filtering pixels. Adding
areas does not use threads: its steps are so short that they would wait for each other."""


def is_faster(image: CellImage, side: int) -> bool:
    """Whether `median_of_cells` is faster than filtering the pixels with all cores."""
    bounds = (image.row_bounds, image.col_bounds)
    cell_side = min(float(np.diff(one).mean()) for one in bounds)
    return side / cell_side + 1 <= _MAX_CELLS and available_cores() <= _MAX_CORES


def median_of_cells(image: CellImage, side: int) -> UInt8[np.ndarray, "h w"]:
    """Median over `side` x `side` pixels (odd) around each pixel; edge pixels are repeated."""
    rows, cols = image.row_bounds, image.col_bounds
    out = np.empty((int(rows[-1]), int(cols[-1])), np.uint8)
    across = [_Overlap(cols, cell, side) for cell in range(len(cols) - 1)]
    buffers = _Buffers()
    for cell in range(len(rows) - 1):
        down = _Overlap(rows, cell, side)
        for overlap in across:
            covered = image.values[down.cells, overlap.cells]
            medians = _medians(covered, down, overlap, side * side // 2, buffers)
            out[down.pixels, overlap.pixels] = medians
    return out


class _Overlap:
    """Overlap of the filter with the grid cells, along one axis, for each pixel of one cell."""

    def __init__(self, bounds: Bounds, cell: int, side: int) -> None:
        half, end = side // 2, int(bounds[-1])
        start, stop = int(bounds[cell]), int(bounds[cell + 1])
        covered = np.searchsorted(
            bounds, [max(0, start - half), min(end, stop + half) - 1], side="right"
        )
        first, last = int(covered[0]) - 1, int(covered[1]) - 1
        self.cells = slice(first, last + 1)
        """Cells the filter reaches."""
        self.pixels = slice(start, stop)
        """Pixels of the cell."""
        pixel = np.arange(start, stop)[:, None]
        lower, upper = bounds[first : last + 1].copy(), bounds[first + 1 : last + 2].copy()
        if first == 0:
            lower[0] = -half  # the edge pixels are repeated beyond the image
        if upper[-1] == end:
            upper[-1] = end + half
        length = np.minimum(pixel + half + 1, upper) - np.maximum(pixel - half, lower)
        self.length: Float32[np.ndarray, "pixels cells"] = length.clip(0).astype(np.float32)
        """Pixels of each cell under the filter."""
        bends = (np.diff(length.clip(0), 2, axis=0) != 0).any(axis=1).nonzero()[0] + 1
        corners = np.unique(np.concatenate([[0], bends, [stop - start - 1]]))
        self.corners: Float32[np.ndarray, "corners cells"] = self.length[corners]
        """`length` where its slope changes: between these pixels it is linear."""


def _medians(
    covered: UInt8[np.ndarray, "i j"],
    down: _Overlap,
    across: _Overlap,
    half: int,
    buffers: "_Buffers",
) -> UInt8[np.ndarray, "h w"] | np.uint8:
    """Medians of the pixels of one cell; a single number where all are equal.

    Args:
        covered: values of the cells that the filter reaches.
        down: overlap along the rows.
        across: overlap along the columns.
        half: half the area of the filter in pixels, rounded down.
        buffers: memory to work in.
    """
    import cv2

    order = np.argsort(covered, axis=None)
    rank = np.empty(covered.size, np.int64)
    rank[order] = np.arange(covered.size)
    smaller = rank.reshape(covered.shape) <= np.arange(covered.size)[:, None, None]
    smaller = smaller.astype(np.float32)
    # areas are linear in both directions between corners, so corners have the extremes
    area = (down.corners @ smaller @ across.corners.T).reshape(covered.size, -1)
    lowest = int((area.max(axis=1) <= half).sum())
    highest = int((area.min(axis=1) <= half).sum())
    values = covered.ravel()[order]
    if values[lowest] == values[highest]:
        return np.uint8(values[lowest])
    # areas are whole numbers below 2^24, which single precision adds exactly
    rows = (down.length @ smaller[lowest:highest]).reshape(-1, covered.shape[1])
    shape = (highest - lowest, len(down.length), len(across.length))
    sums, flags = buffers.of_shape(shape)
    np.matmul(rows, across.length.T, out=sums.reshape(len(rows), -1))
    np.less_equal(sums, half, out=flags)
    place = np.add.reduce(flags.view(np.uint8), axis=0, dtype=np.uint8)
    table = np.zeros(256, np.uint8)
    table[: highest - lowest + 1] = values[lowest : highest + 1]
    return np.asarray(cv2.LUT(place, table), np.uint8)


class _Buffers:
    """Memory that all cells share: allocating it for each would cost as much as the sums."""

    def __init__(self) -> None:
        self._sums, self._flags = np.empty(0, np.float32), np.empty(0, np.bool_)

    def of_shape(
        self, shape: tuple[int, int, int]
    ) -> tuple[Float32[np.ndarray, "k h w"], Bool[np.ndarray, "k h w"]]:
        """Sums and flags of a shape; previous contents are lost."""
        size = math.prod(shape)
        if size > len(self._sums):
            self._sums, self._flags = np.empty(size, np.float32), np.empty(size, np.bool_)
        return self._sums[:size].reshape(shape), self._flags[:size].reshape(shape)
