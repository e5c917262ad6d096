"""Scores as text: calibrated against unrelated images where the model card allows it."""

from collections.abc import Sequence
from dataclasses import dataclass

from terraseek.search import Hit
from terraseek.significance.model import Level

__all__ = ["ScoreText", "score_texts"]


@dataclass(frozen=True, slots=True)
class ScoreText:
    """One score for display."""

    short: str
    """For the corner of an image, such as `0.31`."""
    sentence: str
    """For the item's card."""
    bar_length: float
    """Length of the score bar, 0 to 1."""
    level: Level | None = None
    """Its significance; None where that is unknown."""


def score_texts(hits: Sequence[Hit]) -> list[ScoreText]:
    """Texts of the scores of hits, in their order.

    The text gives the probability that a hit is right where it is known, else its cosine. The bar
    shows the score between the lowest and the best of the hits.
    """
    scores = [hit.score for hit in hits]
    low, high = (min(scores), max(scores)) if scores else (0.0, 0.0)
    span = max(high - low, 1e-6)
    return [_score_text(hit, 0.25 + 0.75 * (hit.score - low) / span) for hit in hits]


def _score_text(hit: Hit, bar_length: float) -> ScoreText:
    short, cosine = f"{hit.score:.2f}", f"similarity {hit.score:.3f}"
    if hit.matched_by is not None:
        short, cosine = f"{short} by {hit.matched_by}", f"{cosine}, most by its {hit.matched_by}"
    if hit.probability is not None:
        sentence = f"right with a probability of {100 * hit.probability:.0f} % ({cosine})"
    elif hit.percentile is None:
        sentence = f"{cosine}{_margin_text(hit)}"
    else:
        share = f"{min(hit.percentile, 99.9):.1f} %"
        sentence = f"closer than {share} of unrelated pictures ({cosine})"
    return ScoreText(short, sentence, bar_length, hit.significance)


def _margin_text(hit: Hit) -> str:
    if hit.margin is None:
        return " (cosine; higher is closer)"
    return f" ({hit.margin:.1f} standard deviations above the catalogue's mean)"
