"""Fitted levels of places in a model card."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from terraseek.encoders.cards import ModelCard
from terraseek.errors import OutputError
from terraseek.files import read_json, write_json
from terraseek.significance.model import KEY
from terraseek.significance.places import PLACE_KEY, PlaceModel

__all__ = ["without_places", "write_places"]


def without_places(card: ModelCard | None) -> ModelCard | None:
    """The same card without values for places: their levels are those of whole scenes."""
    values = card.calibration.get(KEY) if card is not None and card.calibration else None
    if card is None or not card.calibration or not isinstance(values, Mapping):
        return card
    kept = {name: value for name, value in values.items() if name != PLACE_KEY}
    return replace(card, calibration={**card.calibration, KEY: kept})


def write_places(card: Path, model: PlaceModel) -> None:
    """Write fitted values into the significance of a card.

    Raises:
        OutputError: the card cannot be read or written, or has no significance.
    """
    try:
        facts = read_json(card)
        facts["calibration"][KEY][PLACE_KEY] = model.to_json()
        write_json(card, facts)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(
            f"significance of places cannot be written into {card} ({error!r}); the card needs "
            "the significance of scenes first (`terraseek evaluate significance --card`)"
        ) from error
