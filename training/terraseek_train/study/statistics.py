"""From cells to what a table says: means over seeds, their intervals, and paired tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from terraseek_train.evaluate.bootstrap import Interval, UnitSums, paired
from terraseek_train.evaluate.retrieval import Retrieved
from terraseek_train.study.config import StudyConfig

__all__ = ["ArmResult", "Cell", "Versus", "compare", "half_width", "holm"]

NUMBERS = ("i2t_r1", "i2t_r5", "i2t_r10", "t2i_r1", "t2i_r5", "t2i_r10", "mR")


@dataclass(frozen=True)
class Cell:
    """A measured cell."""

    metrics: Mapping[str, Any]
    found: Retrieved


@dataclass(frozen=True)
class Versus:
    """Difference in mR from another arm, in points."""

    other: str
    value: float
    interval: Interval | None
    """95 % of the paired bootstrap over pictures, mean of the seeds both have."""
    p_pictures: float
    """Sign-flip test over pictures, Holm-corrected over the study's comparisons."""
    p_seeds: float | None
    """Paired t-test over seeds, uncorrected; None with fewer than three seeds."""


@dataclass(frozen=True)
class ArmResult:
    """An arm over its seeds; recalls in percent."""

    name: str
    parameters: int
    seeds: int
    mean: dict[str, float]
    half_width: float | None
    """Of mR: half of Student's 95 % interval over seeds; None for fewer than two."""
    seconds: float
    """Mean wall-clock time of training a cell; machines are busy, so compare with care."""
    versus: Versus | None


def half_width(values: Sequence[float]) -> float | None:
    """Half of Student's 95 % interval of a mean."""
    count = len(values)
    if count < 2:
        return None
    spread = float(np.std(values, ddof=1)) / np.sqrt(count)
    return float(stats.t.ppf(0.975, count - 1) * spread)


def holm(values: Sequence[float]) -> list[float]:
    """p-values that hold for all comparisons at once (Holm 1979)."""
    order = np.argsort(values, kind="stable")
    raised = np.asarray(values, np.float64)[order] * np.arange(len(values), 0, -1)
    steps = np.minimum(1, np.maximum.accumulate(raised))
    out = np.empty(len(values))
    out[order] = steps
    return [float(value) for value in out]


def compare(config: StudyConfig, cells: Mapping[str, Sequence[Cell]]) -> list[ArmResult]:
    """All arms that have cells, in the study's order."""
    rows = [arm for arm in config.arms if arm.name in cells]
    against: dict[str, Versus] = {}
    for arm in rows:
        rival = config.rival(arm)
        if rival is not None and rival.name in cells:
            against[arm.name] = _versus(rival.name, cells[rival.name], cells[arm.name])
    corrected = dict(zip(against, holm([v.p_pictures for v in against.values()]), strict=True))
    return [_result(arm.name, cells[arm.name], against, corrected) for arm in rows]


def _result(
    name: str,
    cells: Sequence[Cell],
    against: Mapping[str, Versus],
    corrected: Mapping[str, float],
) -> ArmResult:
    mean = {key: float(np.mean([c.metrics[key] for c in cells])) for key in NUMBERS}
    versus = against.get(name)
    if versus is not None:
        versus = Versus(
            versus.other, versus.value, versus.interval, corrected[name], versus.p_seeds
        )
    return ArmResult(
        name,
        int(cells[0].metrics["parameters"]),
        len(cells),
        mean,
        half_width([c.metrics["mR"] for c in cells]),
        float(np.mean([c.metrics["seconds"] for c in cells])),
        versus,
    )


def _versus(name: str, first: Sequence[Cell], second: Sequence[Cell]) -> Versus:
    """Second minus first, by the seeds both have; an arm without seeds stands for all of them."""
    if 1 not in (len(first), len(second)):
        seeds = {c.metrics["seed"] for c in first} & {c.metrics["seed"] for c in second}
        first = [c for c in first if c.metrics["seed"] in seeds]
        second = [c for c in second if c.metrics["seed"] in seeds]
    found = paired(_averaged(first), _averaged(second))["mR"]
    left, right = (np.array([c.metrics["mR"] for c in cells]) for cells in (first, second))
    gap = right - left  # a single cell is subtracted from each seed
    p_seeds = None
    if len(gap) > 2 and np.ptp(gap) > 0:
        p_seeds = float(stats.ttest_1samp(gap, 0).pvalue)
    return Versus(name, found.value, found.interval, found.p, p_seeds)


def _averaged(cells: Sequence[Cell]) -> UnitSums:
    """Average the numerators of several seeds, unit by unit."""
    sums = [cell.found.unit_sums() for cell in cells]
    first = sums[0]
    numerators = np.mean([one.numerators for one in sums], axis=0)
    return UnitSums(first.names, numerators, first.denominators, first.combine)
