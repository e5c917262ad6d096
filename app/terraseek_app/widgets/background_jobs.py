"""Background jobs: long work in a thread, with progress, cancellation and a result.

A Streamlit run must be short, and a click cannot interrupt one cleanly. Long work, such as encoding
a scene, therefore runs in a thread, and the session holds only the job's id.
"""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from terraseek.errors import Cancelled, ServerBusyError
from terraseek.progress import Progress

__all__ = ["Job", "JobQueue"]

Result = TypeVar("Result")

_RETRY_AFTER_S = 20
WAITING = "waiting for its turn"
"""Stage of a job that has not started."""


def _always() -> bool:
    return True


@dataclass(eq=False)
class Job(Generic[Result]):
    """A piece of work in a thread, with its progress."""

    job_id: str
    """Random id, stored in the session state."""
    title: str
    """What the job does, for people."""
    stage: str = WAITING
    """Name of the current stage."""
    done: int = 0
    """Steps of the current stage that are done."""
    total: int = 0
    """Steps of the current stage; 0 while unknown."""
    stage_start: tuple[float, int] = (0.0, 0)
    """Monotonic time in seconds and `done` at the first report of the current stage, or of its
    current number of steps."""
    cancel_requested: threading.Event = field(default_factory=threading.Event)
    """Set to cancel the job at its next report."""
    is_wanted: Callable[[], bool] = _always
    """Whether anybody still waits for the result; asked at each report."""
    partials: list[Result] = field(default_factory=list)
    """Results so far, the latest last; appended by the work."""
    future: "Future[Result] | None" = None
    """Receives the result or the exception."""

    def report(self, stage: str, done: int, total: int) -> None:
        """Record progress; the progress callback given to the work.

        Raises:
            Cancelled: the job was cancelled, or nobody waits for it any more.
        """
        if stage != self.stage or total != self.total:
            self.stage_start = (time.monotonic(), done)
        self.stage, self.done, self.total = stage, done, total
        if self.cancel_requested.is_set():
            raise Cancelled("stopped by the user")
        if not self.is_wanted():
            raise Cancelled("the page was closed")

    @property
    def is_waiting(self) -> bool:
        """Whether the job has not started."""
        return self.stage == WAITING

    @property
    def fraction(self) -> float:
        """Part of the current stage that is done, 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0

    @property
    def remaining_s(self) -> float | None:
        """Estimated seconds until the current stage ends; None while unknown.

        The rate counts only steps made since the stage began, not those a previous run had done.
        """
        start_time, start_done = self.stage_start
        if self.done <= start_done or not self.total:
            return None
        seconds_per_step = (time.monotonic() - start_time) / (self.done - start_done)
        return max(0.0, seconds_per_step * (self.total - self.done))

    def has_ended(self, wait_s: float = 0.0) -> bool:
        """Whether the work has ended, after waiting at most `wait_s` seconds for it."""
        assert self.future is not None
        if not self.future.done() and wait_s > 0:
            try:
                self.future.exception(timeout=wait_s)
            except FutureTimeoutError:
                return False
        return self.future.done()

    def result(self) -> Result:
        """Return the work's result, or raise its exception; call only when `has_ended`."""
        assert self.future is not None
        return self.future.result(timeout=0)


class JobQueue(Generic[Result]):
    """Runs jobs in order of arrival, and keeps the last ones."""

    def __init__(self, workers: int = 1, max_jobs: int = 64, max_waiting: int = 16) -> None:
        """Make a queue.

        Args:
            workers: jobs that run at the same time.
            max_jobs: jobs whose results are kept.
            max_waiting: further jobs that may wait for their turn.
        """
        self._max_unfinished = workers + max_waiting
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="terraseek-job")
        self._jobs: OrderedDict[str, Job[Result]] = OrderedDict()
        self._max_jobs = max_jobs
        self._lock = threading.Lock()

    def start(
        self,
        title: str,
        work: Callable[[Progress], Result],
        is_wanted: Callable[[], bool] = _always,
        partials: list[Result] | None = None,
    ) -> Job[Result]:
        """Queue work and return its job.

        Args:
            title: what the job does, for people.
            work: called in a thread with a progress callback, which raises `Cancelled` once the
                job is cancelled.
            is_wanted: whether anybody still waits for the result; if not, the job is cancelled.
            partials: list to which the work appends results so far.

        Raises:
            ServerBusyError: as many jobs wait as may.
        """
        with self._lock:
            unfinished = sum(not kept.has_ended() for kept in self._jobs.values())
        if unfinished >= self._max_unfinished:
            raise ServerBusyError(
                f"{unfinished} other questions are waiting; try again in {_RETRY_AFTER_S} s",
                _RETRY_AFTER_S,
            )
        results = [] if partials is None else partials
        job: Job[Result] = Job(secrets.token_hex(8), title, is_wanted=is_wanted, partials=results)

        def run() -> Result:
            job.report("starting", 0, 0)
            return work(job.report)

        job.future = self._pool.submit(run)
        with self._lock:
            self._jobs[job.job_id] = job
            while len(self._jobs) > self._max_jobs:
                self._jobs.popitem(last=False)
        return job

    def get(self, job_id: str | None) -> Job[Result] | None:
        """The job with this id; None when there is none, or it is no longer kept."""
        with self._lock:
            return self._jobs.get(job_id) if job_id else None

    def waiting_before(self, job: Job[Result]) -> int:
        """Number of jobs that started before a job and have not ended; 0 once it runs."""
        if job.future is None or not job.is_waiting:
            return 0
        with self._lock:
            earlier = list(self._jobs.values())
        before = earlier[: earlier.index(job)] if job in earlier else []
        return sum(not other.has_ended() for other in before)
