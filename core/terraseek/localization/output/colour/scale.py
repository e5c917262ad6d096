"""From scores to colours: by level, the same in every scene, or stretched to one scene."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float32, UInt8

from terraseek.localization.output.colour.palette import turbo
from terraseek.significance.scale import LevelScale

__all__ = ["LIKELY_AT", "POSSIBLE_AT", "ColourScale"]

POSSIBLE_AT, LIKELY_AT = 0.25, 0.5
"""Positions (0-1) on the ramp from which places are possible and likely, in every scene."""
_MAX_OPACITY = 0.65
"""Opacity of the strongest colours over a scene."""
_FAINT = 0.25
"""Part of that opacity just below `POSSIBLE_AT`: places without evidence are nearly invisible."""
_SOFT_EDGE = 10 / 255
"""Part of the ramp above `POSSIBLE_AT` over which colours become opaque."""
_MIN_GAP = 0.1
"""Least distance in log odds between the levels, for models whose levels coincide."""


@dataclass(frozen=True, slots=True)
class ColourScale:
    """Scores of both ends of the colour ramp."""

    low: float
    """Score at position 0."""
    high: float
    """Score at position 1."""
    by_level: bool = False
    """Whether places are possible from `POSSIBLE_AT` and likely from `LIKELY_AT`."""

    @classmethod
    def of_levels(cls, levels: LevelScale, best_score: float) -> "ColourScale":
        """The scale on which equal log odds have equal colours.

        Args:
            levels: level by score.
            best_score: score of the best place.
        """
        gap = max(levels.likely_from - levels.possible_from, _MIN_GAP)
        per_position = gap / (LIKELY_AT - POSSIBLE_AT)
        lowest = levels.possible_from - POSSIBLE_AT * per_position
        low, high = (
            best_score - levels.below_best(log_odds) for log_odds in (lowest, lowest + per_position)
        )
        return cls(low, high, by_level=True)

    @property
    def possible_from(self) -> float | None:
        """Score from which places are possible; None on a stretched scale."""
        return self.low + POSSIBLE_AT * (self.high - self.low) if self.by_level else None

    @property
    def likely_from(self) -> float | None:
        """Score from which places are likely; None on a stretched scale."""
        return self.low + LIKELY_AT * (self.high - self.low) if self.by_level else None

    @property
    def note(self) -> str:
        """What the colours mean, in a sentence."""
        if self.by_level:
            return "Colours show the level, the same in every scene."
        return "Colours are stretched to this scene; below its median they are transparent."

    def position(self, score: float) -> float:
        """Position (0-1) of a score on the ramp."""
        return min(max((score - self.low) / (self.high - self.low), 0.0), 1.0)

    def values(self, score: Float32[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w"]:
        """Scores as 0-255 from `low` to `high`; NaN is 0."""
        scaled = (score - self.low) * (255 / (self.high - self.low))
        return np.clip(np.nan_to_num(scaled, nan=0.0), 0, 255).round().astype(np.uint8)

    @property
    def table(self) -> UInt8[np.ndarray, "256 4"]:
        """RGB and opacity over a scene of the values 0-255."""
        return _table(self.by_level)

    @property
    def painted_table(self) -> UInt8[np.ndarray, "256 4"]:
        """`painted` of the values 0-255 where they are valid."""
        values = np.arange(256, dtype=np.uint8)[None]
        table: UInt8[np.ndarray, "256 4"] = self.painted(values, np.full_like(values, 255))[0]
        return table

    def painted(
        self, values: UInt8[np.ndarray, "h w"], alpha: UInt8[np.ndarray, "h w"]
    ) -> UInt8[np.ndarray, "h w 4"]:
        """An image of values without the scene below: by level faint without evidence, else opaque.

        Args:
            values: see `values`.
            alpha: 255 where valid, 0 elsewhere.
        """
        opacity = _strength(True)[values] if self.by_level else np.float32(1)
        return np.dstack([turbo(values), np.round(alpha * opacity).astype(np.uint8)])

    def image(self, score: Float32[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 4"]:
        """`painted` of scores; NaN is transparent."""
        valid = np.where(np.isfinite(score), np.uint8(255), np.uint8(0))
        return self.painted(self.values(score), valid)


@lru_cache(maxsize=2)
def _table(by_level: bool) -> UInt8[np.ndarray, "256 4"]:
    ramp = turbo(np.arange(256, dtype=np.uint8)[None])[0]
    opacity = np.round(255 * _MAX_OPACITY * _strength(by_level)).astype(np.uint8)
    table: UInt8[np.ndarray, "256 4"] = np.column_stack([ramp, opacity])
    table.flags.writeable = False
    return table


def _strength(by_level: bool) -> Float32[np.ndarray, " n"]:
    """Opacity (0-1) of the values 0-255; stretched it rises with the value."""
    position = np.arange(256, dtype=np.float32) / 255
    if not by_level:
        return position
    faint = _FAINT * position / POSSIBLE_AT
    strong = _FAINT + (1 - _FAINT) * np.clip((position - POSSIBLE_AT) / _SOFT_EDGE, 0, 1)
    return np.where(position < POSSIBLE_AT, faint, strong).astype(np.float32)
