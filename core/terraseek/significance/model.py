"""From evidence to a level: likely, possible or none, with the probability of every hit.

Logistic models over the evidence, fitted by `terraseek evaluate significance` on sentences and
images whose truth is known. The thresholds of the levels control the share of sentences without any
right image that reach them, see `fit`.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64

from terraseek.encoders.calibration import Calibration
from terraseek.encoders.cards import ModelCard
from terraseek.errors import ConfigError
from terraseek.significance.evidence import Evidence
from terraseek.significance.scale import (
    LIKELY_PROBABILITY,
    POSSIBLE_PROBABILITY,
    Level,
    LevelScale,
)

__all__ = [
    "DEFAULTS",
    "KEY",
    "LEVELS",
    "Assessment",
    "Kind",
    "Level",
    "SignificanceModel",
    "is_likely",
    "model_of",
]

Kind = Literal["search", "scene"]
"""What is searched: the images of a catalogue, or the windows of a scene. The evidence is the same;
windows overlap, so that their agreement counts for less."""
LEVELS: tuple[Level, ...] = ("likely", "possible", "none")
"""From the most to the least certain."""
KEY = "significance"
"""Key of the fitted values in a card's calibration."""


def is_likely(level: Level | None) -> bool | None:
    """Whether a level is `likely`; None if it is unknown."""
    return None if level is None else level == "likely"


@dataclass(frozen=True, eq=False)
class Assessment:
    """What is known of the significance of a query and of its hits."""

    level: Level
    """Of the query: is anything of what it describes among the images?"""
    score: float
    """Log odds on which `level` was decided."""
    probabilities: Float64[np.ndarray, " k"]
    """Probability (0-1) of every hit to be what the query describes."""
    levels: tuple[Level, ...]
    """Of every hit; none is above that of the query."""
    scale: LevelScale | None = None
    """Level by score; None where the score has no influence on the level."""


@dataclass(frozen=True, slots=True)
class SignificanceModel:
    """Weights of the evidence and thresholds of the levels, in log odds."""

    intercept: float
    fit: float
    agreement: float
    wording: float
    likely_from: float
    """Log odds from which a query is likely."""
    possible_from: float
    """Log odds from which a query is possible."""
    hit_intercept: float
    hit_query: float
    """Weight of the query's log odds for a hit."""
    hit_fit: float
    """Weight of how much a hit fits better than the best images do on average."""
    hit_agreement: float
    """The same of its agreement with the best images."""

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "SignificanceModel":
        """Read the values of a card.

        Raises:
            ConfigError: a value is missing or not a finite number.
        """
        try:
            found = cls(**{field.name: float(values[field.name]) for field in fields(cls)})
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                f"significance in the model card's calibration cannot be used: {error}; "
                "measure it again with `terraseek models calibrate`"
            ) from error
        if not all(math.isfinite(value) for value in asdict(found).values()):
            raise ConfigError("significance in the model card's calibration must be finite numbers")
        return found

    def to_json(self) -> dict[str, float]:
        """The values for a card, to four decimals."""
        return {name: round(value, 4) for name, value in asdict(self).items()}

    def score(self, found: Evidence) -> float:
        """Log odds that the query describes something among the images."""
        return (
            self.intercept
            + self.fit * found.fit
            + self.agreement * found.agreement
            + self.wording * found.wording
        )

    def hit_scores(self, found: Evidence) -> Float64[np.ndarray, " k"]:
        """Log odds of every hit to be what the query describes."""
        scores: Float64[np.ndarray, " k"] = (
            self.hit_intercept
            + self.hit_query * self.score(found)
            + self.hit_fit * (found.hit_fit - found.fit)
            + self.hit_agreement * (found.hit_agreement - found.agreement)
        )
        return scores

    def level(self, score: float) -> Level:
        """Level of a query with these log odds."""
        return (
            "likely"
            if score >= self.likely_from
            else "possible"
            if score >= self.possible_from
            else "none"
        )

    def assess(self, found: Evidence, readable: bool = True) -> Assessment:
        """Level of a query and of its hits.

        Args:
            found: the evidence.
            readable: whether the encoder can read the sentence, see `readable`; a sentence that it
                cannot read has no significance.
        """
        score = self.score(found)
        level: Level = self.level(score) if readable else "none"
        probabilities = 1 / (1 + np.exp(-np.clip(self.hit_scores(found), -30, 30)))
        if not readable:
            probabilities = np.zeros_like(probabilities)
        by_hit = (
            "likely"
            if p >= LIKELY_PROBABILITY
            else "possible"
            if p >= POSSIBLE_PROBABILITY
            else "none"
            for p in probabilities
        )
        lowest = LEVELS.index(level)
        levels = tuple(LEVELS[max(lowest, LEVELS.index(one))] for one in by_hit)
        return Assessment(level, score, probabilities, levels, self._scale(found, score, readable))

    def _scale(self, found: Evidence, score: float, readable: bool) -> LevelScale | None:
        per_score = self.fit * found.fit_per_score
        if per_score <= 0:
            return None
        nothing = 2 * self.possible_from - self.likely_from
        best = score if readable else min(score, nothing)
        return LevelScale(best, per_score, self.possible_from, self.likely_from)


DEFAULTS: dict[Kind, SignificanceModel] = {
    "search": SignificanceModel(
        -4.437, 0.601, 1.241, 1.140, 0.925, -0.718, -1.277, 0.876, 0.217, 0.050
    ),
    "scene": SignificanceModel(-3.734, 1.067, 0.604, 0.582, 1.029, -0.101, 0.0, 1.0, 0.0, 0.0),
}
"""Fitted to terraseek-tiny. The evidence does not depend on the scale of an encoder's cosines, so
these values are also used for encoders with a background but no fitted values of their own."""


def model_of(card: ModelCard | None, kind: Kind) -> SignificanceModel | None:
    """The model of a card; None if the card has no background of unrelated pairs.

    Raises:
        ConfigError: the values of the card cannot be used.
    """
    if card is None or not card.calibration or Calibration.from_card(card.calibration) is None:
        return None
    values = card.calibration.get(KEY, {})
    if not isinstance(values, Mapping) or not isinstance(values.get(kind, {}), Mapping):
        raise ConfigError("significance in the model card's calibration must be named numbers")
    return SignificanceModel.read(values[kind]) if kind in values else DEFAULTS[kind]
