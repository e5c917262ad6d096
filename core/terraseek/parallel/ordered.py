"""Results of tasks in the order of the tasks, whichever ends first."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from terraseek.errors import TaskError
from terraseek.parallel.engine import Failure, TaskEngine

__all__ = ["results_in_order"]

_In = TypeVar("_In")
_Out = TypeVar("_Out")


@dataclass(frozen=True)
class _Numbered:
    """Calls a function for the task of a pair of number and task."""

    function: Callable[[Any], Any]

    def __call__(self, numbered: tuple[int, Any]) -> Any:  # noqa: ANN401
        return self.function(numbered[1])


def results_in_order(
    engine: TaskEngine, function: Callable[[_In], _Out], tasks: Iterable[_In]
) -> Iterator[_Out]:
    """Run tasks on an engine and yield their results in the order of the tasks.

    Results that are too early wait. An engine has few tasks in work, so of tasks of similar length
    few wait.

    Raises:
        TaskError: a task fails at every try.
    """
    early: dict[int, _Out] = {}
    wanted = 0
    for (number, _), result in engine.run(_Numbered(function), enumerate(tasks)):
        if isinstance(result, Failure):
            raise TaskError(f"a worker failed: {result.error}")
        early[number] = result
        while wanted in early:
            yield early.pop(wanted)
            wanted += 1
