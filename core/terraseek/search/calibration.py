"""What a cosine means: how it compares with sentences on pictures they have nothing to do with."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from terraseek.errors import ConfigError

__all__ = ["Calibration"]

_CONVINCING = 99.0


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
        z = (cosine - self.mean) / self.std
        normal = 50 * (1 + math.erf(z / math.sqrt(2)))
        if len(self.percents) < 3 or not self.cosines[0] <= cosine <= self.cosines[-1]:
            return round(normal, 3)
        return round(float(np.interp(cosine, self.cosines, self.percents)), 3)

    def convincing(self, cosine: float) -> bool:
        """Whether fewer than one unrelated pair in a hundred has such a cosine."""
        return self.percentile(cosine) >= _CONVINCING
