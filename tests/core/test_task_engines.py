"""Task engines: bounded work, failures that are listed, workers that die; on Ray if installed."""

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from terraseek.errors import ConfigError, TaskError
from terraseek.parallel.engine import Failure, TaskEngine
from terraseek.parallel.local import LocalEngine
from terraseek.parallel.opening import open_task_engine
from terraseek.parallel.ordered import results_in_order


def upper(task: str) -> str:
    return task.upper()


def work(task: tuple[Path, str]) -> str:
    folder, name = task
    once = folder / name
    if name == "dies once" and not once.exists():
        once.touch()
        os._exit(9)
    if name == "dies":
        os._exit(9)
    if name == "raises":
        raise ValueError("not this one")
    if name == "refuses":
        raise ConfigError("no such model")
    return name.upper()


def ray_engine() -> TaskEngine:
    pytest.importorskip("ray")
    from terraseek.parallel.ray_engine import RayEngine

    return RayEngine(workers=2)


slow_ray = pytest.param(
    "ray", marks=[pytest.mark.slow, pytest.mark.filterwarnings("ignore")], id="ray"
)


@pytest.fixture(params=["local", slow_ray], scope="module")
def engine(request: pytest.FixtureRequest) -> Iterator[TaskEngine]:
    with ray_engine() if request.param == "ray" else LocalEngine(2) as found:
        yield found


def test_the_local_engine_is_the_default_and_has_no_address():
    with open_task_engine("local") as engine:
        assert isinstance(engine, LocalEngine)
    for name, address in (("local", "auto"), ("nosuch", None)):
        with pytest.raises(ConfigError, match="use local, or ray"):
            open_task_engine(name, 1, address)


def test_no_more_tasks_are_taken_than_are_in_work(engine: TaskEngine):
    """However slow the caller is: what it has not fetched must not pile up in memory."""
    taken: list[str] = []

    def tasks() -> Iterator[str]:
        for number in range(40):
            taken.append(f"task {number}")
            yield taken[-1]

    results = engine.run(upper, tasks())
    most = 0
    fetched = []
    for task, result in results:
        most = max(most, len(taken) - len(fetched))
        fetched.append(task)
        assert result == task.upper()
    assert sorted(fetched) == sorted(taken)
    assert most <= 2 * 2


def test_a_worker_that_dies_and_a_task_that_fails_cost_no_other_task(
    engine: TaskEngine, tmp_path: Path
):
    names = ["a", "dies once", "dies", "b", "raises", "refuses", "c", "d"]
    done = {
        task[1]: result for task, result in engine.run(work, [(tmp_path, name) for name in names])
    }
    assert isinstance(done.pop("dies"), Failure)
    assert done.pop("raises") == Failure("ValueError: not this one")
    assert done.pop("refuses") == Failure("ConfigError: no such model", deliberate=True)
    assert done == {name: name.upper() for name in ("a", "dies once", "b", "c", "d")}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_no_worker_is_started_when_the_last_task_has_ended_one(tmp_path: Path):
    """Starting one takes minutes on a busy machine, and the results would wait for it."""
    pytest.importorskip("ray")
    from terraseek.parallel.ray_engine import RayEngine

    with RayEngine(workers=1) as engine:
        [(_, result)] = engine.run(work, [(tmp_path, "dies")])
        assert isinstance(result, Failure)
        assert (engine._idle, engine._starting) == ([], {})
        assert dict(engine.run(upper, ["a"])) == {"a": "A"}


def test_a_caller_that_stops_early_can_go_on(engine: TaskEngine):
    for _, result in engine.run(upper, ["a", "b", "c", "d"]):
        assert result in "ABCD"
        break
    assert dict(engine.run(upper, ["e", "f"])) == {"e": "E", "f": "F"}


def square(task: int) -> int:
    return task * task


class Backwards(LocalEngine):
    """Yields the results of each five tasks in the opposite order."""

    def run(
        self, function: Callable[[Any], Any], tasks: Iterable[Any]
    ) -> Iterator[tuple[Any, Any | Failure]]:
        ended = super().run(function, tasks)
        while part := list(islice(ended, 5)):
            yield from reversed(part)


def test_results_come_in_the_order_of_their_tasks():
    with Backwards() as engine:
        assert list(results_in_order(engine, square, range(12))) == [n * n for n in range(12)]


def test_a_task_that_always_fails_ends_the_ordered_results(tmp_path: Path):
    tasks = [(tmp_path, "a"), (tmp_path, "raises"), (tmp_path, "b")]
    with LocalEngine() as engine, pytest.raises(TaskError, match="ValueError: not this one"):
        list(results_in_order(engine, work, tasks))
