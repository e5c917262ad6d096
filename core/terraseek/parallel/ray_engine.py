"""The cluster engine: a fixed number of Ray actors, each with one task at a time.

All nodes need TerraSeek, and the same file system at the same path, because tasks read and write
files. Results on disk are the truth: Ray's own retries and checkpoints are not used. With one task
per actor, the task whose worker has died is known, and no more tasks are taken than are in work.
"""

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any

from terraseek.display import import_extra
from terraseek.errors import ConfigError, TaskError
from terraseek.parallel.engine import RETRIES, Failure, TaskEngine, failure_of, limit_threads

__all__ = ["RayEngine"]

_log = logging.getLogger(__name__)
_NOTE_S = 60
_MAX_FAILED_STARTS = 5
_OBJECT_STORE_BYTES = 256 << 20
"""Of a cluster that is started here; by default Ray would reserve a third of the memory."""
_SETTINGS = ("TERRASEEK_HOME", "TERRASEEK_PRECISION", "OMP_WAIT_POLICY")


class Worker:
    """What an actor does: call functions. What they load stays for the next task."""

    def __init__(self, cores: int, settings: dict[str, str]) -> None:
        os.environ.update(settings)
        limit_threads(cores)

    def ready(self) -> None:
        """Return when the worker has started."""

    def call(self, function: Callable[[Any], Any], task: Any) -> Any:  # noqa: ANN401
        """Call a function."""
        return function(task)


class RayEngine(TaskEngine):
    """Runs tasks on a Ray cluster."""

    def __init__(
        self,
        address: str | None = None,
        workers: int | None = None,
        cores: int = 1,
        *,
        use_gpus: bool = False,
    ) -> None:
        """Connect to a cluster, or start one on this machine.

        Args:
            address: of a running cluster, such as `ray://host:10001` or `auto`; None starts one.
            workers: number of actors; by default as many as there are GPUs, or `cores` fit.
            cores: of each actor, which are its threads.
            use_gpus: whether each actor gets one GPU, if the cluster has any.

        Raises:
            MissingExtraError: Ray is not installed.
            TaskError: there is no cluster at this address.
            ConfigError: the cluster has fewer cores than one actor needs.
        """
        ray: Any = import_extra("ray", "cluster")
        self._ray = ray
        here: dict[str, int] = {}
        if address is None:
            cpus = cores * workers if workers else os.cpu_count() or 1
            here = {"num_cpus": cpus, "object_store_memory": _OBJECT_STORE_BYTES}
        try:
            ray.init(
                address=address, include_dashboard=False, log_to_driver=False,
                ignore_reinit_error=True, **here,
            )  # fmt: skip
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise TaskError(f"no Ray cluster at {address or 'this machine'}: {error}") from error
        found = ray.cluster_resources()
        gpus = int(found.get("GPU", 0)) if use_gpus else 0
        self._wanted = workers or gpus or int(found.get("CPU", 0)) // cores
        if self._wanted < 1:
            raise ConfigError(
                f"the cluster has {found.get('CPU', 0):g} cores and a worker would need {cores}"
            )
        actor = ray.remote(num_cpus=cores, num_gpus=int(gpus > 0), max_restarts=0)(Worker)
        settings = {name: os.environ[name] for name in _SETTINGS if name in os.environ}
        self._start: Callable[[], Any] = partial(actor.remote, cores, settings)
        self._idle: list[Any] = []
        self._starting: dict[Any, Any] = {}
        self._failed_starts = 0

    def run(
        self, function: Callable[[Any], Any], tasks: Iterable[Any]
    ) -> Iterator[tuple[Any, Any | Failure]]:
        """See `TaskEngine.run`; at most one task per actor is taken, and one that waits."""
        ray = self._ray
        sent = ray.put(function)
        left = ((task, 0) for task in tasks)
        waiting: deque[tuple[Any, int]] = deque()
        busy: dict[Any, tuple[Any, Any, int]] = {}
        try:
            while True:
                waiting.extend(islice(left, 0 if waiting else 1))
                if waiting:  # starting a worker may take minutes: not without need
                    self._fill(len(busy))
                while waiting and self._idle:
                    entry = waiting.popleft()
                    actor = self._idle.pop()
                    busy[actor.call.remote(sent, entry[0])] = (actor, *entry)
                    waiting.extend(islice(left, 0 if waiting else 1))
                if not (busy or waiting):
                    return
                for ref in self._wait([*busy, *self._starting]):
                    if ref in self._starting:
                        self._started(ref)
                        continue
                    actor, task, tries = busy.pop(ref)
                    result = self._result(ref, actor)
                    if isinstance(result, Failure) and tries < RETRIES:
                        waiting.append((task, tries + 1))
                    else:
                        yield task, result
        finally:  # the caller may stop early
            for actor, *_ in busy.values():
                ray.kill(actor)

    def _fill(self, busy: int) -> None:
        """Start as many actors as are missing."""
        for _ in range(self._wanted - busy - len(self._idle) - len(self._starting)):
            actor = self._start()
            self._starting[actor.ready.remote()] = actor

    def _wait(self, refs: list[Any]) -> list[Any]:
        done, _ = self._ray.wait(refs, num_returns=1, timeout=_NOTE_S)
        if not done and len(self._starting) == len(refs):
            _log.warning("waiting for free cores or GPUs of the cluster to start a worker")
        return list(done)

    def _started(self, ref: Any) -> None:  # noqa: ANN401 - Ray is optional
        actor = self._starting.pop(ref)
        try:
            self._ray.get(ref)
        except self._ray.exceptions.RayError as error:
            self._failed_starts += 1
            if self._failed_starts >= _MAX_FAILED_STARTS:
                raise TaskError(f"workers cannot be started: {failure_of(error).error}") from error
            return
        self._failed_starts = 0
        self._idle.append(actor)

    def _result(self, ref: Any, actor: Any) -> Any:  # noqa: ANN401
        """Result of a task, or its failure; an actor that lives is idle again."""
        exceptions = self._ray.exceptions
        try:
            result = self._ray.get(ref)
        except exceptions.RayActorError as error:
            return failure_of(error)
        except exceptions.RayError as error:
            result = failure_of(getattr(error, "cause", None) or error)
        self._idle.append(actor)
        return result

    def close(self) -> None:
        """Disconnect; a cluster that was started here ends."""
        self._idle.clear()
        self._starting.clear()
        self._ray.shutdown()
