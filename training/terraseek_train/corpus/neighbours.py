"""Pairs of equal or similar rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt64

from terraseek.imagehash import Pairs, hashes_agree, near_pairs

__all__ = ["equal_pairs", "hash_pairs", "vector_pairs"]

_MAX_EXACT = 50_000
"""Vectors up to which all pairs are compared; more are searched in inverted lists."""
_PROBES = 16
_BLOCK = 16_384


def equal_pairs(keys: Sequence[str]) -> Pairs:
    """Each row with a key that an earlier row has, and the first such row; empty keys differ."""
    first: dict[str, int] = {}
    rows, others = [], []
    for row, key in enumerate(keys):
        if not key:
            continue
        known = first.setdefault(key, row)
        if known != row:
            rows.append(known)
            others.append(row)
    return np.array(rows, np.int64), np.array(others, np.int64)


def hash_pairs(hashes: UInt64[np.ndarray, "n 8"], max_bits: int) -> Pairs:
    """Pairs whose hashes differ in at most `max_bits` bits in one of eight orientations.

    All pairs are compared; images without structure equal no other.
    """
    rows, others, _ = near_pairs(hashes, hashes, max_bits)
    return rows, others


def vector_pairs(
    vectors: Float32[np.ndarray, "n dim"],
    neighbours: int,
    min_cosine: float,
    hashes: UInt64[np.ndarray, "n 8"],
    max_bits: int,
) -> Pairs:
    """Pairs of a row and one of its nearest neighbours whose cosine is high and hashes agree.

    Up to 50,000 rows the neighbours are exact; for more they come from inverted lists, which may
    miss a pair. Rows with a zero vector are in no pair.

    Args:
        vectors: unit vectors, or zero for images that could not be read.
        neighbours: nearest neighbours of each row, itself not counted.
        min_cosine: smallest cosine of a pair.
        hashes: perceptual hashes of the rows.
        max_bits: most different bits of a pair; 64 asks no hash.
    """
    index = _index(vectors)
    found_rows, found_others = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for start in range(0, len(vectors), _BLOCK):
        cosines, others = index.search(vectors[start : start + _BLOCK], neighbours + 1)
        rows = np.repeat(np.arange(start, start + len(others)), others.shape[1])
        flat = others.ravel()
        keep = (cosines.ravel() >= min_cosine) & (flat >= 0) & (flat != rows)
        rows, flat = rows[keep], flat[keep]
        if max_bits < 64:
            keep = hashes_agree(hashes[rows], hashes[flat], max_bits)
            rows, flat = rows[keep], flat[keep]
        found_rows.append(rows)
        found_others.append(flat)
    return np.concatenate(found_rows), np.concatenate(found_others)


def _index(vectors: Float32[np.ndarray, "n dim"]) -> Any:  # noqa: ANN401 - any FAISS index
    import faiss

    index: Any
    dim = vectors.shape[1]
    if len(vectors) <= _MAX_EXACT:
        index = faiss.IndexFlatIP(dim)
    else:
        lists = int(4 * np.sqrt(len(vectors)))
        index = faiss.index_factory(dim, f"IVF{lists},SQfp16", faiss.METRIC_INNER_PRODUCT)
        index.train(vectors[:: max(1, len(vectors) // (40 * lists))])
        index.nprobe = _PROBES
    index.add(vectors)
    return index
