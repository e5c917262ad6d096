"""How sure a measured number is: percentile bootstrap, and paired comparison of two models.

Every headline number is a ratio of sums over *units* that are drawn together (an image with its
captions, a labelled image, a sentence on a scene), or a mean of such ratios. So a resample is one
row of counts, and thousands of them are one matrix product (Efron & Tibshirani 1993, chapter 13;
paired: chapter 15, the sign-flip form of the permutation test).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

__all__ = ["Difference", "Interval", "Tally", "intervals", "paired"]

Interval = tuple[float, float]
"""Lower and upper end, in the unit of the number."""

RESAMPLES = 2000
FLIPS = 10_000
_EXACT = 12
"""Up to this many units all sign patterns are tried (4,096) instead of random ones."""
_CELLS = 4_000_000
"""Counts held at once: 32 MB as float64."""


@dataclass(frozen=True)
class Tally:
    """What every unit adds to the numbers: number j = Σ_k (Σ top_k / Σ bottom_k) · combine_kj."""

    names: tuple[str, ...]
    top: Float64[np.ndarray, "units parts"]
    bottom: Float64[np.ndarray, "units parts"]
    combine: Float64[np.ndarray, "parts names"]

    @classmethod
    def means(cls, names: tuple[str, ...], values: Float64[np.ndarray, "units names"]) -> "Tally":
        """Plain means over the units."""
        return cls(names, values, np.ones_like(values), np.eye(len(names)))

    @classmethod
    def grouped(
        cls, names: tuple[str, ...], values: Float64[np.ndarray, "rows names"], group: list[str]
    ) -> "Tally":
        """Means over rows of which those of one group are drawn together."""
        keys, unit = np.unique(np.array(group), return_inverse=True)
        top = np.zeros((len(keys), len(names)))
        np.add.at(top, unit, values)
        count = np.bincount(unit, minlength=len(keys)).astype(np.float64)
        bottom = np.repeat(count[:, None], len(names), axis=1)
        return cls(names, top, bottom, np.eye(len(names)))

    def numbers(self) -> Float64[np.ndarray, " names"]:
        """The numbers themselves, over all units once."""
        found: Float64[np.ndarray, " names"] = (
            self.top.sum(axis=0) / self.bottom.sum(axis=0)
        ) @ self.combine
        return found


@dataclass(frozen=True)
class Difference:
    """Model B minus model A on the same units."""

    value: float
    interval: Interval | None
    """95 % of the paired bootstrap; None for a single unit."""
    p: float
    """Share (0-1] of sign-flipped worlds with a difference at least as large either way."""


def intervals(
    tally: Tally, resamples: int = RESAMPLES, seed: int = 0, level: float = 0.95
) -> dict[str, Interval | None]:
    """Percentile bootstrap interval per number; None where a single unit leaves nothing to draw.

    Args:
        tally: what the units add.
        resamples: draws of as many units as there are, with replacement.
        seed: same seed, same interval.
        level: share of the draws inside, 0-1.
    """
    if len(tally.top) < 2:
        return dict.fromkeys(tally.names)
    drawn = _drawn(tally, resamples, seed)
    return dict(zip(tally.names, _percentiles(drawn, level), strict=True))


def paired(
    a: Tally, b: Tally, resamples: int = RESAMPLES, seed: int = 0, level: float = 0.95
) -> dict[str, Difference]:
    """Differences b - a, with both models read on the same resamples.

    p is of the hypothesis that the two models are exchangeable unit by unit: the sign of every
    unit's difference is flipped at random (all patterns for few units).

    Args:
        a: first model.
        b: second model, on the same units in the same order.
        resamples: draws for the interval.
        seed: of draws and flips.
        level: share of the draws inside the interval, 0-1.
    """
    if a.names != b.names or not np.array_equal(a.bottom, b.bottom):
        raise ValueError("the two tallies are not over the same units")
    each = ((b.top - a.top) / a.bottom.sum(axis=0)) @ a.combine
    value, p = each.sum(axis=0), _sign_flip(each, seed)
    ends: list[Interval | None] = [None] * len(a.names)
    if len(a.top) > 1:
        drawn = _drawn(b, resamples, seed) - _drawn(a, resamples, seed)
        ends = [*_percentiles(drawn, level)]
    return {
        name: Difference(float(value[j]), ends[j], float(p[j])) for j, name in enumerate(a.names)
    }


def _drawn(tally: Tally, resamples: int, seed: int) -> Float64[np.ndarray, "resamples names"]:
    parts = [
        ((count @ tally.top) / (count @ tally.bottom)) @ tally.combine
        for count in _counts(len(tally.top), resamples, seed)
    ]
    return np.concatenate(parts)


def _counts(units: int, resamples: int, seed: int) -> Iterator[Float64[np.ndarray, "some units"]]:
    """How often every unit is drawn, some resamples at a time."""
    rng = np.random.default_rng((seed, 1))
    block = max(1, _CELLS // units)
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = rng.integers(0, units, (rows, units)) + np.arange(rows)[:, None] * units
        count = np.bincount(drawn.ravel(), minlength=rows * units)
        yield count.reshape(rows, units).astype(np.float64)


def _percentiles(drawn: Float64[np.ndarray, "resamples names"], level: float) -> list[Interval]:
    tail = 50 * (1 - level)
    low, high = np.percentile(drawn, [tail, 100 - tail], axis=0)
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]


def _sign_flip(
    each: Float64[np.ndarray, "units names"], seed: int
) -> Float64[np.ndarray, " names"]:
    units = len(each)
    # rounding must not make a flipped world that is equal look smaller
    reached = np.abs(each.sum(axis=0)) * (1 - 1e-9) - 1e-15
    if units <= _EXACT:
        signs = 1.0 - 2.0 * (np.arange(1 << units)[:, None] >> np.arange(units) & 1)
        share: Float64[np.ndarray, " names"] = (np.abs(signs @ each) >= reached).mean(axis=0)
        return share
    rng = np.random.default_rng((seed, 2))
    count, block = np.ones(each.shape[1]), max(1, _CELLS // units)
    for start in range(0, FLIPS, block):
        rows = min(block, FLIPS - start)
        signs = 1.0 - 2.0 * rng.integers(0, 2, (rows, units), dtype=np.int8)
        count += (np.abs(signs @ each) >= reached).sum(axis=0)
    return count / (FLIPS + 1)
