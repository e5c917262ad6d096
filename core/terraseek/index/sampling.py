"""Blocks and random samples of stored vectors as float32."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float32, Int64

__all__ = ["float32_blocks", "float32_rows", "sample_rows"]

_BLOCK = 1 << 15


def float32_blocks(
    vectors: np.ndarray,
) -> Iterator[tuple[int, Float32[np.ndarray, "m dim"]]]:
    """Yield the start row and the vectors of consecutive blocks as float32."""
    for start in range(0, len(vectors), _BLOCK):
        yield start, np.asarray(vectors[start : start + _BLOCK], np.float32)


def sample_rows(
    rows: Int64[np.ndarray, " u"], limit: int, seed: int = 0
) -> Int64[np.ndarray, " s"]:
    """Draw at most `limit` rows without replacement, in ascending order."""
    if len(rows) <= limit:
        return rows
    chosen: Int64[np.ndarray, " s"] = np.random.default_rng(seed).choice(rows, limit, replace=False)
    chosen.sort()
    return chosen


def float32_rows(
    vectors: np.ndarray, rows: Int64[np.ndarray, " s"]
) -> Float32[np.ndarray, "s dim"]:
    """Copy some rows as float32."""
    return np.ascontiguousarray(vectors[rows], np.float32)
