"""Is method dense offered with a model? Only where it was measured to be no worse than windows."""

from terraseek.encoders.cards import ModelCard
from terraseek.errors import ConfigError

__all__ = ["DENSE_SCORE", "check_dense", "reason_against_dense"]

DENSE_SCORE = "localization: dense and windows"
"""Entry in the scores of a model card: means over the same sentences on scenes with known truth,
each as `{"roc_auc", "average_precision"}` of pixels, under `dense` and `windows`."""
_MEASURES = {"roc_auc": "ROC-AUC", "average_precision": "AP"}


def reason_against_dense(card: ModelCard | None) -> str | None:
    """Why method dense is not offered with a model; None where it is.

    An encoder without a card, made by the caller, is not restricted.

    Raises:
        ConfigError: the card's entry holds no measures.
    """
    if card is None:
        return None
    measured = card.scores.get(DENSE_SCORE)
    if measured is None:
        return (
            f"method dense was not compared with single windows for {card.name} "
            "(`terraseek evaluate localization-study --card` does)"
        )
    try:
        pairs = {
            title: (float(measured["dense"][key]), float(measured["windows"][key]))
            for key, title in _MEASURES.items()
        }
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"the card of {card.name} cannot be used: {DENSE_SCORE!r} must hold roc_auc and "
            f"average_precision of dense and of windows ({type(error).__name__}: {error})"
        ) from error
    worse = [
        f"{title} {dense:.3f} against {windows:.3f}"
        for title, (dense, windows) in pairs.items()
        if dense < windows
    ]
    if not worse:
        return None
    return f"method dense is less exact than single windows for {card.name} ({', '.join(worse)})"


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
