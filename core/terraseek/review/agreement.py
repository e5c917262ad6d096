"""Agreement of raters beyond chance, on ordinal scores with missing values.

Scores are a table raters x items with NaN where a rater gave no score. There are three coefficients
because most caption scores are high: Krippendorff's alpha and Cohen's weighted kappa approach 0
when nearly all scores are 5, even if the raters agree; Gwet's AC2 does not.
"""

from itertools import combinations

import numpy as np
from jaxtyping import Float

from terraseek.review.criteria import MAX_SCORE, MIN_SCORE

__all__ = ["gwet_ac2", "krippendorff_alpha", "quadratic_kappa", "quadratic_weights"]

_LEVELS = np.arange(MIN_SCORE, MAX_SCORE + 1)


def quadratic_weights(levels: int) -> Float[np.ndarray, "levels levels"]:
    """Weights of pairs of scores: 1 on the diagonal, falling with the squared difference to 0."""
    ranks = np.arange(levels)
    weights: Float[np.ndarray, "levels levels"] = (
        1 - (ranks[:, None] - ranks[None, :]) ** 2 / (levels - 1) ** 2
    )
    return weights


def krippendorff_alpha(scores: Float[np.ndarray, "raters items"]) -> float:
    """Krippendorff's alpha with ordinal distances.

    Krippendorff, Content Analysis (2018), chapter 12; 1 is perfect, 0 is chance. NaN if no item has
    two scores or all scores are equal, because agreement is then undefined.
    """
    import krippendorff

    paired = scores[:, (~np.isnan(scores)).sum(axis=0) >= 2]
    if len(np.unique(paired[~np.isnan(paired)])) < 2:
        return float("nan")
    return float(krippendorff.alpha(paired, level_of_measurement="ordinal", value_domain=_LEVELS))


def quadratic_kappa(scores: Float[np.ndarray, "raters items"]) -> float:
    """Cohen's kappa with quadratic weights, averaged over all pairs of raters with common items.

    Weighted kappa of Cohen, Psychological Bulletin 70 (1968); the weight of a pair is its number of
    common items. NaN if kappa is undefined for every pair.
    """
    values, n_common = [], []
    for one, other in combinations(scores, 2):
        both = ~np.isnan(one) & ~np.isnan(other)
        kappa = _pair_kappa(one[both], other[both])
        if not np.isnan(kappa):
            values.append(kappa)
            n_common.append(int(both.sum()))
    return float(np.average(values, weights=n_common)) if values else float("nan")


def _pair_kappa(one: Float[np.ndarray, " n"], other: Float[np.ndarray, " n"]) -> float:
    if len(one) == 0:
        return float("nan")
    squared = (one[:, None] - other[None, :]) ** 2
    expected = squared.mean()
    if expected == 0:
        return float("nan")
    return float(1 - np.diagonal(squared).mean() / expected)


def gwet_ac2(scores: Float[np.ndarray, "raters items"]) -> float:
    """Gwet's AC2 with quadratic weights over the five levels.

    Gwet, British Journal of Mathematical and Statistical Psychology 61 (2008), in the weighted form
    of the Handbook of Inter-Rater Reliability (4th ed., 2014): observed agreement over items with
    two or more scores, chance agreement from the mean frequency of each level over all scored
    items. NaN if no item has two scores.
    """
    return _gwet(scores, quadratic_weights(len(_LEVELS)))


def _gwet(
    scores: Float[np.ndarray, "raters items"], weights: Float[np.ndarray, "levels levels"]
) -> float:
    counts = np.stack([(scores == level).sum(axis=0) for level in _LEVELS], axis=1).astype(float)
    n_scores = counts.sum(axis=1)
    paired = n_scores >= 2
    if not paired.any():
        return float("nan")
    r, n = counts[paired], n_scores[paired]
    observed = ((r * (r @ weights.T - 1)).sum(axis=1) / (n * (n - 1))).mean()
    scored = n_scores > 0
    frequency = (counts[scored] / n_scores[scored, None]).mean(axis=0)
    levels = len(_LEVELS)
    chance = weights.sum() / (levels * (levels - 1)) * (frequency * (1 - frequency)).sum()
    return float((observed - chance) / (1 - chance))
