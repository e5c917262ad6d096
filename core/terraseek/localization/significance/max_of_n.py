"""Significance threshold of the maximum of many cosines of unrelated windows.

The maximum over n windows of a scene that has nothing to do with a sentence grows with n, so a
threshold that one unrelated pair in a hundred exceeds is exceeded in nearly every scene. For
independent windows the maximum stays below x with probability F(x)^n (Coles, An Introduction to
Statistical Modeling of Extreme Values, 2001, eq. 3.2). Setting that to 1 - a gives the threshold

    x = F^-1((1 - a)^(1/n)).

Windows overlap, hence they depend on each other; for positively dependent normal scores the maximum
is stochastically no larger than that of independent ones (Sidak 1967; Slepian 1962), so a is an
upper bound. It is tight: neighbours of a half-stride lattice share half their pixels, and on white
noise 400 such windows behave like 350 independent ones, 3,600 like 3,500.
"""

import math
from statistics import NormalDist

from terraseek.encoders.calibration import Calibration
from terraseek.errors import ConfigError

__all__ = ["FALSE_POSITIVE_RATE", "significance_threshold", "z_of_max"]

FALSE_POSITIVE_RATE = 0.005
"""Upper bound of the fraction of scenes without the object whose best window is significant.

The bound holds for scenes like the images of the model card. Scenes of one place hold more that
resembles the query: with the shipped model 0.005 finds 42 % of the objects present at a false
positive rate of 5 %, and 0.05 finds 67 % at 27 %, see docs/localization.md."""
_TAIL_PERCENT = 95.0
"""Quantiles from this percentage on give the slope beyond the highest measured quantile."""

_NORMAL = NormalDist()


def z_of_max(count: int, false_positive_rate: float = FALSE_POSITIVE_RATE) -> float:
    """Standard normal value that the maximum of `count` independent draws exceeds at this rate.

    Args:
        count: number of draws, at least 1.
        false_positive_rate: probability that the maximum exceeds the value, between 0 and 1.

    Raises:
        ConfigError: the count is below 1 or the rate is not between 0 and 1.
    """
    if count < 1:
        raise ConfigError(f"the best of {count} windows does not exist; give at least 1")
    if not 0 < false_positive_rate < 1:
        raise ConfigError(f"false positive rate {false_positive_rate:g} must lie between 0 and 1")
    # 1 - (1 - a)^(1/n) without cancellation: for a million windows it is 5e-8
    return -_NORMAL.inv_cdf(-math.expm1(math.log1p(-false_positive_rate) / count))


def significance_threshold(
    calibration: Calibration, count: int, false_positive_rate: float = FALSE_POSITIVE_RATE
) -> float:
    """Cosine that the best of `count` unrelated windows exceeds in at most this rate of scenes.

    The measured quantiles are plotted against normal ones (a Q-Q line): linear between neighbours,
    and with the slope of the tail beyond the highest, since no card holds enough pairs to measure
    one in a hundred thousand. Without a measured tail a normal distribution is assumed.

    Args:
        calibration: cosines of unrelated pairs, from the model card.
        count: number of windows compared, at least 1.
        false_positive_rate: fraction of scenes, between 0 and 1.

    Raises:
        ConfigError: the count is below 1 or the rate is not between 0 and 1.
    """
    z = z_of_max(count, false_positive_rate)
    points = [
        (_NORMAL.inv_cdf(percent / 100), cosine)
        for percent, cosine in zip(calibration.percents, calibration.cosines, strict=True)
        if 0 < percent < 100
    ]
    tail = [point for point in points if point[0] >= _NORMAL.inv_cdf(_TAIL_PERCENT / 100) - 1e-9]
    if len(tail) < 2:
        return calibration.mean + z * calibration.std
    if z <= points[-1][0]:
        return _interpolate(points, z)
    (z0, low), (z1, high) = tail[0], tail[-1]
    return high + (z - z1) * max(0.0, (high - low) / (z1 - z0))


def _interpolate(points: list[tuple[float, float]], z: float) -> float:
    import numpy as np

    return float(np.interp(z, [point[0] for point in points], [point[1] for point in points]))
