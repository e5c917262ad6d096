"""Time and disk that a larger corpus needs, from the rates of one that was run.

Every stage is assumed to take the same seconds per item, to accept the same share and to write the
same bytes per item as measured. For stages that compare all items this is a lower bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from terraseek.errors import ConfigError
from terraseek_train.corpus.status import stage_folder

__all__ = ["StagePlan", "plan_corpus", "plan_lines", "stage_bytes"]

COMPARING = ("duplicates", "outliers", "leakage", "similarity")
"""Stages that compare all items, whose time may grow faster than their number."""


@dataclass(frozen=True)
class StagePlan:
    """What one stage needs."""

    name: str
    items: float
    """Items that go in."""
    core_hours: float
    """Hours of one worker."""
    gigabytes: float
    """Tables and files that the stage leaves on the disk, in 10^9 bytes."""
    measured_items: int
    """Items of the run whose rate this is; fewer than `items` means extrapolated."""
    compares: bool
    """Whether the stage compares all items, so that its time is a lower bound."""


def plan_corpus(
    stages: Sequence[dict[str, Any]], sizes: Sequence[int], images: int
) -> list[StagePlan]:
    """Plan every stage of a recipe.

    Args:
        stages: summaries of a finished run, see `read_status`.
        sizes: bytes that each stage of this run has on the disk.
        images: items that go into the first stage.

    Raises:
        ConfigError: a stage of the run had no item, so that it has no rate.
    """
    plans = []
    items = float(images)
    for stage, size in zip(stages, sizes, strict=True):
        count = int(stage["in"])
        if count == 0:
            raise ConfigError(f"the stage {stage['name']} had no item, so it has no rate")
        hours = items * float(stage["seconds"]) / count / 3600
        compares = stage["stage"] in COMPARING
        gigabytes = items * size / count / 1e9
        plans.append(StagePlan(stage["name"], items, hours, gigabytes, count, compares))
        items *= stage["accepted"] / count
    return plans


def stage_bytes(out: Path, stages: Sequence[dict[str, Any]]) -> list[int]:
    """Bytes that the stages of a corpus have on the disk."""
    folders = [stage_folder(out, n, stage["name"]) for n, stage in enumerate(stages, start=1)]
    return [sum(f.stat().st_size for f in d.rglob("*") if f.is_file()) for d in folders]


def plan_lines(plans: Sequence[StagePlan], cores: int) -> list[str]:
    """Table for people: hours with `cores` workers that lose no time to each other."""
    total_hours = sum(plan.core_hours for plan in plans)
    lines = [f"{'stage':18} {'items':>13} {'core-hours':>11} {'share':>6} {'GB':>9}  measured on"]
    for plan in plans:
        share = plan.core_hours / total_hours if total_hours else 0.0
        bound = ", a lower bound" if plan.compares else ""
        lines.append(
            f"{plan.name:18} {plan.items:13,.0f} {plan.core_hours:11,.1f} {share:6.1%} "
            f"{plan.gigabytes:9,.1f}  {plan.measured_items:,} items{bound}"
        )
    gigabytes = sum(plan.gigabytes for plan in plans)
    lines.append(
        f"all stages: {total_hours:,.1f} core-hours, {total_hours / cores:,.1f} hours on {cores} "
        f"cores if no worker waits, {gigabytes:,.1f} GB"
    )
    return lines
