"""Parallel map with a bounded number of pending calls."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

__all__ = ["bounded_map"]

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def bounded_map(
    pool: Executor, function: Callable[[_In], _Out], values: Iterable[_In], max_pending: int
) -> Iterator[_Out]:
    """Apply a function to values in a pool, and yield the results in order.

    Unlike `pool.map`, which submits all values at once, at most `max_pending` calls are pending.
    """
    pending: deque[Future[_Out]] = deque()
    for value in values:
        pending.append(pool.submit(function, value))
        if len(pending) >= max_pending:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()
