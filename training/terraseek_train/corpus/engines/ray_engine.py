"""The cluster engine: the same function as a Ray task per shard; markers on disk stay the truth.

All nodes need the same file system at the same path, because shards are read and written there. A
worker that dies costs its shard one try; Ray's own retries and checkpoints are not used.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from terraseek.display import import_extra
from terraseek_train.corpus.engines.engine import RETRIES, Engine, Failure, failure_of

__all__ = ["RayEngine"]


class RayEngine(Engine):
    """Runs tasks on a Ray cluster, each on one core."""

    def __init__(self, address: str | None = None, workers: int = 2) -> None:
        """Connect to a cluster, or start one on this machine.

        Args:
            address: of a running cluster, such as `ray://host:10001` or `auto`; None starts one.
            workers: cores of a cluster that is started here; tasks in work are twice as many.

        Raises:
            MissingExtraError: Ray is not installed.
        """
        ray: Any = import_extra("ray", "cluster")
        self._ray = ray
        cores = {} if address else {"num_cpus": workers}
        ray.init(
            address=address, include_dashboard=False, log_to_driver=False,
            ignore_reinit_error=True, **cores,
        )  # fmt: skip
        self._limit = 2 * (int(ray.cluster_resources().get("CPU", workers)) if address else workers)

    def run(
        self, function: Callable[[Any], Any], tasks: Iterable[Any]
    ) -> Iterator[tuple[Any, Any | Failure]]:
        """See `Engine.run`."""
        ray = self._ray
        remote = ray.remote(num_cpus=1, max_retries=0)(function)
        left = ((task, 0) for task in tasks)
        again: deque[tuple[Any, int]] = deque()
        waiting: dict[Any, tuple[Any, int]] = {}
        while True:
            while len(waiting) < self._limit:
                entry = again.popleft() if again else next(left, None)
                if entry is None:
                    break
                waiting[remote.remote(entry[0])] = entry
            if not waiting:
                return
            [done], _ = ray.wait(list(waiting), num_returns=1)
            task, tries = waiting.pop(done)
            try:
                result = ray.get(done)
            except ray.exceptions.RayError as error:
                if tries < RETRIES:
                    again.append((task, tries + 1))
                    continue
                result = failure_of(getattr(error, "cause", None) or error)
            yield task, result

    def close(self) -> None:
        """Disconnect; a cluster that was started here ends."""
        self._ray.shutdown()
