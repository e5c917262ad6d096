"""Stretch of pixel values of any type to 8 bits, with one rule for the whole scene.

A stretch computed per window would make water as bright as concrete. So the percentiles are
computed once, over the valid pixels of a decimated read, and used for every window and tile.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Shaped, UInt8

__all__ = ["LOW_PERCENTILE", "NARROW_RANGE", "Stretch"]

LOW_PERCENTILE, HIGH_PERCENTILE = 2.0, 98.0
NARROW_RANGE = 24
"""8-bit scenes whose 0.1-99.9 percentile range is below this many levels are stretched too: a mask
of 0 and 1, or 4-bit data, would be almost black for people and encoders."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Linear rule per band; `low` and `high` are in the units of the file."""

    low: tuple[float, ...]
    """Value shown as 0, per band."""
    high: tuple[float, ...]
    """Value shown as 255, per band."""
    identity: bool = False
    """Whether 8-bit values are shown unchanged."""

    @classmethod
    def of(
        cls, values: Shaped[np.ndarray, "bands h w"], valid: Bool[np.ndarray, "h w"]
    ) -> "Stretch":
        """Compute the 2 to 98 percentile rule of valid pixels; 8-bit data is kept unless narrow."""
        sample = values[:, valid]
        if values.dtype == np.uint8:
            low, high = np.percentile(sample, (0.1, 99.9))
            if high - low >= NARROW_RANGE or high == low:
                return cls((0.0,) * len(values), (255.0,) * len(values), identity=True)
        lows, highs = np.percentile(
            sample.astype(np.float64), (LOW_PERCENTILE, HIGH_PERCENTILE), axis=1
        )
        for band in np.flatnonzero(highs <= lows):  # nearly constant bands use their full range
            lows[band], highs[band] = float(sample[band].min()), float(sample[band].max())
        return cls(tuple(lows.tolist()), tuple(highs.tolist()))

    def apply(self, values: Shaped[np.ndarray, "bands h w"]) -> UInt8[np.ndarray, "bands h w"]:
        """Convert to 8-bit values; NaN becomes 0, a constant band becomes 128."""
        if self.identity and values.dtype == np.uint8:
            return values
        low = np.array(self.low, np.float32)[:, None, None]
        span = np.array(self.high, np.float32)[:, None, None] - low
        flat = span <= 0
        with np.errstate(over="ignore", invalid="ignore"):  # nodata of -3.4e38
            scaled = (values.astype(np.float32) - low) * (255 / np.where(flat, 1, span))
        scaled = np.where(flat, np.float32(128), scaled)
        return np.clip(np.nan_to_num(scaled, nan=0.0), 0, 255).round().astype(np.uint8)
