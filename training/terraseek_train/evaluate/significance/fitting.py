"""Fit the significance of an encoder on the choosing half, and write it into a card."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from terraseek.encoders.cards import ModelCard
from terraseek.errors import ConfigError
from terraseek.files import read_json, write_json
from terraseek.significance.fit import fit_model
from terraseek.significance.model import DEFAULTS, KEY, Kind, SignificanceModel, model_of

if TYPE_CHECKING:
    from terraseek_train.evaluate.significance.measure import Pair

__all__ = ["fitted_or_shipped", "write_fitted"]

_KINDS: tuple[Kind, ...] = ("search", "scene")


def fitted_or_shipped(
    pairs: Mapping[str, Sequence["Pair"]], card: ModelCard | None, refit: bool
) -> dict[Kind, SignificanceModel]:
    """Models by kind: fitted on the choosing half, or those of the card.

    Args:
        pairs: by kind.
        card: of the encoder; one without a background uses the defaults.
        refit: whether to fit.

    Raises:
        ConfigError: there are too few pairs to fit.
    """
    found: dict[Kind, SignificanceModel] = {}
    for kind in _KINDS:
        if kind not in pairs:
            continue
        if refit:
            found[kind] = fit_model([one.query for one in pairs[kind] if one.half == "choose"])
        else:
            found[kind] = model_of(card, kind) or DEFAULTS[kind]
    return found


def write_fitted(card: Path, models: Mapping[Kind, SignificanceModel]) -> None:
    """Write fitted values into the calibration of a card file; everything else stays.

    Raises:
        ConfigError: the card has no calibration.
    """
    values = read_json(card)
    if not values.get("calibration"):
        raise ConfigError(f"{card} has no calibration; run `terraseek models calibrate` first")
    kept = values["calibration"].get(KEY, {})
    values["calibration"][KEY] = kept | {kind: model.to_json() for kind, model in models.items()}
    write_json(card, values)
