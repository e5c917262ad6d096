"""The local engine: one thread of this process, or a pool of processes; no further dependency."""

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from typing import Any

from terraseek.parallel.engine import RETRIES, Failure, TaskEngine, failure_of, limit_threads

__all__ = ["LocalEngine"]


class LocalEngine(TaskEngine):
    """Runs tasks in `workers` processes; with one worker, in this process."""

    def __init__(self, workers: int = 1, cores: int = 1) -> None:
        """Prepare the engine; processes start with the first task.

        Args:
            workers: number of processes.
            cores: threads of each process; a single worker, which is this process, keeps its own.
        """
        self.workers, self.cores = workers, cores
        self._pool: Executor | None = None

    def run(
        self, function: Callable[[Any], Any], tasks: Iterable[Any]
    ) -> Iterator[tuple[Any, Any | Failure]]:
        """See `TaskEngine.run`; at most twice as many tasks as workers are submitted.

        When a worker dies, every submitted task fails and none is known to be the cause. These are
        then run one at a time, so that the others do not lose their tries.
        """
        left = enumerate(tasks)
        suspects: deque[tuple[int, Any]] = deque()
        again: deque[tuple[int, Any]] = deque()
        waiting: dict[Future[Any], tuple[int, Any]] = {}
        tries: dict[int, int] = {}
        while True:
            while len(waiting) < (1 if suspects else 2 * self.workers):
                queue = suspects or again
                entry = queue.popleft() if queue else next(left, None)
                if entry is None:
                    break
                waiting[self._submit(function, entry[1])] = entry
                if queue is suspects:
                    break
            if not waiting:
                return
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            shared = len(waiting) > 1
            for future in done:
                number, task = waiting.pop(future)
                error = future.exception()
                if error is None:
                    yield task, future.result()
                elif isinstance(error, BrokenExecutor) and shared:
                    suspects.append((number, task))
                elif tries.setdefault(number, 0) < RETRIES:
                    tries[number] += 1
                    again.append((number, task))
                else:
                    yield task, failure_of(error)

    def _submit(self, function: Callable[[Any], Any], task: Any) -> Future[Any]:  # noqa: ANN401
        """Submit a task; a pool whose worker has died is replaced."""
        for _ in range(2):
            self._pool = self._pool or self._start()
            try:
                return self._pool.submit(function, task)
            except BrokenExecutor:
                self.close()
        raise RuntimeError("worker processes cannot be started")

    def _start(self) -> Executor:
        if self.workers == 1:
            return ThreadPoolExecutor(1)
        # spawn: a forked child inherits locks of the threads of torch and Arrow
        return ProcessPoolExecutor(
            self.workers,
            multiprocessing.get_context("spawn"),
            initializer=limit_threads,
            initargs=(self.cores,),
        )

    def close(self) -> None:
        """End the workers; tasks that have not begun are dropped."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
