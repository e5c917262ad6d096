"""How high the best of many unrelated cosines comes: the bar a scene's best window has to pass.

The best of n windows of a scene a sentence has nothing to do with grows with n, so a bar that one
unrelated pair in a hundred passes is passed in nearly every scene. For independent windows the
best stays below x with probability F(x)^n (Coles, An Introduction to Statistical Modeling of
Extreme Values, 2001, eq. 3.2). Setting that to 1 - a gives the bar

    x = F^-1((1 - a)^(1/n)).

Windows overlap, hence they depend on each other; for positively dependent normal scores the best
of them comes no higher than that of independent ones (Sidak 1967; Slepian 1962), so a is an upper
bound. It is a tight one: neighbours of a half-stride lattice share half their pixels, and on white
noise 400 such windows behave like 350 independent ones, 3,600 like 3,500.
"""

import math
from statistics import NormalDist

from terraseek.encoders.calibration import Calibration
from terraseek.errors import ConfigError

__all__ = ["FALSE_ALARMS", "best_of_bar", "z_of_best"]

FALSE_ALARMS = 0.005
"""Share of scenes without the thing asked for whose best window passes the bar, at most.

The bound is one for scenes like the images of the card. Scenes of one place hold more that is
nearly what was asked for: with the shipped model 0.005 finds 42 % of what is there at 5 % of
alarms, 0.05 finds 67 % at 27 %, see docs/localization.md."""
_TAIL_PERCENT = 95.0
"""The slope beyond the highest measured quantile is taken from here on."""

_NORMAL = NormalDist()


def z_of_best(count: int, alarms: float = FALSE_ALARMS) -> float:
    """Standard normal value that the best of `count` independent draws passes in `alarms` cases.

    Raises:
        ConfigError: the count is below 1 or the share is not between 0 and 1.
    """
    if count < 1:
        raise ConfigError(f"the best of {count} windows does not exist; give at least 1")
    if not 0 < alarms < 1:
        raise ConfigError(f"share of false alarms {alarms:g} must lie between 0 and 1")
    # 1 - (1 - a)^(1/n) without cancellation: for a million windows it is 5e-8
    return -_NORMAL.inv_cdf(-math.expm1(math.log1p(-alarms) / count))


def best_of_bar(known: Calibration, count: int, alarms: float = FALSE_ALARMS) -> float:
    """Cosine that the best of `count` unrelated windows passes in at most `alarms` of scenes.

    Measured quantiles are laid against normal ones (a Q-Q line): straight between neighbours, and
    beyond the highest with the slope of the tail, since no card holds enough pairs to measure one
    in a hundred thousand. A calibration without a measured tail is taken as normal.

    Args:
        known: cosines of unrelated pairs, from the model card.
        count: windows that were compared.
        alarms: share of scenes, 0-1.

    Raises:
        ConfigError: the count is below 1 or the share is not between 0 and 1.
    """
    z = z_of_best(count, alarms)
    points = [
        (_NORMAL.inv_cdf(percent / 100), cosine)
        for percent, cosine in zip(known.percents, known.cosines, strict=True)
        if 0 < percent < 100
    ]
    tail = [point for point in points if point[0] >= _NORMAL.inv_cdf(_TAIL_PERCENT / 100) - 1e-9]
    if len(tail) < 2:
        return known.mean + z * known.std
    if z <= points[-1][0]:
        return _between(points, z)
    (z0, low), (z1, high) = tail[0], tail[-1]
    return high + (z - z1) * max(0.0, (high - low) / (z1 - z0))


def _between(points: list[tuple[float, float]], z: float) -> float:
    import numpy as np

    return float(np.interp(z, [point[0] for point in points], [point[1] for point in points]))
