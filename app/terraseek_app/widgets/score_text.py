"""Scores a person can read: what a cosine of 0.27 is worth, if the model's card can tell."""

from collections.abc import Sequence
from dataclasses import dataclass

from terraseek.search import Hit

__all__ = ["SELDOM", "Reading", "beaten", "read_scores"]

SELDOM = 0.99
"""Share of unrelated pairs a best score beats from which "nothing" would say too much."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One score in words."""

    text: str
    """Short, for the corner of an image."""
    long: str
    """One sentence, for the card."""
    strength: float
    """Length of the bar, 0 to 1."""
    weak: bool
    """Whether it is no better than unrelated images; False where nothing is known."""


def read_scores(hits: Sequence[Hit]) -> list[Reading]:
    """Readings of hits, best first.

    A hit with a calibrated `percentile` (0-100, against unrelated images) is read by that; one
    without by its place between the weakest and the best score shown.
    """
    scores = [hit.score for hit in hits]
    low, high = (min(scores), max(scores)) if scores else (0.0, 0.0)
    span = max(high - low, 1e-6)
    return [_read(hit, 0.25 + 0.75 * (hit.score - low) / span) for hit in hits]


def beaten(share: float) -> str:
    """Share (0-1) of unrelated pairs below a score in words, never rounded up to all of them."""
    return "over 99.9 %" if share > 0.999 else f"{100 * share:.1f} %"


def _read(hit: Hit, relative: float) -> Reading:
    text, cosine = f"{hit.score:.2f}", f"similarity {hit.score:.3f}"
    if hit.matched_by is not None:
        text, cosine = f"{text} by {hit.matched_by}", f"{cosine}, most by its {hit.matched_by}"
    weak = hit.convincing is False
    if hit.percentile is None:
        return Reading(text, f"{cosine}{_margin(hit)}", relative, weak)
    share = f"{min(hit.percentile, 99.9):.1f} %"
    return Reading(text, f"closer than {share} of unrelated pictures ({cosine})", relative, weak)


def _margin(hit: Hit) -> str:
    if hit.margin is None:
        return " (cosine; higher is closer)"
    return f" ({hit.margin:.1f} standard deviations above the catalogue's mean)"
