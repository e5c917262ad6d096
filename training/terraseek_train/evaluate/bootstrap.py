"""Uncertainty of measured numbers: percentile bootstrap, and paired comparison of two models.

Every headline number is a ratio of sums over sampling *units* (an image with its captions, a
labelled image, a sentence on a scene), or a mean of such ratios. So a resample is one row of
counts, and thousands of them are one matrix product (Efron & Tibshirani 1993, chapter 13; paired:
chapter 15, the sign-flip form of the permutation test).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

__all__ = ["Difference", "Interval", "UnitSums", "intervals", "paired"]

Interval = tuple[float, float]
"""Lower and upper end, in the unit of the number."""

RESAMPLES = 2000
"""Resamples of the bootstrap."""
FLIPS = 10_000
"""Random sign patterns of the permutation test."""
_EXACT_UNITS = 12
"""Up to this many units all sign patterns are evaluated (4,096) instead of random ones."""
_BLOCK_COUNTS = 4_000_000
"""Counts in memory at a time: 32 MB as float64."""


@dataclass(frozen=True)
class UnitSums:
    """Contributions of the units to numbers that are combinations of ratios of sums.

    Number j = Σ_k (Σ numerators_k / Σ denominators_k) · combine_kj, with the inner sums over units.
    """

    names: tuple[str, ...]
    numerators: Float64[np.ndarray, "units ratios"]
    denominators: Float64[np.ndarray, "units ratios"]
    combine: Float64[np.ndarray, "ratios names"]

    @classmethod
    def means(
        cls, names: tuple[str, ...], values: Float64[np.ndarray, "units names"]
    ) -> "UnitSums":
        """Describe plain means over the units."""
        return cls(names, values, np.ones_like(values), np.eye(len(names)))

    @classmethod
    def grouped(
        cls, names: tuple[str, ...], values: Float64[np.ndarray, "rows names"], group: list[str]
    ) -> "UnitSums":
        """Describe means over rows; the rows of a group are one unit."""
        keys, unit = np.unique(np.array(group), return_inverse=True)
        numerators = np.zeros((len(keys), len(names)))
        np.add.at(numerators, unit, values)
        count = np.bincount(unit, minlength=len(keys)).astype(np.float64)
        denominators = np.repeat(count[:, None], len(names), axis=1)
        return cls(names, numerators, denominators, np.eye(len(names)))

    def numbers(self) -> Float64[np.ndarray, " names"]:
        """Compute the numbers, each unit counted once."""
        found: Float64[np.ndarray, " names"] = (
            self.numerators.sum(axis=0) / self.denominators.sum(axis=0)
        ) @ self.combine
        return found


@dataclass(frozen=True)
class Difference:
    """Model B minus model A on the same units."""

    value: float
    interval: Interval | None
    """95 % of the paired bootstrap; None for a single unit."""
    p: float
    """Two-sided p-value (0-1]: share of sign patterns with a difference at least as large."""


def intervals(
    sums: UnitSums, resamples: int = RESAMPLES, seed: int = 0, level: float = 0.95
) -> dict[str, Interval | None]:
    """Compute the percentile bootstrap interval of each number; None if there is one unit only.

    Args:
        sums: contributions of the units.
        resamples: number of resamples, each of as many units as there are, with replacement.
        seed: same seed, same interval.
        level: share of the resamples inside, 0-1.
    """
    if len(sums.numerators) < 2:
        return dict.fromkeys(sums.names)
    drawn = _drawn(sums, resamples, seed)
    return dict(zip(sums.names, _percentiles(drawn, level), strict=True))


def paired(
    a: UnitSums, b: UnitSums, resamples: int = RESAMPLES, seed: int = 0, level: float = 0.95
) -> dict[str, Difference]:
    """Compute the differences b - a, with the same resamples for both models.

    The null hypothesis of p is that the two models are exchangeable in every unit: the sign of
    each unit's difference is flipped at random (all patterns for few units).

    Args:
        a: first model.
        b: second model, on the same units in the same order.
        resamples: number of resamples for the interval.
        seed: of resamples and sign flips.
        level: share of the resamples inside the interval, 0-1.

    Raises:
        ValueError: the units of the two models differ.
    """
    if a.names != b.names or not np.array_equal(a.denominators, b.denominators):
        raise ValueError("the two models were not measured on the same units")
    each = ((b.numerators - a.numerators) / a.denominators.sum(axis=0)) @ a.combine
    value, p = each.sum(axis=0), _sign_flip(each, seed)
    ends: list[Interval | None] = [None] * len(a.names)
    if len(a.numerators) > 1:
        drawn = _drawn(b, resamples, seed) - _drawn(a, resamples, seed)
        ends = [*_percentiles(drawn, level)]
    return {
        name: Difference(float(value[j]), ends[j], float(p[j])) for j, name in enumerate(a.names)
    }


def _drawn(sums: UnitSums, resamples: int, seed: int) -> Float64[np.ndarray, "resamples names"]:
    parts = [
        ((count @ sums.numerators) / (count @ sums.denominators)) @ sums.combine
        for count in _counts(len(sums.numerators), resamples, seed)
    ]
    return np.concatenate(parts)


def _counts(units: int, resamples: int, seed: int) -> Iterator[Float64[np.ndarray, "some units"]]:
    """Yield how often each unit is drawn, in blocks of resamples."""
    rng = np.random.default_rng((seed, 1))
    block = max(1, _BLOCK_COUNTS // units)
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
    # rounding must not make a flipped sum that is equal look smaller
    reached = np.abs(each.sum(axis=0)) * (1 - 1e-9) - 1e-15
    if units <= _EXACT_UNITS:
        signs = 1.0 - 2.0 * (np.arange(1 << units)[:, None] >> np.arange(units) & 1)
        share: Float64[np.ndarray, " names"] = (np.abs(signs @ each) >= reached).mean(axis=0)
        return share
    rng = np.random.default_rng((seed, 2))
    count, block = np.ones(each.shape[1]), max(1, _BLOCK_COUNTS // units)
    for start in range(0, FLIPS, block):
        rows = min(block, FLIPS - start)
        signs = 1.0 - 2.0 * rng.integers(0, 2, (rows, units), dtype=np.int8)
        count += (np.abs(signs @ each) >= reached).sum(axis=0)
    return count / (FLIPS + 1)
