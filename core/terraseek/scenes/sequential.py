"""Decimated reads of formats that are decoded from their first row, such as PNG.

GDAL's own averaging goes back to earlier rows, so that it decodes a PNG of 16,000 x 16,000 pixels
about fifty times. Here each row is decoded once.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float64, Shaped

from terraseek.decoding import check_time

__all__ = ["average_rows"]

_ROWS = 32

ReadRows = Callable[[int, int], tuple[Shaped[np.ndarray, "bands h w"], Bool[np.ndarray, "h w"]]]
"""Reads the rows from the first to before the second, with their mask of valid pixels."""


def average_rows(
    read: ReadRows, source: tuple[int, int], size: tuple[int, int]
) -> tuple[Shaped[np.ndarray, "bands h w"], Bool[np.ndarray, "h w"]]:
    """Shrink an image by area averages of its valid pixels, decoding every row once.

    Args:
        read: reads rows of the image.
        source: (height, width) of the image.
        size: (height, width) of the result.
    """
    height, width = size
    edges = np.linspace(0, source[1], width + 1)
    values, masks = [], []
    for first in range(0, height, _ROWS):
        check_time()
        last = min(first + _ROWS, height)
        ratio = source[0] / height
        start, stop = int(first * ratio), min(int(np.ceil(last * ratio)), source[0])
        block, valid = read(start, stop)
        rows = _weights(first, last, ratio, start, stop)
        if not valid.all():
            block = np.where(valid, block, np.zeros((), block.dtype))
        weight = np.maximum(rows @ _sums(valid, edges), 0)
        means = np.stack([rows @ _sums(band, edges) for band in block]) / np.maximum(weight, 1e-9)
        whole = np.issubdtype(block.dtype, np.integer)
        values.append((np.rint(means) if whole else means).astype(block.dtype))
        masks.append(weight > 1e-6)
    return np.concatenate(values, axis=1), np.concatenate(masks)


def _sums(
    values: Shaped[np.ndarray, "h w"], edges: Float64[np.ndarray, " n"]
) -> Float64[np.ndarray, "h out"]:
    """Sums along the rows between fractional columns."""
    total = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, dtype=np.float64, out=total[:, 1:])
    whole = np.minimum(edges.astype(np.int64), values.shape[1] - 1)
    at_edges = total[:, whole]
    at_edges += (total[:, whole + 1] - at_edges) * (edges - whole)
    sums: Float64[np.ndarray, "h out"] = np.diff(at_edges, axis=1)
    return sums


def _weights(
    first: int, last: int, ratio: float, start: int, stop: int
) -> Float64[np.ndarray, "out inp"]:
    """Share of each of the pixels `start` to `stop` in the result pixels `first` to `last`."""
    low = np.arange(first, last)[:, None] * ratio
    pixel = np.arange(start, stop)[None, :]
    overlap = np.minimum(low + ratio, pixel + 1) - np.maximum(low, pixel)
    shares: Float64[np.ndarray, "out inp"] = np.clip(overlap, 0, None) / ratio
    return shares
