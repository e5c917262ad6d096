"""Every stored row against one query, straight from the mapped file, on all cores.

FAISS has the fastest loops over coded vectors, but its indexes want the codes in memory of their
own. Its scanner of inverted lists takes any address, so here the map itself is the only list.
"""

import os
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8

from terraseek.index.scoring import workers

__all__ = ["CodeScan", "certain_best", "faiss_module", "packed"]

_MOST = 1 << 14
"""Rows a shard keeps at most; its heap becomes slow beyond."""
_LEAST_SHARD = 1 << 13


def faiss_module() -> Any:  # noqa: ANN401
    """FAISS without its type hints, which lack the half of what SWIG and its Python code add."""
    import faiss

    return faiss


def packed(rows: Int64[np.ndarray, " m"], count: int) -> UInt8[np.ndarray, " bytes"]:
    """A bit for each of `count` rows, set for `rows`, lowest bit first."""
    mask = np.zeros(count, bool)
    mask[rows] = True
    return np.packbits(mask, bitorder="little")


class CodeScan:
    """Rows of float16 vectors, or of 8-bit codes `128 + vector * scale`, scanned as they lie."""

    def __init__(
        self,
        codes: np.ndarray,
        scale: float | Float32[np.ndarray, " dim"] = 1.0,
        threads: int | None = None,
    ) -> None:
        """Wrap codes.

        Args:
            codes: (n, dim) float16, or uint8 with zero at 128; mapped memory is not copied.
            scale: what vectors were multiplied with before they were rounded to 8 bits, one
                number or one an axis.
            threads: shards scanned at once; one a core without it.
        """
        self._codes = codes
        self._scale = scale
        count = len(codes)
        wanted = max(1, min(threads or os.cpu_count() or 1, count // _LEAST_SHARD))
        step = -(-count // wanted)
        step += -step % 8  # shards begin at whole bytes of the bits
        self._shards = [(lo, min(lo + step, count)) for lo in range(0, count, max(step, 1))]

    def __len__(self) -> int:
        return len(self._codes)

    def best(
        self,
        query: Float32[np.ndarray, " dim"],
        k: int,
        wanted: UInt8[np.ndarray, " bytes"] | None = None,
    ) -> tuple[Int64[np.ndarray, " m"], Float32[np.ndarray, " m"], float]:
        """Rows that include the `k` with the highest dot products of code and query.

        Args:
            query: vector to compare with.
            k: how many of each shard are kept.
            wanted: bits of the rows that count, as `packed` makes them; all without it.

        Returns:
            Rows and their dot products in any order, and what no row left out exceeds.
        """
        # codes stay as they are: what undoes their scale is done to the query
        scaled = np.ascontiguousarray(query / np.asarray(self._scale), np.float32)
        parts = [(lo, hi, scaled, k, wanted) for lo, hi in self._shards]
        if len(parts) == 1:
            found = [self._scan(*parts[0])]
        else:
            found = list(workers().map(lambda part: self._scan(*part), parts))
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
        wanted: UInt8[np.ndarray, " bytes"] | None,
    ) -> tuple[Int64[np.ndarray, " m"], Float32[np.ndarray, " m"]]:
        """The best rows of a shard; the heap begins below any score, so that all can enter."""
        faiss = faiss_module()
        bits = None if wanted is None else np.ascontiguousarray(wanted[lo // 8 : -(-hi // 8)])
        chosen = None if bits is None else faiss.IDSelectorBitmap(bits)
        lists = _lists(len(query), self._codes.dtype == np.uint8)
        scanner = lists.get_InvertedListScanner(True, chosen, None)
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


def certain_best(
    scan: CodeScan,
    query: Float32[np.ndarray, " dim"],
    k: int,
    error: float,
    exact: Callable[[Int64[np.ndarray, " m"]], Float64[np.ndarray, " m"]],
    wanted: UInt8[np.ndarray, " bytes"] | None = None,
) -> Int64[np.ndarray, " m"] | None:
    """Rows that certainly include the `k` best by exact score, ties at the edge among them.

    The scan keeps more and more rows until the best of those left out, even if its code were off by
    `error`, is below the exact score of the k-th found.

    Args:
        scan: the codes.
        query: vector to compare with.
        k: how many are wanted.
        error: most that a code's dot product with the query can be off.
        exact: exact scores of rows.
        wanted: bits of the rows that count; all without it.

    Returns:
        The rows, or None if the codes are too coarse to tell.
    """
    take = max(2 * k, k + 32)
    while take <= max(_MOST, 2 * k):
        rows, scores, left_out = scan.best(query, take, wanted)
        if len(rows) <= k:
            return rows
        likely = rows[np.argpartition(scores, len(scores) - k)[-k:]]
        lowest = float(exact(likely).min())
        if left_out + error < lowest:
            return rows[scores >= lowest - error]
        take *= 4
    return None


@cache
def _lists(dim: int, bytes_: bool) -> Any:  # noqa: ANN401 - faiss has no types
    """An index that is never filled; it only knows how to make scanners.

    Args:
        dim: length of the vectors.
        bytes_: for byte codes, otherwise for float16.
    """
    faiss = faiss_module()
    centre = faiss.IndexFlatIP(dim)
    centre.add(np.zeros((1, dim), np.float32))
    kind = faiss.ScalarQuantizer.QT_fp16
    if bytes_:
        kind = faiss.ScalarQuantizer.QT_8bit_uniform
    index = faiss.IndexIVFScalarQuantizer(centre, dim, 1, kind, faiss.METRIC_INNER_PRODUCT, False)
    index.referenced_objects = [centre]
    if bytes_:
        # FAISS decodes to low + width * (code + 0.5) / 255, which shall be code - 128
        faiss.copy_array_to_vector(np.array([-128.5, 255.0], np.float32), index.sq.trained)
    return index
