"""Perceptual hashes of images in all eight orientations, and pairs and groups of near-duplicates.

The hash is pHash: the image in grey is averaged to 32x32 pixels, and the 8x8 lowest coefficients of
its discrete cosine transform (DCT) are compared with their median. An image taken from above keeps
its meaning when it is rotated or mirrored, so a copy may have any of eight orientations. These need
no further transform: mirroring negates the odd coefficients of an axis, and transposing the image
transposes the coefficients.
"""

from collections.abc import Iterator
from functools import cache, lru_cache

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8, UInt64

__all__ = [
    "FLAT",
    "ORIENTATIONS",
    "Pairs",
    "components",
    "distances",
    "hashes_agree",
    "image_hashes",
    "near_pairs",
]

Pairs = tuple[Int64[np.ndarray, " p"], Int64[np.ndarray, " p"]]
"""Rows and other rows, one element of each per pair."""

FLAT = np.uint64(0)
"""Hash of an image without visible structure (open water, blank tiles); it matches no image."""
ORIENTATIONS = ("as is", "h", "v", "hv", "t", "th", "tv", "thv")
"""Order of the hashes: t transposes; then h mirrors left-right and v top-bottom."""

_SIDE = 32
_COEFFICIENTS = 8
_FLAT_LEVELS = 1.5
_BLOCK = 1 << 17  # a megabyte of hashes fits the CPU cache: four times as fast as 32 MB
_WEIGHTS = np.uint64(1) << np.arange(64, dtype=np.uint64)


def image_hashes(rgb: UInt8[np.ndarray, "height width 3"]) -> UInt64[np.ndarray, " 8"]:
    """Compute the 64-bit hash of an image in each of `ORIENTATIONS`.

    All hashes are `FLAT` for an image without structure.

    Args:
        rgb: pixels of any size; the aspect ratio is not kept.
    """
    grey = _small_grey(rgb)
    if grey.std() < _FLAT_LEVELS:
        return np.zeros(len(ORIENTATIONS), np.uint64)
    basis = _dct_basis()
    low = basis @ grey @ basis.T
    sign = np.where(np.arange(_COEFFICIENTS) % 2, -1.0, 1.0)
    return np.array(
        [
            _bits(plane * across * down)
            for plane in (low, low.T)
            for down in (1.0, sign[:, None])
            for across in (1.0, sign[None, :])
        ],
        np.uint64,
    )


def _small_grey(rgb: UInt8[np.ndarray, "height width 3"]) -> Float64[np.ndarray, "side side"]:
    grey = rgb.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
    height, width = grey.shape
    small: Float64[np.ndarray, "side side"] = _average_weights(height) @ (
        grey @ _average_weights(width).T
    )
    return small


@lru_cache(maxsize=256)
def _average_weights(side: int) -> Float64[np.ndarray, "small side"]:
    """Weights that average an axis of `side` pixels to 32 equal intervals.

    The overlaps are exact, so that mirrored images give mirrored averages; box filters of image
    libraries round to whole pixels.
    """
    edges = np.arange(_SIDE + 1) * side / _SIDE
    pixel = np.arange(side)
    overlap = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    weights: Float64[np.ndarray, "small side"] = np.clip(overlap, 0, None) * (_SIDE / side)
    return weights


@cache
def _dct_basis() -> Float64[np.ndarray, "kept side"]:
    """First rows of the DCT-II matrix; unscaled, since only comparisons with a median follow."""
    frequency, position = np.arange(_COEFFICIENTS)[:, None], np.arange(_SIDE)[None, :]
    basis: Float64[np.ndarray, "kept side"] = np.cos(
        np.pi * frequency * (2 * position + 1) / (2 * _SIDE)
    )
    return basis


def _bits(low: Float64[np.ndarray, "kept kept"]) -> np.uint64:
    """Compare coefficients with their median; bit 0 is always set, so that no hash is FLAT.

    Bit 0 is that of the mean grey, which is not compared.
    """
    coefficients = low.reshape(-1)[1:]
    above = np.concatenate([[True], coefficients > np.median(coefficients)])
    return np.uint64(_WEIGHTS[above].sum())


def distances(
    left: UInt64[np.ndarray, "*shape"], right: UInt64[np.ndarray, "*shape"]
) -> UInt8[np.ndarray, "*shape"]:
    """Hamming distance of hashes, 0 to 64 bits, element by element."""
    differing: UInt8[np.ndarray, "*shape"] = np.bitwise_count(left ^ right)
    return differing


def hashes_agree(
    left: UInt64[np.ndarray, "*pairs 8"], right: UInt64[np.ndarray, "*pairs 8"], most: int
) -> Bool[np.ndarray, "*pairs"]:
    """Whether the hashes of images differ in at most `most` bits in some orientation.

    Images without structure agree with none.

    Args:
        left: hashes made by `image_hashes`; only the first column is used.
        right: hashes of the other image of each pair.
        most: largest Hamming distance, in bits.
    """
    bits = np.bitwise_count(left[..., :1] ^ right).min(axis=-1)
    structured = (left[..., 0] != FLAT) & (right[..., 0] != FLAT)
    return np.asarray((bits <= most) & structured)


def near_pairs(
    left: UInt64[np.ndarray, "n 8"], right: UInt64[np.ndarray, "m 8"], most: int
) -> tuple[Int64[np.ndarray, " p"], Int64[np.ndarray, " p"], UInt8[np.ndarray, " p"]]:
    """Find pairs of images whose hashes differ in at most `most` bits in some orientation.

    All n x m pairs are compared in eight orientations of the right image, in blocks of bounded
    memory; images without structure are ignored.

    Args:
        left: hashes made by `image_hashes`; only the first column is used.
        right: hashes of the other set; pass the same array to compare a set with itself.
        most: largest Hamming distance of a pair, in bits.

    Returns:
        Rows of `left`, rows of `right` and their distances, ordered by rows. If a set is compared
        with itself, each pair appears once, the smaller row first.
    """
    found = list(_blocks(left[:, 0], right, most, left is right))
    rows, others, bits = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((others, rows))
    return rows[order], others[order], bits[order]


def _blocks(
    left: UInt64[np.ndarray, " n"], right: UInt64[np.ndarray, "m 8"], most: int, same: bool
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    left_rows, right_rows = np.flatnonzero(left != FLAT), np.flatnonzero(right[:, 0] != FLAT)
    yield np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint8)
    if not len(right_rows):
        return
    orientations = np.ascontiguousarray(right[right_rows].T)
    step = max(1, _BLOCK // len(right_rows))
    for start in range(0, len(left_rows), step):
        rows = left_rows[start : start + step]
        closest = np.full((len(rows), len(right_rows)), 65, np.uint8)
        for hashes in orientations:
            np.minimum(closest, np.bitwise_count(left[rows, None] ^ hashes), out=closest)
        i, j = np.nonzero(closest <= most)
        keep = right_rows[j] > rows[i] if same else np.ones(len(i), bool)
        i, j = i[keep], j[keep]
        yield rows[i], right_rows[j], closest[i, j]


def components(count: int, pairs: Pairs) -> Int64[np.ndarray, " n"]:
    """Number of the connected component of each of `count` rows, counted from 0."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows, others = pairs
    graph = coo_array((np.ones(len(rows), np.int8), (rows, others)), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    return np.asarray(labels, np.int64)
