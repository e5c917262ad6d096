"""Exact scores of rows and the best of them, the same whatever else was scored beside."""

import mmap
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64

from terraseek.embeddings.row_reader import RowReader

__all__ = ["Matrix", "best", "workers"]

_BLOCK = 4096
_SLACK = 2e-6
_TOUCHED = 1 << 14
_RESIDENT = 256 << 20
_READ = 2048
"""Rows up to which reading each beats mapping their pages."""


class Matrix:
    """Rows of vectors that can be scored."""

    def __init__(
        self,
        vectors: Float[np.ndarray, "n dim"],
        resident: bool | None = None,
        reader: RowReader | None = None,
    ) -> None:
        """Wrap vectors.

        Args:
            vectors: a row each; mapped memory is fine.
            resident: keep them in memory as float32; otherwise while that takes at most 256 MiB.
            reader: of the file they are mapped from, for a few of them.
        """
        self._reader = reader
        self._vectors = vectors
        self._touched = 0
        if resident is None:
            resident = vectors.shape[0] * vectors.shape[1] * 4 <= _RESIDENT
        if resident:
            self._vectors, self._reader = np.asarray(vectors, np.float32), None

    def row(self, row: int) -> Float32[np.ndarray, " dim"]:
        """One vector."""
        return np.asarray(self._vectors[row], np.float32)

    def rows(self, rows: Int64[np.ndarray, " m"]) -> Float32[np.ndarray, "m dim"]:
        """Some vectors."""
        return np.asarray(self._vectors[rows], np.float32)

    def scores(
        self, rows: Int64[np.ndarray, " m"], query: Float32[np.ndarray, " dim"]
    ) -> Float32[np.ndarray, " m"]:
        """Dot products of some rows with a query, to about 1e-6."""
        if len(rows) == len(self._vectors) and self._vectors.dtype == np.float32:
            return np.asarray(self._vectors @ query, np.float32)
        out = np.empty(len(rows), np.float32)
        whole = len(rows) == len(self._vectors)

        def fill(part: slice) -> None:
            picked = self._vectors[part] if whole else self._picked(rows[part])
            out[part] = _wide(picked) @ query

        if len(rows) <= _BLOCK:
            fill(slice(0, len(rows)))
        else:
            list(workers().map(fill, _blocks(len(rows))))
        return out

    def exact(
        self, rows: Int64[np.ndarray, " m"], query: Float32[np.ndarray, " dim"]
    ) -> Float64[np.ndarray, " m"]:
        """Dot products in double precision, rounded to 1e-7 so that equal rows tie."""
        wide = query.astype(np.float64)
        out = np.empty(len(rows), np.float64)
        for part in _blocks(len(rows)):
            out[part] = np.asarray(self._picked(rows[part]), np.float64) @ wide
        self._let_go(len(rows))
        return out

    def _picked(self, rows: Int64[np.ndarray, " m"]) -> Float[np.ndarray, "m dim"]:
        if self._reader is not None and len(rows) <= _READ:
            return self._reader.rows(rows)
        picked: Float[np.ndarray, "m dim"] = self._vectors[rows]
        return picked

    def _let_go(self, touched: int) -> None:
        """Give mapped pages back now and then: each row brings its neighbours into memory."""
        self._touched += touched
        read_only = getattr(self._vectors, "mode", "") == "r"
        mapped = getattr(self._vectors, "_mmap", None) if read_only else None
        if mapped is None or self._touched < _TOUCHED or not hasattr(mmap, "MADV_DONTNEED"):
            return
        self._touched = 0
        # of a map of a file this drops what the process holds, not what the system caches
        mapped.madvise(mmap.MADV_DONTNEED)


def best(scores: Float32[np.ndarray, " m"], k: int) -> Int64[np.ndarray, " c"]:
    """Positions of all that may be among the `k` best given that scores are a little inexact."""
    if k >= len(scores):
        return np.arange(len(scores))
    cut = np.partition(scores, len(scores) - k)[len(scores) - k]
    return np.flatnonzero(scores >= cut - _SLACK)


def _wide(vectors: Float[np.ndarray, "m dim"]) -> Float32[np.ndarray, "m dim"]:
    """The same as float32; FAISS converts float16 twice as fast as NumPy."""
    if vectors.dtype != np.float16:
        return np.asarray(vectors, np.float32)
    import faiss

    codec = faiss.ScalarQuantizer(vectors.shape[1], faiss.ScalarQuantizer.QT_fp16)
    decoded: Float32[np.ndarray, "m dim"] = codec.decode(np.ascontiguousarray(vectors).view("u1"))
    return decoded


@cache
def workers() -> ThreadPoolExecutor:
    """Threads for work that releases the interpreter, one a core."""
    return ThreadPoolExecutor(os.cpu_count() or 1, "scoring")


def _blocks(count: int) -> Iterator[slice]:
    for start in range(0, count, _BLOCK):
        yield slice(start, min(start + _BLOCK, count))
