"""Levels of the places of a scene: the probability that this place shows the thing.

The scene's own log odds say whether it is anywhere in the scene; many places of such a scene score
nearly as high and do not show it. Fitted by `terraseek evaluate localization-places --card` to
regions of annotated scenes.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from terraseek.encoders.cards import ModelCard
from terraseek.errors import ConfigError
from terraseek.significance.model import KEY
from terraseek.significance.scale import (
    LIKELY_PROBABILITY,
    POSSIBLE_PROBABILITY,
    Level,
    LevelScale,
)

__all__ = ["PLACE_KEY", "PlaceModel", "place_model_of"]

PLACE_KEY = "place"
"""Key of the fitted values beside those of searches and scenes."""
_BELOW = 1e-6


@dataclass(frozen=True, slots=True)
class PlaceModel:
    """Weights of a place's log odds."""

    intercept: float
    best: float
    """Weight of the log odds of the scene."""
    below: float
    """Weight of how far the place lies below the best place, in log odds of the scene; above 0."""

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "PlaceModel":
        """Read the values of a card.

        Raises:
            ConfigError: a value is missing or not a finite number, or `below` is not above 0.
        """
        try:
            found = cls(**{field.name: float(values[field.name]) for field in fields(cls)})
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                f"significance of places in the model card cannot be used: {error}; measure it "
                "again with `terraseek evaluate localization-places --card`"
            ) from error
        if not all(map(math.isfinite, asdict(found).values())) or found.below <= 0:
            raise ConfigError(
                "significance of places in the model card must be finite numbers, below above 0"
            )
        return found

    def to_json(self) -> dict[str, float]:
        """The values for a card, to four decimals."""
        return {name: round(value, 4) for name, value in asdict(self).items()}

    def scale(self, scene: LevelScale, level: Level) -> LevelScale:
        """Log odds of places by their score; no place has a higher level than the scene.

        Args:
            scene: log odds of the scene by the score of its best windows.
            level: of the scene.
        """
        likely_from, possible_from = map(_log_odds, (LIKELY_PROBABILITY, POSSIBLE_PROBABILITY))
        best = self.intercept + self.best * scene.best
        if level != "likely":
            best = min(best, (likely_from if level == "possible" else possible_from) - _BELOW)
        return LevelScale(best, self.below * scene.per_score, possible_from, likely_from)


def place_model_of(card: ModelCard | None) -> PlaceModel | None:
    """The values of a card; None if it has none.

    Raises:
        ConfigError: the values cannot be used.
    """
    values = card.calibration.get(KEY) if card is not None and card.calibration else None
    place = values.get(PLACE_KEY) if isinstance(values, Mapping) else None
    if place is None:
        return None
    if not isinstance(place, Mapping):
        raise ConfigError("significance of places in the model card must be named numbers")
    return PlaceModel.read(place)


def _log_odds(probability: float) -> float:
    return math.log(probability / (1 - probability))
