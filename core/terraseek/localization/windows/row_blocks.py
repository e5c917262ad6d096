"""Process the rows of a large array in blocks, one thread per core.

NumPy and OpenCV release the interpreter lock while they compute. The first write to the memory of a
large array (a map of 400 MB), which costs most of the time, is spread over the cores as well.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

__all__ = ["available_cores", "for_row_blocks"]


def available_cores() -> int:
    """Number of cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on every platform
    return len(affinity(0)) if affinity else (os.cpu_count() or 1)


def for_row_blocks(
    n_rows: int,
    work: Callable[[int, int], None],
    min_rows: int = 256,
    max_rows: int | None = None,
) -> None:
    """Call `work(first, last)` for blocks that together cover `range(n_rows)`, in threads.

    Args:
        n_rows: number of rows.
        work: processes rows `first` up to, not including, `last`; blocks never overlap.
        min_rows: fewest rows of a block, unless there are fewer in all.
        max_rows: most rows of a block; default one block per core.

    Raises:
        Exception: the first error that `work` raised.
    """
    n_blocks = max(1, min(available_cores(), n_rows // min_rows))
    if max_rows is not None:
        n_blocks = max(n_blocks, -(-n_rows // max_rows))
    bounds = np.linspace(0, n_rows, n_blocks + 1).astype(int).tolist()
    blocks = list(pairwise(bounds))
    if len(blocks) == 1:
        work(*blocks[0])
        return
    with ThreadPoolExecutor(available_cores(), thread_name_prefix="row-blocks") as pool:
        for future in [pool.submit(work, *block) for block in blocks]:
            future.result()
