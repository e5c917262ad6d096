"""Statistics of a review log: work done, scores, agreement of raters."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from terraseek.review.agreement import gwet_ac2, krippendorff_alpha, quadratic_kappa
from terraseek.review.criteria import CRITERIA, MAX_SCORE, MIN_SCORE
from terraseek.review.log import ReviewLog
from terraseek.review.records import Review

__all__ = ["review_stats", "score_table"]

_DECIMALS = 4


def score_table(reviews: Sequence[Review], key: str) -> Float[np.ndarray, "raters items"]:
    """Scores of one criterion as a table raters x items, NaN where a rater gave none.

    Args:
        reviews: current records, one per (item, rater).
        key: key of the criterion.
    """
    raters = {name: row for row, name in enumerate(dict.fromkeys(r.rater for r in reviews))}
    items = {name: row for row, name in enumerate(dict.fromkeys(r.item_id for r in reviews))}
    table = np.full((len(raters), len(items)), np.nan)
    for review in reviews:
        if key in review.scores:
            table[raters[review.rater], items[review.item_id]] = review.scores[key]
    return table


def review_stats(log: ReviewLog, item_ids: Collection[str] | None = None) -> dict[str, Any]:
    """Counts, means, standard deviations and agreement as one JSON object; null if undefined.

    Args:
        log: the review log.
        item_ids: items of the catalogue; records of other items, such as imported ratings of
            images it does not have, are only counted under `not_in_catalogue`. None: all count.
    """
    everything = log.current()
    known = None if item_ids is None else set(item_ids)
    current = [r for r in everything if known is None or r.item_id in known]
    return {
        "not_in_catalogue": len(everything) - len(current),
        "events": len(log.events()),
        "items": len({r.item_id for r in current}),
        "reviews": len(current),
        "actions": dict(Counter(r.action for r in current)),
        "flags": dict(Counter(code for r in current for code in r.flags)),
        "raters": [_rater_stats(name, current) for name in dict.fromkeys(r.rater for r in current)],
        "criteria": {c.key: _criterion_stats(current, c.key) for c in CRITERIA},
    }


def _rater_stats(name: str, current: Sequence[Review]) -> dict[str, Any]:
    reviews = [r for r in current if r.rater == name]
    seconds = [r.seconds for r in reviews if r.seconds is not None]
    return {
        "rater": name,
        "items": len(reviews),
        "actions": dict(Counter(r.action for r in reviews)),
        "median_seconds": _rounded(float(np.median(seconds))) if seconds else None,
        "means": {c.key: _score_stats(reviews, c.key)["mean"] for c in CRITERIA},
    }


def _criterion_stats(current: Sequence[Review], key: str) -> dict[str, Any]:
    table = score_table(current, key)
    return {
        **_score_stats(current, key),
        "items_with_two_raters": int(((~np.isnan(table)).sum(axis=0) >= 2).sum()),
        "krippendorff_alpha_ordinal": _rounded(krippendorff_alpha(table)),
        "quadratic_kappa": _rounded(quadratic_kappa(table)),
        "gwet_ac2": _rounded(gwet_ac2(table)),
    }


def _score_stats(reviews: Sequence[Review], key: str) -> dict[str, Any]:
    scores = np.array([r.scores[key] for r in reviews if key in r.scores], float)
    levels = range(MIN_SCORE, MAX_SCORE + 1)
    return {
        "scores": len(scores),
        "mean": _rounded(float(scores.mean())) if len(scores) else None,
        "std": _rounded(float(scores.std())) if len(scores) else None,
        "levels": {str(level): int((scores == level).sum()) for level in levels},
    }


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(value, _DECIMALS)
