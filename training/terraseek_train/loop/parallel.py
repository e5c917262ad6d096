"""Data-parallel training: several processes split a batch, and each sees the features of all.

Started by `torchrun --nproc-per-node N -m terraseek_train.train CONFIG.json`; without the
environment variables that torchrun sets, everything here does nothing.
"""

import atexit
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
import torch.distributed as dist
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from terraseek.errors import ConfigError

__all__ = ["ProcessGroup", "destroy", "init_distributed", "local_cuda_index", "local_device"]


@dataclass(frozen=True)
class ProcessGroup:
    """The processes that train together, as seen by one of them."""

    rank: int = 0
    world_size: int = 1

    def check_batch_size(self, batch: int) -> None:
        """Refuse a batch that cannot be split evenly.

        Raises:
            ConfigError: `batch` is no multiple of the number of processes.
        """
        if batch % self.world_size:
            raise ConfigError(
                f"batch {batch} cannot be split evenly over {self.world_size} processes; "
                f"make it a multiple of {self.world_size}"
            )

    def gather(self, features: Shaped[Tensor, "b ..."]) -> Shaped[Tensor, "all ..."]:
        """Concatenate the rows of all processes in order of rank; only local rows get a gradient.

        All processes must hold rows of one shape.

        Every process computes the whole loss from the result, so the sum of the gradients over
        the processes is the gradient of the whole batch.
        """
        if self.world_size == 1:
            return features
        parts = [torch.empty_like(features) for _ in range(self.world_size)]
        dist.all_gather(parts, features.detach().contiguous())
        parts[self.rank] = features
        return torch.cat(parts)

    def scale_grad(self, value: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """Divide the gradient of a scalar by the world size, without changing the scalar.

        For a parameter that every process uses in the same whole-batch loss.
        """
        if self.world_size == 1:
            return value
        return value / self.world_size + value.detach() * (1 - 1 / self.world_size)

    def sum_gradients(
        self,
        parameters: Iterable[nn.Parameter],
        rows: Mapping[nn.Parameter, Int[Tensor, " used"]] | None = None,
    ) -> None:
        """Sum the gradient of every parameter over the processes, in one message.

        Args:
            parameters: those without a gradient are skipped.
            rows: for parameters of which only some rows can have a gradient, in any process: these
                row numbers. Only they are sent; a vocabulary of 49,408 tokens is two thirds of a
                small model.
        """
        if self.world_size == 1:
            return
        rows = rows or {}
        found = [(p.grad, rows.get(p, ...)) for p in parameters if p.grad is not None]
        sent = [gradient[used] for gradient, used in found]
        flat = torch.cat([part.reshape(-1) for part in sent])
        dist.all_reduce(flat)
        sums = torch.split(flat, [part.numel() for part in sent])
        for (gradient, used), part, summed in zip(found, sent, sums, strict=True):
            gradient[used] = summed.view_as(part)


def init_distributed(backend: str = "gloo") -> ProcessGroup:
    """Join the processes that torchrun's environment variables describe; one without them.

    Args:
        backend: `nccl` where every process has its own CUDA device, `gloo` on CPUs.
    """
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    if world_size == 1:
        return ProcessGroup()
    if not dist.is_initialized():
        dist.init_process_group(backend)
        # a process that exits while gloo's threads still run is sometimes aborted
        atexit.register(destroy)
    return ProcessGroup(dist.get_rank(), world_size)


def destroy() -> None:
    """Leave torch's default process group; does nothing when there is none."""
    if dist.is_initialized():
        dist.destroy_process_group()


def local_device(wanted: str) -> torch.device:
    """Choose the device of this process; with several processes, one CUDA device each.

    Args:
        wanted: `device` of the config.

    Raises:
        ConfigError: no such device, or more processes than CUDA devices.
    """
    from terraseek.encoders.nets.open_clip_encoder import pick_device

    device = pick_device(wanted)
    if device.type != "cuda" or device.index is not None:
        return device
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    return torch.device("cuda", local_cuda_index(local_rank, torch.cuda.device_count()))


def local_cuda_index(local_rank: int, device_count: int) -> int:
    """Index of the CUDA device of a process.

    Args:
        local_rank: rank of the process among those on this machine.
        device_count: number of CUDA devices of this machine.

    Raises:
        ConfigError: there are fewer devices than processes.
    """
    if local_rank >= device_count:
        raise ConfigError(
            f"process {local_rank} has no CUDA device of its own, there are {device_count}; start "
            "as many processes as devices (torchrun --nproc-per-node), or set "
            '"device" to "cpu"'
        )
    return local_rank
