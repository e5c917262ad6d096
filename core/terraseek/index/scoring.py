"""Dot products of stored rows with a query, and selection of the best.

Exact scores do not depend on which other rows are scored in the same call.
"""

import mmap
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64

from terraseek.embeddings.row_reader import RowReader

__all__ = ["Matrix", "thread_pool", "top_positions"]

_BLOCK = 4096
_TOLERANCE = 2e-6
"""Bound of the error of approximate scores."""
_ADVISE_EVERY = 1 << 14
"""Rows read between two releases of mapped pages."""
_RESIDENT = 256 << 20
"""Bytes of float32 vectors that are kept in memory by default."""
_MAX_READ = 2048
"""Number of rows up to which reading each is faster than mapping their pages."""


class Matrix:
    """Stored vectors that can be scored against a query."""

    def __init__(
        self,
        vectors: Float[np.ndarray, "n dim"],
        resident: bool | None = None,
        reader: RowReader | None = None,
    ) -> None:
        """Wrap vectors.

        Args:
            vectors: one per row; may be memory-mapped.
            resident: whether to keep them in memory as float32; by default if that takes at most
                256 MiB.
            reader: of the mapped file, for reading a few rows.
        """
        self._reader = reader
        self._vectors = vectors
        self._rows_read = 0
        if resident is None:
            resident = vectors.shape[0] * vectors.shape[1] * 4 <= _RESIDENT
        if resident:
            self._vectors, self._reader = np.asarray(vectors, np.float32), None

    def row(self, row: int) -> Float32[np.ndarray, " dim"]:
        """Return one vector."""
        return np.asarray(self._vectors[row], np.float32)

    def rows(self, rows: Int64[np.ndarray, " m"]) -> Float32[np.ndarray, "m dim"]:
        """Return the vectors of some rows."""
        return np.asarray(self._vectors[rows], np.float32)

    def approximate_scores(
        self, rows: Int64[np.ndarray, " m"], query: Float32[np.ndarray, " dim"]
    ) -> Float32[np.ndarray, " m"]:
        """Compute dot products of some rows with a query, with an error of about 1e-6."""
        if len(rows) == len(self._vectors) and self._vectors.dtype == np.float32:
            return np.asarray(self._vectors @ query, np.float32)
        out = np.empty(len(rows), np.float32)
        all_rows = len(rows) == len(self._vectors)

        def fill(part: slice) -> None:
            selected = self._vectors[part] if all_rows else self._select(rows[part])
            out[part] = _as_float32(selected) @ query

        if len(rows) <= _BLOCK:
            fill(slice(0, len(rows)))
        else:
            list(thread_pool().map(fill, _blocks(len(rows))))
        return out

    def exact_scores(
        self, rows: Int64[np.ndarray, " m"], query: Float32[np.ndarray, " dim"]
    ) -> Float64[np.ndarray, " m"]:
        """Compute dot products in double precision.

        Callers round them to 1e-7, so that equal rows have equal scores.
        """
        query64 = query.astype(np.float64)
        out = np.empty(len(rows), np.float64)
        for part in _blocks(len(rows)):
            out[part] = np.asarray(self._select(rows[part]), np.float64) @ query64
        self._release_pages(len(rows))
        return out

    def _select(self, rows: Int64[np.ndarray, " m"]) -> Float[np.ndarray, "m dim"]:
        if self._reader is not None and len(rows) <= _MAX_READ:
            return self._reader.rows(rows)
        selected: Float[np.ndarray, "m dim"] = self._vectors[rows]
        return selected

    def _release_pages(self, n_rows: int) -> None:
        """Release mapped pages from time to time; reading a row also loads its neighbours."""
        self._rows_read += n_rows
        read_only = getattr(self._vectors, "mode", "") == "r"
        mapped = getattr(self._vectors, "_mmap", None) if read_only else None
        if mapped is None or self._rows_read < _ADVISE_EVERY or not hasattr(mmap, "MADV_DONTNEED"):
            return
        self._rows_read = 0
        # drops the pages of this process; they stay in the file cache of the system
        mapped.madvise(mmap.MADV_DONTNEED)


def top_positions(scores: Float32[np.ndarray, " m"], k: int) -> Int64[np.ndarray, " c"]:
    """Return all positions that may be among the `k` best, given the error of the scores."""
    if k >= len(scores):
        return np.arange(len(scores))
    cut = np.partition(scores, len(scores) - k)[len(scores) - k]
    return np.flatnonzero(scores >= cut - _TOLERANCE)


def _as_float32(vectors: Float[np.ndarray, "m dim"]) -> Float32[np.ndarray, "m dim"]:
    """Convert to float32; FAISS converts float16 twice as fast as NumPy."""
    if vectors.dtype != np.float16:
        return np.asarray(vectors, np.float32)
    import faiss

    codec = faiss.ScalarQuantizer(vectors.shape[1], faiss.ScalarQuantizer.QT_fp16)
    decoded: Float32[np.ndarray, "m dim"] = codec.decode(np.ascontiguousarray(vectors).view("u1"))
    return decoded


@cache
def thread_pool() -> ThreadPoolExecutor:
    """Return a pool with one thread per core, for work that releases the interpreter lock."""
    return ThreadPoolExecutor(os.cpu_count() or 1, "scoring")


def _blocks(count: int) -> Iterator[slice]:
    for start in range(0, count, _BLOCK):
        yield slice(start, min(start + _BLOCK, count))
