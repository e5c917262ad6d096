"""Where feature cells may stand for windows: only where that was measured to be no worse."""

from terraseek.encoders.cards import ModelCard
from terraseek.errors import ConfigError

__all__ = ["DENSE_SCORE", "MIXED_SCORE", "check_dense", "is_mixed_as_good", "reason_against_dense"]

DENSE_SCORE = "localization: dense and windows"
"""Entry in the scores of a model card: means over the same sentences on scenes with known truth,
each as `{"roc_auc", "average_precision"}` of pixels, under `dense` and `windows`."""
MIXED_SCORE = "localization: terraseek and windows"
"""The same for method terraseek with cells for the smallest side, under `terraseek`."""
_MEASURES = {"roc_auc": "ROC-AUC", "average_precision": "AP"}


def reason_against_dense(card: ModelCard | None) -> str | None:
    """Why method dense is not offered with a model; None where it is.

    An encoder without a card, made by the caller, is not restricted.

    Raises:
        ConfigError: the card's entry holds no measures.
    """
    if card is None:
        return None
    if DENSE_SCORE not in card.scores:
        return (
            f"method dense was not compared with single windows for {card.name} "
            "(`terraseek evaluate localization-study --card` does)"
        )
    worse = _worse_measures(card, DENSE_SCORE, "dense")
    if not worse:
        return None
    return f"method dense is less exact than single windows for {card.name} ({', '.join(worse)})"


def is_mixed_as_good(card: ModelCard | None) -> bool:
    """Whether the card shows cells for the smallest side to be no worse than single windows.

    Raises:
        ConfigError: the card's entry holds no measures.
    """
    return (
        card is not None
        and MIXED_SCORE in card.scores
        and not _worse_measures(card, MIXED_SCORE, "terraseek")
    )


def _worse_measures(card: ModelCard, entry: str, method: str) -> list[str]:
    """Measures in which a method is worse than single windows, in words."""
    try:
        measured = card.scores[entry]
        pairs = {
            title: (float(measured[method][key]), float(measured["windows"][key]))
            for key, title in _MEASURES.items()
        }
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"the card of {card.name} cannot be used: {entry!r} must hold roc_auc and "
            f"average_precision of {method} and of windows ({type(error).__name__}: {error})"
        ) from error
    return [
        f"{title} {found:.3f} against {windows:.3f}"
        for title, (found, windows) in pairs.items()
        if found < windows
    ]


def check_dense(card: ModelCard | None, force: bool) -> list[str]:
    """Warnings to show with a heat map of method dense.

    Args:
        card: model card; None where there is none.
        force: whether to use dense although it is not offered.

    Raises:
        ConfigError: dense is not offered and `force` is not set.
    """
    reason = reason_against_dense(card)
    if reason is None:
        return []
    if not force:
        raise ConfigError(f"{reason}; take method terraseek, or force dense (--force)")
    return [reason]
