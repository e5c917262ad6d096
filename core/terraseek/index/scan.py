"""Exhaustive scan of stored vectors directly from the mapped file, on all cores.

FAISS has the fastest loops over quantized vectors, but its indexes copy the codes into their own
memory. Its scanner of inverted lists accepts any address, so here the mapped file is used as the
only list.
"""

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8

from terraseek.index.scoring import thread_pool

__all__ = ["CodeScan", "certified_top_k", "faiss_module", "row_bitmap"]

_MAX_HEAP = 1 << 14
"""Maximum number of rows kept per shard; larger heaps are slow."""
_MIN_SHARD = 1 << 13
"""Minimum number of rows of a shard."""


def faiss_module() -> Any:  # noqa: ANN401
    """Return FAISS as an untyped module, because its type hints are incomplete."""
    import faiss

    return faiss


def row_bitmap(rows: Int64[np.ndarray, " m"], count: int) -> UInt8[np.ndarray, " bytes"]:
    """Return a bitmap of `count` rows in which `rows` are set, lowest bit first."""
    mask = np.zeros(count, bool)
    mask[rows] = True
    return np.packbits(mask, bitorder="little")


class CodeScan:
    """Scan of float16 vectors, or of 8-bit codes `128 + vector * scale`, in place."""

    def __init__(
        self,
        codes: np.ndarray,
        scale: float | Float32[np.ndarray, " dim"] = 1.0,
        threads: int | None = None,
    ) -> None:
        """Wrap codes.

        Args:
            codes: (n, dim) float16, or uint8 with zero at 128; memory-mapped codes are not copied.
            scale: factor of the vectors before rounding to 8 bits; one number, or one per axis.
            threads: number of shards scanned in parallel; by default one per core.
        """
        self._codes = codes
        self._scale = scale
        count = len(codes)
        n_shards = max(1, min(threads or os.cpu_count() or 1, count // _MIN_SHARD))
        step = -(-count // n_shards)
        step += -step % 8  # shards start at whole bytes of the bitmap
        self._shards = [(lo, min(lo + step, count)) for lo in range(0, count, max(step, 1))]

    def __len__(self) -> int:
        return len(self._codes)

    def top_k(
        self,
        query: Float32[np.ndarray, " dim"],
        k: int,
        allowed: UInt8[np.ndarray, " bytes"] | None = None,
    ) -> tuple[Int64[np.ndarray, " m"], Float32[np.ndarray, " m"], float]:
        """Find rows that include the `k` highest dot products of code and query.

        Args:
            query: vector to compare with.
            k: number of rows to keep of each shard.
            allowed: bitmap of the rows to consider (`row_bitmap`); None for all.

        Returns:
            Rows, their dot products (in any order), and an upper bound of the dot products of all
            other rows.
        """
        # the scale is undone on the query, not on the codes
        scaled = np.ascontiguousarray(query / np.asarray(self._scale), np.float32)
        jobs = [(lo, hi, scaled, k, allowed) for lo, hi in self._shards]
        if len(jobs) == 1:
            found = [self._scan(*jobs[0])]
        else:
            found = list(thread_pool().map(lambda job: self._scan(*job), jobs))
        rows = np.concatenate([rows for rows, _ in found] or [np.empty(0, np.int64)])
        scores = np.concatenate([scores for _, scores in found] or [np.empty(0, np.float32)])
        full = [float(scores.min()) for _, scores in found if len(scores) == k]
        return rows, scores, max(full, default=-np.inf)

    def _scan(
        self,
        lo: int,
        hi: int,
        query: Float32[np.ndarray, " dim"],
        k: int,
        allowed: UInt8[np.ndarray, " bytes"] | None,
    ) -> tuple[Int64[np.ndarray, " m"], Float32[np.ndarray, " m"]]:
        """Best rows of a shard; the heap starts at minus infinity, so that all scores can enter."""
        faiss = faiss_module()
        bitmap = None if allowed is None else np.ascontiguousarray(allowed[lo // 8 : -(-hi // 8)])
        selector = None if bitmap is None else faiss.IDSelectorBitmap(bitmap)
        lists = _scanner_index(len(query), self._codes.dtype == np.uint8)
        scanner = lists.get_InvertedListScanner(True, selector, None)
        scores = np.full(k, -np.inf, np.float32)
        rows = np.full(k, -1, np.int64)
        part = self._codes[lo:hi].view(np.uint8)
        scanner.set_query(faiss.swig_ptr(query))
        scanner.set_list(0, 0.0)
        scanner.scan_codes(
            hi - lo, faiss.swig_ptr(part), None, faiss.swig_ptr(scores), faiss.swig_ptr(rows), k
        )
        kept = rows >= 0
        return rows[kept] + lo, scores[kept]


def certified_top_k(
    scan: CodeScan,
    query: Float32[np.ndarray, " dim"],
    k: int,
    error: float,
    exact_scores: Callable[[Int64[np.ndarray, " m"]], Float64[np.ndarray, " m"]],
    allowed: UInt8[np.ndarray, " bytes"] | None = None,
) -> Int64[np.ndarray, " m"] | None:
    """Find rows that provably include the `k` best by exact score, ties included.

    The scan keeps more and more rows, until the best of the rows left out, with the largest
    possible error of its code, is below the exact score of the k-th row found.

    Args:
        scan: the codes.
        query: vector to compare with.
        k: number of rows wanted.
        error: maximum error of a code's dot product with the query.
        exact_scores: computes exact scores of rows.
        allowed: bitmap of the rows to consider; None for all.

    Returns:
        The rows, or None if the codes are too coarse for a proof.
    """
    take = max(2 * k, k + 32)
    while take <= max(_MAX_HEAP, 2 * k):
        rows, scores, left_out = scan.top_k(query, take, allowed)
        if len(rows) <= k:
            return rows
        best = rows[np.argpartition(scores, len(scores) - k)[-k:]]
        lowest = float(exact_scores(best).min())
        if left_out + error < lowest:
            return rows[scores >= lowest - error]
        take *= 4
    return None


@cache
def _scanner_index(dim: int, is_bytes: bool) -> Any:  # noqa: ANN401 - faiss has no types
    """Create an empty index, which is only used to make scanners.

    Args:
        dim: length of the vectors.
        is_bytes: whether the codes are bytes; otherwise float16.
    """
    faiss = faiss_module()
    centre = faiss.IndexFlatIP(dim)
    centre.add(np.zeros((1, dim), np.float32))
    kind = faiss.ScalarQuantizer.QT_fp16
    if is_bytes:
        kind = faiss.ScalarQuantizer.QT_8bit_uniform
    index = faiss.IndexIVFScalarQuantizer(centre, dim, 1, kind, faiss.METRIC_INNER_PRODUCT, False)
    index.referenced_objects = [centre]
    if is_bytes:
        # FAISS decodes to low + width * (code + 0.5) / 255; this makes it code - 128
        faiss.copy_array_to_vector(np.array([-128.5, 255.0], np.float32), index.sq.trained)
    return index
