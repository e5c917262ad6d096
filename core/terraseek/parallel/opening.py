"""The task engine that the options of a command ask for."""

from terraseek.errors import ConfigError
from terraseek.parallel.engine import TaskEngine
from terraseek.parallel.local import LocalEngine

__all__ = ["open_task_engine"]


def open_task_engine(
    name: str,
    workers: int | None = None,
    address: str | None = None,
    cores: int = 1,
    *,
    use_gpus: bool = False,
) -> TaskEngine:
    """Open a task engine; the caller closes it.

    Args:
        name: `local`, or `ray`.
        workers: number of worker processes; by default one, and of a cluster as many as fit.
        address: of a running Ray cluster; None starts one on this machine.
        cores: threads of each worker.
        use_gpus: whether each worker on a cluster that has GPUs gets one.

    Raises:
        ConfigError: no engine has this name, or an address without `ray`.
        MissingExtraError: Ray is not installed.
        TaskError: there is no cluster at this address.
    """
    if name == "ray":
        from terraseek.parallel.ray_engine import RayEngine

        return RayEngine(address, workers, cores, use_gpus=use_gpus)
    if name != "local" or address is not None:
        raise ConfigError(f"engine {name!r}: use local, or ray with or without --address")
    return LocalEngine(workers or 1, cores)
