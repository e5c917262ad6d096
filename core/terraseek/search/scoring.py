"""Exact scores of rows and the best of them, the same whatever else was scored beside."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64

__all__ = ["Matrix", "best"]

_BLOCK = 16_384
_SLACK = 2e-6
_RESIDENT = 2 << 30


class Matrix:
    """Rows of vectors that can be scored; kept as float32 while that takes at most 2 GiB."""

    def __init__(self, vectors: Float[np.ndarray, "n dim"]) -> None:
        self._vectors = vectors
        if vectors.shape[0] * vectors.shape[1] * 4 <= _RESIDENT:
            self._vectors = np.asarray(vectors, np.float32)

    def row(self, row: int) -> Float32[np.ndarray, " dim"]:
        """One vector."""
        return np.asarray(self._vectors[row], np.float32)

    def scores(
        self, rows: Int64[np.ndarray, " m"], query: Float32[np.ndarray, " dim"]
    ) -> Float32[np.ndarray, " m"]:
        """Dot products of some rows with a query, to about 1e-6."""
        if len(rows) == len(self._vectors) and self._vectors.dtype == np.float32:
            return np.asarray(self._vectors @ query, np.float32)
        out = np.empty(len(rows), np.float32)
        for part in _blocks(len(rows)):
            out[part] = np.asarray(self._vectors[rows[part]], np.float32) @ query
        return out

    def exact(
        self, rows: Int64[np.ndarray, " m"], query: Float32[np.ndarray, " dim"]
    ) -> Float64[np.ndarray, " m"]:
        """Dot products in double precision, rounded to 1e-7 so that equal rows tie."""
        wide = query.astype(np.float64)
        out = np.empty(len(rows), np.float64)
        for part in _blocks(len(rows)):
            out[part] = np.asarray(self._vectors[rows[part]], np.float64) @ wide
        return out


def best(scores: Float32[np.ndarray, " m"], k: int) -> Int64[np.ndarray, " c"]:
    """Positions of all that may be among the `k` best given that scores are a little inexact."""
    if k >= len(scores):
        return np.arange(len(scores))
    cut = np.partition(scores, len(scores) - k)[len(scores) - k]
    return np.flatnonzero(scores >= cut - _SLACK)


def _blocks(count: int) -> Iterator[slice]:
    for start in range(0, count, _BLOCK):
        yield slice(start, min(start + _BLOCK, count))
