"""Data parallel training: several processes share a batch, each sees all features of it.

Started by `torchrun --nproc-per-node N -m terraseek_train.train CONFIG.json`; without torchrun's
variables everything here does nothing.
"""

import atexit
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
import torch.distributed as dist
from jaxtyping import Float, Int
from torch import Tensor, nn

from terraseek.errors import ConfigError

__all__ = ["Team", "join", "leave", "nth_device", "own_device"]


@dataclass(frozen=True)
class Team:
    """This process among those that train together."""

    rank: int = 0
    size: int = 1

    def check_share(self, batch: int) -> None:
        """Refuse a batch that cannot be shared evenly.

        Raises:
            ConfigError: `batch` is no multiple of the number of processes.
        """
        if batch % self.size:
            raise ConfigError(
                f"batch {batch} cannot be shared by {self.size} processes; "
                f"make it a multiple of {self.size}"
            )

    def gather(self, features: Float[Tensor, "b dim"]) -> Float[Tensor, "all dim"]:
        """The rows of all processes in order of rank; only the own rows carry a gradient.

        Every process computes the whole loss from them, so that gradients summed over processes
        are those of the whole batch.
        """
        if self.size == 1:
            return features
        parts = [torch.empty_like(features) for _ in range(self.size)]
        dist.all_gather(parts, features.detach().contiguous())
        parts[self.rank] = features
        return torch.cat(parts)

    def share(self, value: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """A parameter that every process uses in the same whole loss: 1/size of the gradient."""
        if self.size == 1:
            return value
        return value / self.size + value.detach() * (1 - 1 / self.size)

    def sum_gradients(
        self,
        parameters: Iterable[nn.Parameter],
        rows: Mapping[nn.Parameter, Int[Tensor, " used"]] | None = None,
    ) -> None:
        """Add up every parameter's gradient over the processes, in one message.

        Args:
            parameters: those without a gradient are passed over.
            rows: of parameters whose other rows have no gradient in any process: only these are
                sent. A vocabulary of 49,408 tokens is two thirds of a small model.
        """
        if self.size == 1:
            return
        rows = rows or {}
        found = [(p.grad, rows.get(p, ...)) for p in parameters if p.grad is not None]
        sent = [gradient[used] for gradient, used in found]
        flat = torch.cat([part.reshape(-1) for part in sent])
        dist.all_reduce(flat)
        sums = torch.split(flat, [part.numel() for part in sent])
        for (gradient, used), part, summed in zip(found, sent, sums, strict=True):
            gradient[used] = summed.view_as(part)


def join(backend: str = "gloo") -> Team:
    """The team torchrun's environment variables describe; alone without them.

    Args:
        backend: `nccl` where every process has a CUDA device of its own, `gloo` on CPUs.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return Team()
    if not dist.is_initialized():
        dist.init_process_group(backend)
        # a process that exits with gloo's threads still running is aborted now and then
        atexit.register(leave)
    return Team(dist.get_rank(), size)


def leave() -> None:
    """End this process's part in the team; does nothing when it is in none."""
    if dist.is_initialized():
        dist.destroy_process_group()


def own_device(wanted: str) -> torch.device:
    """The device this process computes on; with several processes, one CUDA device each.

    Args:
        wanted: `device` of the config.

    Raises:
        ConfigError: no such device, or more processes than CUDA devices.
    """
    from terraseek.encoders.nets.open_clip_encoder import pick_device

    device = pick_device(wanted)
    if device.type != "cuda" or device.index is not None:
        return device
    here = int(os.environ.get("LOCAL_RANK", "0"))
    return torch.device("cuda", nth_device(here, torch.cuda.device_count()))


def nth_device(rank_here: int, there: int) -> int:
    """Number of the CUDA device of a process.

    Args:
        rank_here: number of the process among those on this machine.
        there: number of devices.

    Raises:
        ConfigError: there is none left for it.
    """
    if rank_here >= there:
        raise ConfigError(
            f"process {rank_here} has no CUDA device of its own, there are {there}; start as many "
            'processes as devices (torchrun --nproc-per-node), or set "device" to "cpu"'
        )
    return rank_here
