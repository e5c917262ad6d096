"""What a map's scores are worth: against unrelated images, and against what the model saw."""

from collections.abc import Sequence
from dataclasses import dataclass

from terraseek.encoders.calibration import Calibration
from terraseek.encoders.cards import ModelCard
from terraseek.encoders.vocabulary import unknown_words
from terraseek.localization.significance.max_of_n import best_of_bar
from terraseek.localization.windows.lattice import Lattice
from terraseek.scenes import Scene

__all__ = ["Judgement", "gsd_warnings", "judge", "unread_notes"]

_SMALLEST_SHARE = 1e-3
"""Wordings that cancel each other ask nothing that could be judged."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """How far a score stands out; None where the model has no calibration."""

    confidence: float | None = None
    """Share (0-1) of unrelated image-sentence pairs with a lower cosine."""
    convincing: bool | None = None
    """Whether the best window is better than the best of as many unrelated ones would be; never
    where most of the sentence is words the model has not read, which have no background."""
    bar: float | None = None
    """Cosine from which it is; see `best_of`."""


def judge(best: float, count: int, card: ModelCard | None, share: float = 1.0) -> Judgement:
    """Compare the best window's cosine with unrelated ones, from the model card.

    Args:
        best: highest cosine among the windows.
        count: windows that were compared.
        card: of the encoder; without one, or without background statistics, nothing is said.
        share: length (0-1] of the mean of several wordings' vectors. Their common direction has
            `1 / share` times the wordings' mean cosine, and the background is about single ones.

    Raises:
        ConfigError: the card's calibration holds values that are no statistics.
    """
    if card is None or not card.calibration or share < _SMALLEST_SHARE:
        return Judgement()
    known = Calibration.from_card(card.calibration)
    if known is None:
        return Judgement()
    cosine, bar = best * share, best_of_bar(known, count)
    return Judgement(known.percentile(cosine) / 100, cosine > bar, bar / share)


def gsd_warnings(scene: Scene, lattice: Lattice, side: int, card: ModelCard | None) -> list[str]:
    """Say so where a window, shrunk to `side` pixels, is coarser or finer than the model saw.

    A window of s pixels of g metres is seen as `side` pixels of s g / side metres.
    """
    if card is None or card.gsd_range_m is None or scene.gsd_m is None:
        return []
    low, high = card.gsd_range_m
    outside = []
    for scale in lattice.scales:
        seen = scale * scene.gsd_m / side
        if not low <= seen <= high:
            outside.append(f"{scale} px ({seen:.2g} m)")
    if not outside:
        return []
    return [
        f"windows of {', '.join(outside)} per pixel as {card.name} sees them lie outside the "
        f"{low:g} to {high:g} m it was trained on; expect less of them"
    ]


def unread_notes(sentences: Sequence[str], card: ModelCard | None) -> list[str]:
    """Say so where a sentence has words that no sentence the model was trained with had."""
    words = [] if card is None else unknown_words(sentences, card.calibration)
    if card is None or not words:
        return []
    named = ", ".join(f"{word!r}" for word in words)
    return [f"{card.name} never read {named} with a picture and cannot know what that looks like"]
