"""What a cosine means: how it compares with sentences on images they have nothing to do with."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from terraseek.errors import ConfigError

__all__ = ["Calibration"]


@dataclass(frozen=True)
class Calibration:
    """Distribution of the cosines of unrelated pairs, as a model card holds it."""

    mean: float
    """Of the cosines of unrelated pairs."""
    std: float
    """Their standard deviation."""
    percents: tuple[float, ...] = ()
    """Percentiles that were measured, rising; empty: a normal distribution is taken."""
    cosines: tuple[float, ...] = ()
    """The cosine at each of `percents`."""

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "Calibration":
        """Out of a model card: `mean`, `std` and optionally `quantiles`, share (0-1) to cosine.

        Raises:
            ConfigError: the values are no calibration.
        """
        try:
            quantiles = values.get("quantiles") or {}
            pairs = sorted((100 * float(q), float(c)) for q, c in dict(quantiles).items())
            found = cls(
                float(values["mean"]),
                float(values["std"]),
                tuple(p for p, _ in pairs),
                tuple(c for _, c in pairs),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"calibration of the model card cannot be used: {error}") from error
        if found.std <= 0:
            raise ConfigError(f"calibration std {found.std} of the model card must be above 0")
        return found

    def percentile(self, cosine: float) -> float:
        """Share in percent of unrelated pairs whose cosine is lower, 0 to 100."""
        return round(float(self.percentiles(np.array([cosine]))[0]), 3)

    def percentiles(self, cosines: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """The same of many; beyond what was measured a normal distribution is taken."""
        if len(self.percents) < 3:
            return self._normal(cosines)
        measured: Float64[np.ndarray, " n"] = np.interp(cosines, self.cosines, self.percents)
        beyond = (cosines < self.cosines[0]) | (cosines > self.cosines[-1])
        measured[beyond] = self._normal(cosines[beyond])
        return measured

    def _normal(self, cosines: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        scaled = (cosines - self.mean) / (self.std * math.sqrt(2))
        return np.array([50 * (1 + math.erf(z)) for z in scaled], np.float64)
