"""Calibration: how a cosine compares with those of unrelated image-text pairs."""

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
    """Distribution of the cosines of unrelated image-text pairs, as stored in a model card."""

    mean: float
    """Mean cosine."""
    std: float
    """Standard deviation of the cosines."""
    percents: tuple[float, ...] = ()
    """Measured percentiles (0-100), ascending; if empty, a normal distribution is assumed."""
    cosines: tuple[float, ...] = ()
    """Cosine at each of `percents`."""

    @classmethod
    def from_card(cls, values: Mapping[str, Any]) -> "Calibration | None":
        """Read the calibration of a model card; None if it lacks `mean` or `std`.

        Raises:
            ConfigError: see `read`.
        """
        if values.get("mean") is None or values.get("std") is None:
            return None
        return cls.read(values)

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> "Calibration":
        """Read `mean`, `std` and optionally `quantiles`, a mapping of quantile (0-1) to cosine.

        Raises:
            ConfigError: a value is missing or no number, or `std` is not above 0.
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
        """Return the percentage (0-100) of unrelated pairs with a lower cosine."""
        return round(float(self.percentiles(np.array([cosine]))[0]), 3)

    def percentiles(self, cosines: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """Return the percentile of each cosine.

        Outside the measured range a normal distribution is assumed.
        """
        if len(self.percents) < 3:
            return self._normal(cosines)
        measured: Float64[np.ndarray, " n"] = np.interp(cosines, self.cosines, self.percents)
        outside = (cosines < self.cosines[0]) | (cosines > self.cosines[-1])
        measured[outside] = self._normal(cosines[outside])
        return measured

    def _normal(self, cosines: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        scaled = (cosines - self.mean) / (self.std * math.sqrt(2))
        return np.array([50 * (1 + math.erf(z)) for z in scaled], np.float64)
