"""What a map's scores are worth: against unrelated pictures, and against what the model saw."""

from dataclasses import dataclass

from terraseek.encoders.base import Encoder
from terraseek.encoders.registry import ModelCard, get_card
from terraseek.errors import UnknownModelError
from terraseek.localization.best_of import best_of_bar
from terraseek.localization.lattice import Lattice
from terraseek.scenes import Scene
from terraseek.search.calibration import Calibration

__all__ = ["DENSE_SCORE", "Judgement", "card_of", "dense_warnings", "gsd_warnings", "judge"]

DENSE_SCORE = "localization: dense and windows"
"""Entry of a card's scores: `dense` and `windows`, mean ROC-AUC of pixels on the same scenes."""
_SMALLEST_SHARE = 1e-3
"""Wordings that cancel each other ask nothing that could be judged."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """How far a score stands out; None where the model has no calibration."""

    confidence: float | None = None
    """Share (0-1) of unrelated picture-sentence pairs with a lower cosine."""
    convincing: bool | None = None
    """Whether the best window is better than the best of as many unrelated ones would be."""
    bar: float | None = None
    """Cosine from which it is; see `best_of`."""


def card_of(encoder: Encoder) -> ModelCard | None:
    """The encoder's model card; the fake one has none."""
    try:
        return get_card(encoder.name)
    except UnknownModelError:
        return None


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
    if card.calibration.get("mean") is None or card.calibration.get("std") is None:
        return Judgement()
    known = Calibration.read(card.calibration)
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


def dense_warnings(card: ModelCard | None) -> list[str]:
    """Say so where method dense was not compared with windows, or is not as good."""
    if card is None:
        return []
    measured = card.scores.get(DENSE_SCORE)
    if measured is None:
        return [
            f"method dense was not compared with single windows for {card.name}; "
            "`terraseek evaluate localization-study --card` does"
        ]
    dense, windows = float(measured["dense"]), float(measured["windows"])
    if dense >= windows:
        return []
    return [
        f"for {card.name} method dense is faster than method terraseek and less exact "
        f"(pixel ROC-AUC {dense:.3f} against {windows:.3f})"
    ]
