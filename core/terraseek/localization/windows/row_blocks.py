"""Work on the rows of large arrays in as many bands as there are cores.

NumPy and OpenCV let other threads run while they compute, and what costs most in a map of 400 MB,
the first touch of its memory, is shared as well.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

__all__ = ["cores", "in_bands"]


def cores() -> int:
    """Cores this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)  # not on every platform
    return len(allowed(0)) if allowed else (os.cpu_count() or 1)


def in_bands(
    count: int, work: Callable[[int, int], None], smallest: int = 256, most: int | None = None
) -> None:
    """Call `work(first, last)` for bands that make up `range(count)`, some at a time in threads.

    Args:
        count: rows in all.
        work: does rows `first` to `last`; bands never overlap.
        smallest: rows of a band, unless there are fewer in all.
        most: rows of a band at most; default one band a core.
    """
    bands = max(1, min(cores(), count // smallest))
    if most is not None:
        bands = max(bands, -(-count // most))
    cuts = np.linspace(0, count, bands + 1).astype(int).tolist()
    spans = list(pairwise(cuts))
    if len(spans) == 1:
        work(*spans[0])
        return
    with ThreadPoolExecutor(cores(), thread_name_prefix="bands") as pool:
        for done in [pool.submit(work, *span) for span in spans]:
            done.result()
