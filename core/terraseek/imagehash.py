"""Perceptual hashes of images, in all eight orientations, and the pairs that are nearly the same.

The hash is the DCT one (pHash): grey, 32x32 by area average, the 8x8 lowest cosine coefficients,
each compared with their median. Seen from above an image keeps its meaning when it is turned or
mirrored, so a copy may come in any of eight orientations. They need no second transform: mirroring
negates the odd coefficients of an axis, and transposing the image transposes them.
"""

from collections.abc import Iterator
from functools import cache, lru_cache

import numpy as np
from jaxtyping import Float64, Int64, UInt8, UInt64

__all__ = ["FLAT", "ORIENTATIONS", "distances", "image_hashes", "near_pairs"]

FLAT = np.uint64(0)
"""Hash of an image without visible structure (open water, blank tiles); it is near nothing."""
ORIENTATIONS = ("as is", "h", "v", "hv", "t", "th", "tv", "thv")
"""Order of the hashes: h mirrors left and right, v top and bottom, t transposes before that."""

_SIDE = 32
_KEPT = 8
_FLAT_LEVELS = 1.5
_BLOCK = 1 << 17  # a megabyte of hashes stays in the cache: four times as fast as 32
_WEIGHTS = np.uint64(1) << np.arange(64, dtype=np.uint64)


def image_hashes(rgb: UInt8[np.ndarray, "height width 3"]) -> UInt64[np.ndarray, " 8"]:
    """The 64-bit hash of an image in each of `ORIENTATIONS`; all are `FLAT` for a flat image.

    Args:
        rgb: pixels of any size; the aspect ratio is lost.
    """
    grey = _small_grey(rgb)
    if grey.std() < _FLAT_LEVELS:
        return np.zeros(len(ORIENTATIONS), np.uint64)
    basis = _cosines()
    low = basis @ grey @ basis.T
    sign = np.where(np.arange(_KEPT) % 2, -1.0, 1.0)
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
    small: Float64[np.ndarray, "side side"] = _areas(height) @ (grey @ _areas(width).T)
    return small


@lru_cache(maxsize=256)
def _areas(side: int) -> Float64[np.ndarray, "small side"]:
    """Share of each pixel in each of the 32 equal stretches of an axis.

    Exact overlaps, which mirror exactly; the box filters of image libraries round to whole pixels.
    """
    edges = np.arange(_SIDE + 1) * side / _SIDE
    pixel = np.arange(side)
    overlap = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    shares: Float64[np.ndarray, "small side"] = np.clip(overlap, 0, None) * (_SIDE / side)
    return shares


@cache
def _cosines() -> Float64[np.ndarray, "kept side"]:
    """The first rows of the DCT-II; scale does not matter for comparisons with a median."""
    order, place = np.arange(_KEPT)[:, None], np.arange(_SIDE)[None, :]
    waves: Float64[np.ndarray, "kept side"] = np.cos(np.pi * order * (2 * place + 1) / (2 * _SIDE))
    return waves


def _bits(low: Float64[np.ndarray, "kept kept"]) -> np.uint64:
    """Bit 0, where the mean grey would stand, is always set, so that no image's hash is FLAT."""
    waves = low.reshape(-1)[1:]
    above = np.concatenate([[True], waves > np.median(waves)])
    return np.uint64(_WEIGHTS[above].sum())


def distances(
    left: UInt64[np.ndarray, "*shape"], right: UInt64[np.ndarray, "*shape"]
) -> UInt8[np.ndarray, "*shape"]:
    """Number of bits, 0 to 64, in which hashes differ, element by element."""
    differing: UInt8[np.ndarray, "*shape"] = np.bitwise_count(left ^ right)
    return differing


def near_pairs(
    left: UInt64[np.ndarray, "n 8"], right: UInt64[np.ndarray, "m 8"], most: int
) -> tuple[Int64[np.ndarray, " p"], Int64[np.ndarray, " p"], UInt8[np.ndarray, " p"]]:
    """Pairs of images that differ in at most `most` bits in some orientation of the right one.

    Every pair is compared (n x m x 8 counts of bits, in blocks of bounded memory); flat images
    are left out.

    Args:
        left: hashes by `picture_hashes`; only the first column is used.
        right: hashes of the other set; give the same array to compare a set with itself.
        most: largest distance of a pair, in bits.

    Returns:
        rows of `left`, rows of `right` and their distance, in the order of rows. Of one set with
        itself each pair appears once, the smaller row first.
    """
    found = list(_blocks(left[:, 0], right, most, left is right))
    rows, others, bits = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((others, rows))
    return rows[order], others[order], bits[order]


def _blocks(
    left: UInt64[np.ndarray, " n"], right: UInt64[np.ndarray, "m 8"], most: int, same: bool
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    ours, theirs = np.flatnonzero(left != FLAT), np.flatnonzero(right[:, 0] != FLAT)
    yield np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint8)
    if not len(theirs):
        return
    turned = np.ascontiguousarray(right[theirs].T)
    step = max(1, _BLOCK // len(theirs))
    for start in range(0, len(ours), step):
        rows = ours[start : start + step]
        closest = np.full((len(rows), len(theirs)), 65, np.uint8)
        for hashes in turned:
            np.minimum(closest, np.bitwise_count(left[rows, None] ^ hashes), out=closest)
        at, other = np.nonzero(closest <= most)
        keep = theirs[other] > rows[at] if same else np.ones(len(at), bool)
        at, other = at[keep], other[keep]
        yield rows[at], theirs[other], closest[at, other]
