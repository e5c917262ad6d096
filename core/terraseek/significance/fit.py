"""Fit a significance model to queries whose truth is known.

Logistic regression with a small ridge penalty and weights that are at least 0, because more
evidence never makes a query less likely. The thresholds are split conformal (Angelopoulos and
Bates, A Gentle Introduction to Conformal Prediction, 2023, section 1): of n queries without a right
image, the level holds back all but the share a, with the quantile ceil((n + 1)(1 - a)) / n, so that
a further one exceeds it with a probability of at most a if it is like the others.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from terraseek.errors import ConfigError
from terraseek.significance.evidence import Evidence
from terraseek.significance.model import SignificanceModel

__all__ = [
    "LIKELY_RATE",
    "POSSIBLE_RATE",
    "KnownQuery",
    "conformal_threshold",
    "fit_model",
    "logistic",
]

LIKELY_RATE = 0.05
"""Share of queries without any right image that may be likely."""
POSSIBLE_RATE = 0.2
"""Share of queries without any right image that may be possible or likely."""
_KIND_WEIGHTS = {"present": 0.5, "absent": 0.3}
_OTHER_WEIGHT = 0.07
"""Weight of each further kind of negatives; absent things are what people meet most."""
_RIDGE = 1e-2


@dataclass(frozen=True, eq=False)
class KnownQuery:
    """The evidence of a query and its truth."""

    evidence: Evidence
    kind: str
    """`present`, or a kind of queries without any right image."""
    right: Float64[np.ndarray, " k"]
    """Whether each hit is right: 1, 0, or NaN where that is unknown."""
    readable: bool = True
    """Whether the encoder can read the sentence; others are not fitted, as they are none anyway."""


def fit_model(queries: Sequence[KnownQuery]) -> SignificanceModel:
    """Fit weights and thresholds.

    Raises:
        ConfigError: there are too few queries with, or without, right images.
    """
    used = [query for query in queries if query.readable]
    present = np.array([query.kind == "present" for query in used], bool)
    if min(present.sum(), (~present).sum()) < 10:
        raise ConfigError(
            f"{present.sum()} queries with right images and {(~present).sum()} without are too few "
            "to fit significance; give at least 10 of each, from images of more classes"
        )
    features = np.array([_features(query.evidence) for query in used])
    coefficients = logistic(
        features, present.astype(np.float64), _weights([query.kind for query in used])
    )
    scores = coefficients[0] + features @ coefficients[1:]
    # sentences that cannot be read have no significance, so they count as below any threshold
    n_unreadable = sum(not query.readable and query.kind != "present" for query in queries)
    negatives = np.concatenate([scores[~present], np.full(n_unreadable, -np.inf)])
    hit = _fit_hits(used, scores)
    return SignificanceModel(
        intercept=float(coefficients[0]),
        fit=float(coefficients[1]),
        agreement=float(coefficients[2]),
        wording=float(coefficients[3]),
        likely_from=conformal_threshold(negatives, LIKELY_RATE),
        possible_from=conformal_threshold(negatives, POSSIBLE_RATE),
        hit_intercept=float(hit[0]),
        hit_query=float(hit[1]),
        hit_fit=float(hit[2]),
        hit_agreement=float(hit[3]),
    )


def conformal_threshold(negatives: Float64[np.ndarray, " n"], rate: float) -> float:
    """Value that a further negative exceeds with at most this probability.

    Args:
        negatives: scores of queries without any right image.
        rate: between 0 and 1.

    Raises:
        ConfigError: there are too few negatives for this rate.
    """
    rank = math.ceil((len(negatives) + 1) * (1 - rate))
    if rank > len(negatives):
        raise ConfigError(
            f"{len(negatives)} queries without right images are too few for a rate of {rate:g}; "
            f"{math.ceil(1 / rate)} are needed"
        )
    return float(np.nextafter(np.sort(negatives)[rank - 1], np.inf))


def _features(found: Evidence) -> tuple[float, float, float]:
    return found.fit, found.agreement, found.wording


def _weights(kinds: Sequence[str]) -> Float64[np.ndarray, " n"]:
    names = np.array(kinds)
    weights = np.zeros(len(names))
    for kind in set(kinds):
        at = names == kind
        weights[at] = _KIND_WEIGHTS.get(kind, _OTHER_WEIGHT) / at.sum()
    return weights


def _fit_hits(
    queries: Sequence[KnownQuery], scores: Float64[np.ndarray, " n"]
) -> Float64[np.ndarray, " 4"]:
    """Weights of the hits' model; every query counts the same.

    Where no hit of a present query is known to be right or wrong, a hit is as probable as its
    query.
    """
    if not any(q.kind == "present" and np.isfinite(q.right).any() for q in queries):
        return np.array([0.0, 1.0, 0.0, 0.0])
    rows, right, weights = [], [], []
    for query, score in zip(queries, scores, strict=True):
        found = query.evidence
        known = np.isfinite(query.right)
        if not known.any():
            continue
        columns = (
            np.full(len(known), score),
            found.hit_fit - found.fit,
            found.hit_agreement - found.agreement,
        )
        rows.append(np.stack(columns, axis=1)[known])
        right.append(query.right[known])
        share = 0.5 if query.kind == "present" else 0.3 if query.kind == "absent" else 0.1
        weights.append(np.full(int(known.sum()), share / known.sum()))
    total = np.concatenate(weights)
    return logistic(np.concatenate(rows), np.concatenate(right), total / total.sum())


def logistic(
    features: Float64[np.ndarray, "n d"],
    truth: Float64[np.ndarray, " n"],
    weights: Float64[np.ndarray, " n"],
) -> Float64[np.ndarray, " e"]:
    """Fit a logistic model: intercept and weights of at least 0 for features that are not scaled.

    Args:
        features: one row per example.
        truth: 0 or 1.
        weights: of the examples, with sum 1.
    """
    from scipy.optimize import minimize

    mean, std = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-6)
    scaled = (features - mean) / std

    def loss(values: Float64[np.ndarray, " e"]) -> tuple[float, Float64[np.ndarray, " e"]]:
        odds = values[0] + scaled @ values[1:]
        residual = weights * (1 / (1 + np.exp(-odds)) - truth)
        cost = float((weights * (np.logaddexp(0, odds) - truth * odds)).sum())
        penalty = _RIDGE * values[1:]
        gradient = np.concatenate([[residual.sum()], scaled.T @ residual + 2 * penalty])
        return cost + float(penalty @ values[1:]), gradient

    n_features = features.shape[1]
    bounds: list[tuple[float | None, float | None]] = [(None, None), *[(0.0, None)] * n_features]
    found = minimize(loss, np.zeros(n_features + 1), jac=True, method="L-BFGS-B", bounds=bounds).x
    slopes: Float64[np.ndarray, " d"] = found[1:] / std
    return np.concatenate([[found[0] - slopes @ mean], slopes])
