"""Decide whether a heat map is significant: whether its best score is higher than chance explains.

This is the only place that decides it. The threshold comes from `max_of_n`, the cosines of
unrelated pairs from the calibration in the model card.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from terraseek.encoders.calibration import Calibration
from terraseek.encoders.cards import ModelCard
from terraseek.encoders.vocabulary import mostly_unknown
from terraseek.localization.significance.max_of_n import significance_threshold

__all__ = ["Significance", "assess", "assess_scores"]

_MIN_MEAN_LENGTH = 1e-3
"""Wordings whose vectors cancel each other have no direction that could be assessed."""


@dataclass(frozen=True, slots=True)
class Significance:
    """How far the best score of a heat map stands out; None where that is unknown."""

    confidence: float | None = None
    """Fraction (0-1) of unrelated image-sentence pairs with a lower cosine."""
    significant: bool | None = None
    """Whether the best window exceeds `threshold`. False, without a threshold, where most of the
    sentence is words the model never read, because these have no background distribution."""
    threshold: float | None = None
    """Cosine of the best window from which the map is significant; see `max_of_n`."""


def assess_scores(
    scores: Float32[np.ndarray, " n"],
    sentences: Sequence[str],
    mean_length: float | None,
    card: ModelCard | None,
) -> Significance:
    """Assess the window scores of one query.

    Args:
        scores: cosine of each window; NaN for windows that were not encoded.
        sentences: wordings of the query; none for an image.
        mean_length: see `assess`; None for an image, which cannot be assessed, because cosines
            between two images have another background distribution.
        card: model card of the encoder; None: unknown significance.

    Raises:
        ConfigError: the calibration of the card is invalid.
    """
    if mean_length is None:
        return Significance()
    if card is not None and mostly_unknown(sentences, card.calibration):
        return Significance(significant=False)
    n_encoded = int(np.isfinite(scores).sum())
    return assess(float(np.nanmax(scores)), n_encoded, card, mean_length)


def assess(
    best: float, count: int, card: ModelCard | None, mean_length: float = 1.0
) -> Significance:
    """Compare the highest cosine with those of unrelated pairs, from the model card.

    Args:
        best: highest cosine among the windows.
        count: number of windows compared.
        card: model card of the encoder; without one, or without calibration, all is unknown.
        mean_length: length (0-1] of the mean of the wordings' unit vectors. The unit vector in its
            direction has `1 / mean_length` times the wordings' mean cosine, and the background
            distribution is about single wordings.

    Raises:
        ConfigError: the calibration of the card is invalid.
    """
    if card is None or not card.calibration or mean_length < _MIN_MEAN_LENGTH:
        return Significance()
    calibration = Calibration.from_card(card.calibration)
    if calibration is None:
        return Significance()
    cosine, threshold = best * mean_length, significance_threshold(calibration, count)
    return Significance(
        confidence=calibration.percentile(cosine) / 100,
        significant=cosine > threshold,
        threshold=threshold / mean_length,
    )
