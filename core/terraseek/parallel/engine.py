"""Interface of a task engine: it calls a function for each task, in any order; tasks may fail."""

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from terraseek.errors import TerraSeekError

__all__ = ["RETRIES", "Failure", "TaskEngine", "failure_of", "limit_threads"]

RETRIES = 1
"""How often a task that has failed is tried again."""


@dataclass(frozen=True)
class Failure:
    """A task that failed at every try."""

    error: str
    """Name of the exception and its message, in one line."""
    deliberate: bool = False
    """Whether the task refused its work with a message, so that other tasks may as well."""


class TaskEngine(ABC):
    """Runs tasks; used as a context manager, which ends its workers."""

    @abstractmethod
    def run(
        self, function: Callable[[Any], Any], tasks: Iterable[Any]
    ) -> Iterator[tuple[Any, Any | Failure]]:
        """Yield each task with its result, or with the failure, as they end.

        Only a bounded number of tasks is in work or waits to be yielded, and no further one is
        taken from `tasks`, so that memory is bounded however slow the caller is. A worker that
        dies costs its task one try.
        """

    @abstractmethod
    def close(self) -> None:
        """End the workers."""

    def __enter__(self) -> "TaskEngine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def failure_of(error: BaseException) -> Failure:
    """Describe an exception in one line."""
    text = " ".join(f"{type(error).__name__}: {error}".split())[:500]
    return Failure(text, isinstance(error, TerraSeekError))


def limit_threads(cores: int) -> None:
    """Let the libraries of this worker process use some cores only, as it has neighbours."""
    import pyarrow as pa

    pa.set_cpu_count(cores)
    os.environ["OMP_NUM_THREADS"] = str(cores)  # torch reads it when a task loads it
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(cores)
