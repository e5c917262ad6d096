"""Queue of expensive requests: few run at once, few wait, and work stops when its client left."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from starlette.requests import Request

from terraseek.errors import Cancelled, ServerBusyError
from terraseek.progress import Progress
from terraseek_app.server.clients import ClientCounts

__all__ = ["LOCALIZATIONS", "THREADS_PER_WORKER", "Place", "WorkQueue"]

Result = TypeVar("Result")

_POLL_S = 0.25


class WorkQueue:
    """Runs work in threads of its own, so that other routes keep theirs."""

    def __init__(
        self, workers: int, max_waiting: int, max_of_client: int, retry_after_s: int = 10
    ) -> None:
        """Make a queue.

        Args:
            workers: requests that run at the same time.
            max_waiting: further requests that may wait or send their body.
            max_of_client: requests of one client among all of these.
            retry_after_s: seconds after which a refused client may try again.
        """
        what = "expensive requests"
        self._clients = ClientCounts(max_of_client, what, retry_after_s)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="terraseek-request")
        self._max_admitted = workers + max_waiting
        self._retry_after_s = retry_after_s
        self._lock = threading.Lock()
        self._n_admitted = 0

    @asynccontextmanager
    async def admit(self, client: str) -> AsyncIterator["Place"]:
        """Hold a place in the queue, until the block and the work begun in it have ended.

        Args:
            client: name of the client, see `client_name`.

        Raises:
            TooManyRequestsError: the client has as many places as it may.
            ServerBusyError: every place is taken.
        """
        with self._lock:
            self._clients.check(client)
            if self._n_admitted >= self._max_admitted:
                raise ServerBusyError(
                    f"the server is busy with {self._n_admitted} other requests; try again in "
                    f"{self._retry_after_s} s",
                    self._retry_after_s,
                )
            self._n_admitted += 1
            self._clients.add(client)
        place = Place(self._pool)
        try:
            yield place
        finally:
            # a thread cannot be stopped at once; its place stays taken until it has ended
            if place.submitted is None:
                self._release(client)
            else:
                place.submitted.add_done_callback(lambda _: self._release(client))

    def _release(self, client: str) -> None:
        with self._lock:
            self._n_admitted -= 1
            self._clients.remove(client)


class Place:
    """A place in a queue; runs one piece of work."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self.submitted: Future[Any] | None = None
        """The work, once it was begun."""

    async def run(self, request: Request, work: Callable[[Progress], Result]) -> Result:
        """Run work when it is its turn.

        Args:
            request: stops the work, at its next report of progress, when its client disconnects.
            work: called in a thread with a progress callback.

        Raises:
            Cancelled: the client disconnected.
        """
        cancelled = threading.Event()

        def progress(stage: str, done: int, total: int) -> None:
            if cancelled.is_set():
                raise Cancelled("the client disconnected")

        def start() -> Result:
            progress("start", 0, 0)
            return work(progress)

        submitted: Future[Result] = self._pool.submit(start)
        self.submitted = submitted
        future = asyncio.wrap_future(submitted)
        try:
            while not (await asyncio.wait([future], timeout=_POLL_S))[0]:
                if await request.is_disconnected():
                    raise Cancelled("the client disconnected")
            return future.result()
        finally:
            cancelled.set()
            future.cancel()


_CORES = os.cpu_count() or 1
_WORKERS = 1 if _CORES < 8 else 2

LOCALIZATIONS = WorkQueue(workers=_WORKERS, max_waiting=8, max_of_client=4)
"""Queue of the requests that encode a scene."""
THREADS_PER_WORKER = max(1, (_CORES - 1) // _WORKERS)
"""Threads of an encoder's operation: those of all workers together leave one core for searches."""
