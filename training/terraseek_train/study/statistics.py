"""Statistics of a study: means over seeds, their intervals, and paired tests."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy import stats

from terraseek_train.evaluate.bootstrap import Interval, UnitSums, paired
from terraseek_train.evaluate.retrieval import Retrieved
from terraseek_train.loop.classified import Classified
from terraseek_train.study.config import StudyConfig

__all__ = ["ArmResult", "ArmRun", "Comparison", "compare", "half_width", "holm"]

METRICS = ("i2t_r1", "i2t_r5", "i2t_r10", "t2i_r1", "t2i_r5", "t2i_r10", "mR")


@dataclass(frozen=True)
class ArmRun:
    """Metrics and ranks of one run."""

    metrics: Mapping[str, Any]
    retrieved: Retrieved
    classified: Classified | None = None
    """Of the second set, if the study has one."""


@dataclass(frozen=True)
class Comparison:
    """Difference in mR (or top-1) from another arm, in percentage points."""

    other: str
    value: float
    interval: Interval | None
    """95 % interval of the paired bootstrap over images, on the mean of common seeds."""
    p_images: float
    """p-value of a sign-flip test over images, Holm-corrected over the study's comparisons."""
    p_seeds: float | None
    """p-value of a paired t-test over seeds, uncorrected; None for fewer than three seeds."""


@dataclass(frozen=True)
class ArmResult:
    """Results of an arm over its seeds; recalls in percent."""

    name: str
    parameters: int
    seeds: int
    mean: dict[str, float]
    half_width: float | None
    """Half of Student's 95 % interval of mR over seeds; None for fewer than two seeds."""
    seconds: float
    """Mean wall-clock training time of a run; it depends on what else the machine was doing."""
    comparison: Comparison | None
    second: Comparison | None = None
    """Comparison in top-1 on the second set; `p_images` is not corrected."""

    def to_json(self) -> dict[str, Any]:
        """Plain values, with the keys of `results.json`."""
        value = asdict(self)
        for comparison in (value["comparison"], value["second"]):
            if comparison is not None:
                comparison["p_pictures"] = comparison.pop("p_images")
        return value | {"versus": value.pop("comparison")}


def half_width(values: Sequence[float]) -> float | None:
    """Half of Student's 95 % interval of a mean."""
    count = len(values)
    if count < 2:
        return None
    spread = float(np.std(values, ddof=1)) / np.sqrt(count)
    return float(stats.t.ppf(0.975, count - 1) * spread)


def holm(values: Sequence[float]) -> list[float]:
    """p-values corrected for multiple comparisons (Holm 1979)."""
    order = np.argsort(values, kind="stable")
    raised = np.asarray(values, np.float64)[order] * np.arange(len(values), 0, -1)
    steps = np.minimum(1, np.maximum.accumulate(raised))
    out = np.empty(len(values))
    out[order] = steps
    return [float(value) for value in out]


def compare(config: StudyConfig, runs: Mapping[str, Sequence[ArmRun]]) -> list[ArmResult]:
    """Results of all arms that have runs, in the study's order."""
    rows = [arm for arm in config.arms if arm.name in runs]
    comparisons: dict[str, Comparison] = {}
    second: dict[str, Comparison] = {}
    for arm in rows:
        reference = config.reference_arm(arm)
        if reference is not None and reference.name in runs:
            pair = reference.name, runs[reference.name], runs[arm.name]
            comparisons[arm.name] = _comparison(*pair)
            if all(run.classified for run in (*pair[1], *pair[2])):
                second[arm.name] = _comparison(*pair, metric="top1")
    corrected = holm([value.p_images for value in comparisons.values()])
    comparisons = {
        name: replace(value, p_images=p)
        for (name, value), p in zip(comparisons.items(), corrected, strict=True)
    }
    return [
        _result(arm.name, runs[arm.name], comparisons.get(arm.name), second.get(arm.name))
        for arm in rows
    ]


def _result(
    name: str,
    runs: Sequence[ArmRun],
    comparison: Comparison | None,
    second: Comparison | None,
) -> ArmResult:
    keys = (*METRICS, "top1") if all(run.classified for run in runs) else METRICS
    return ArmResult(
        name,
        int(runs[0].metrics["parameters"]),
        len(runs),
        {key: float(np.mean([run.metrics[key] for run in runs])) for key in keys},
        half_width([run.metrics["mR"] for run in runs]),
        float(np.mean([run.metrics["seconds"] for run in runs])),
        comparison,
        second,
    )


def _comparison(
    name: str, first: Sequence[ArmRun], second: Sequence[ArmRun], metric: str = "mR"
) -> Comparison:
    """Second minus first over common seeds; a single run is compared with every seed."""
    if 1 not in (len(first), len(second)):
        seeds = {run.metrics["seed"] for run in first} & {run.metrics["seed"] for run in second}
        first = [run for run in first if run.metrics["seed"] in seeds]
        second = [run for run in second if run.metrics["seed"] in seeds]
    difference = paired(_averaged(first, metric), _averaged(second, metric))[metric]
    left, right = (np.array([run.metrics[metric] for run in runs]) for runs in (first, second))
    gap = right - left  # a single run is subtracted from each seed
    p_seeds = None
    if len(gap) > 2 and np.ptp(gap) > 0:
        p_seeds = float(stats.ttest_1samp(gap, 0).pvalue)
    return Comparison(name, difference.value, difference.interval, difference.p, p_seeds)


def _averaged(runs: Sequence[ArmRun], metric: str) -> UnitSums:
    """Average the numerators of several seeds, unit by unit."""
    found = [run.classified if metric == "top1" else run.retrieved for run in runs]
    sums = [one.unit_sums() for one in found if one is not None]
    first = sums[0]
    numerators = np.mean([one.numerators for one in sums], axis=0)
    return UnitSums(first.names, numerators, first.denominators, first.combine)
