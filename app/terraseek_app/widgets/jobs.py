"""Long work beside the page: started once, watched from any run, cancelled by a button.

A Streamlit run must stay short, and a click cannot interrupt a running one cleanly; so encoding a
scene happens in a thread of its own and the session keeps nothing but the job's id.
"""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from terraseek.errors import Cancelled
from terraseek.progress import Progress

__all__ = ["Job", "Jobs"]

Result = TypeVar("Result")


@dataclass
class Job(Generic[Result]):
    """Work under way, with how far it is."""

    job_id: str
    """Random, fit for the session state."""
    what: str
    """What is being done, for the page."""
    stage: str = "waiting for its turn"
    """The part now being worked on."""
    done: int = 0
    """Steps of that part behind us."""
    total: int = 0
    """Steps of that part; 0 while unknown."""
    since: tuple[float, int] = (0.0, 0)
    """Monotonic time and `done` when the present part was first heard of."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Set to ask the work to end."""
    future: "Future[Result] | None" = None
    """Where the result or the error arrives."""

    def report(self, stage: str, done: int, total: int) -> None:
        """The progress callback given to the work.

        Raises:
            Cancelled: somebody asked to stop.
        """
        if stage != self.stage:
            self.since = (time.monotonic(), done)
        self.stage, self.done, self.total = stage, done, total
        if self.stop.is_set():
            raise Cancelled("stopped by the user")

    @property
    def fraction(self) -> float:
        """How much of the present part is done, 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0

    @property
    def remaining_s(self) -> float | None:
        """Seconds the present part will still take at its pace so far; None while unknown.

        Steps an earlier run had finished do not count for the pace.
        """
        began, already = self.since
        if self.done <= already or not self.total:
            return None
        pace = (time.monotonic() - began) / (self.done - already)
        return max(0.0, pace * (self.total - self.done))

    def ready(self, wait: float = 0.0) -> bool:
        """Whether the work has ended, waiting for it at most `wait` seconds."""
        assert self.future is not None
        if not self.future.done() and wait > 0:
            try:
                self.future.exception(timeout=wait)
            except NotYet:
                return False
        return self.future.done()

    def result(self) -> Result:
        """What the work gave; raises what it raised. Call only when `ready`."""
        assert self.future is not None
        return self.future.result(timeout=0)


class Jobs(Generic[Result]):
    """Runs jobs one after the other and remembers the last ones."""

    def __init__(self, workers: int = 1, kept: int = 64) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="terraseek-job")
        self._jobs: OrderedDict[str, Job[Result]] = OrderedDict()
        self._kept = kept
        self._lock = threading.Lock()

    def start(self, what: str, work: Callable[[Progress], Result]) -> Job[Result]:
        """Queue `work`; it gets the progress callback that also carries the wish to stop."""
        job: Job[Result] = Job(secrets.token_hex(8), what)

        def run() -> Result:
            job.report("starting", 0, 0)
            return work(job.report)

        job.future = self._pool.submit(run)
        with self._lock:
            self._jobs[job.job_id] = job
            while len(self._jobs) > self._kept:
                self._jobs.popitem(last=False)
        return job

    def get(self, job_id: str | None) -> Job[Result] | None:
        """The job with this id; None when it is unknown or long gone."""
        with self._lock:
            return self._jobs.get(job_id) if job_id else None
