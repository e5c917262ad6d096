"""Is method dense offered with a model? Only where it was measured to be no worse than windows."""

from terraseek.encoders.cards import ModelCard
from terraseek.errors import ConfigError

__all__ = ["DENSE_SCORE", "check_dense", "dense_offered", "why_not_dense"]

DENSE_SCORE = "localization: dense and windows"
"""Entry of a card's scores: means over the same sentences on scenes with known truth, each as
`{"roc_auc", "average_precision"}` of pixels, under `dense` and `windows`."""
_MEASURES = {"roc_auc": "ROC-AUC", "average_precision": "AP"}


def why_not_dense(card: ModelCard | None) -> str | None:
    """Why method dense is not offered with a model; None where it is.

    An encoder without a card was made by whoever asks, who is not held up.

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
            words: (float(measured["dense"][key]), float(measured["windows"][key]))
            for key, words in _MEASURES.items()
        }
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"the card of {card.name} cannot be used: {DENSE_SCORE!r} must hold roc_auc and "
            f"average_precision of dense and of windows ({type(error).__name__}: {error})"
        ) from error
    worse = [
        f"{words} {dense:.3f} against {windows:.3f}"
        for words, (dense, windows) in pairs.items()
        if dense < windows
    ]
    if not worse:
        return None
    return f"method dense is less exact than single windows for {card.name} ({', '.join(worse)})"


def dense_offered(card: ModelCard | None) -> bool:
    """Whether a page should offer method dense with a model that has cells."""
    return why_not_dense(card) is None


def check_dense(card: ModelCard | None, even_so: bool) -> list[str]:
    """What to tell with a map of method dense.

    Args:
        card: of the model.
        even_so: whether dense is wanted where it is not offered.

    Raises:
        ConfigError: it is not offered and not wanted even so.
    """
    reason = why_not_dense(card)
    if reason is None:
        return []
    if not even_so:
        raise ConfigError(f"{reason}; take method terraseek, or ask for dense even so (--even-so)")
    return [reason]
