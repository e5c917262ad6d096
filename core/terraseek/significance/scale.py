"""From the scores of single places to levels: a line through the evidence of the best place."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["LIKELY_PROBABILITY", "POSSIBLE_PROBABILITY", "Level", "LevelScale"]

Level = Literal["likely", "possible", "none"]
LIKELY_PROBABILITY, POSSIBLE_PROBABILITY = 0.5, 0.2
"""Probability of a hit or of a place from which it is likely, and possible."""


@dataclass(frozen=True, slots=True)
class LevelScale:
    """Log odds of a place as a linear function of its score.

    The best place has the log odds on which the level of the whole query was decided. Another place
    has those that the query would have if its best images or windows only had the score of that
    place: agreement and wording stay, the fit falls with the score.
    """

    best: float
    """Log odds of the best place."""
    per_score: float
    """Log odds per unit of score, above 0."""
    possible_from: float
    """Log odds from which a place is possible."""
    likely_from: float
    """Log odds from which a place is likely."""

    def below_best(self, log_odds: float) -> float:
        """Difference in score between the best place and one with these log odds."""
        return (self.best - log_odds) / self.per_score

    def level(self, below_best: float) -> Level:
        """Level of a place whose score is lower than that of the best place by this much."""
        log_odds = self.best - self.per_score * below_best
        if log_odds >= self.likely_from:
            return "likely"
        return "possible" if log_odds >= self.possible_from else "none"
