"""Shared by all benchmarks: repeated timings, peak memory, output as a table or JSON.

A benchmark compares implementations within one run on one machine and prints ratios; nothing here
asserts seconds.
"""

import json
import platform
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

__all__ = ["Timing", "machine", "peak_rss_gib", "report", "timed"]


@dataclass(frozen=True)
class Timing:
    """Seconds of repeated calls."""

    median: float
    p95: float
    best: float
    repeats: int


def timed(call: Callable[[], object], repeats: int = 5, warmup: int = 1) -> Timing:
    """Measure wall-clock seconds of `call`, after `warmup` calls that are not counted."""
    for _ in range(warmup):
        call()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    ordered = np.array(seconds)
    return Timing(
        float(np.median(ordered)), float(np.quantile(ordered, 0.95)), float(ordered.min()), repeats
    )


def peak_rss_gib() -> float:
    """Peak resident memory of this process in GiB (Linux counts in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def machine() -> str:
    """Processor, cores and Python version, in one line."""
    import os

    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def report(title: str, figures: Mapping[str, float | int | str], as_json: bool) -> None:
    """Print the figures as one JSON object or as a table."""
    if as_json:
        print(json.dumps(dict(figures), indent=2))
        return
    table = Table("figure", "value", title=f"{title} ({machine()})")
    for name, value in figures.items():
        table.add_row(name, f"{value:.4g}" if isinstance(value, float) else str(value))
    Console().print(table)
