"""TorchScript optimization of a convolutional image tower for the CPU, about 1.3 times as fast.

oneDNN computes convolutions with few channels per group best in blocked memory layouts, with ReLU
and residual additions fused into the same pass. PyTorch uses these only after the network has been
recorded as TorchScript and its weights turned into constants. Measured for the shipped encoder on
two cores without AVX-512, see docs/benchmarks.md.
"""

import copy
import warnings
from typing import Any

import torch
from torch import nn

from terraseek.encoders.nets.fuse import outputs_match

__all__ = ["optimize_for_cpu"]


def optimize_for_cpu(tower: nn.Module, side: int) -> nn.Module | None:
    """Return an optimized copy of an image tower; takes seconds, so only for many images.

    Returns:
        The copy, or None if the tower has no timm trunk (transformers gain nothing), cannot be
        recorded, or if the copy would not give the same vectors within 1e-5.

    Args:
        tower: in evaluation mode, on the CPU.
        side: of its input squares in pixels.
    """
    if not hasattr(tower, "trunk"):
        return None
    plain: Any = copy.deepcopy(tower)
    plain.to(memory_format=torch.contiguous_format)
    torchscript: Any = torch.jit
    try:
        with warnings.catch_warnings(), torch.no_grad():
            # TorchScript is deprecated, but its successor needs a C++ compiler on every machine
            warnings.simplefilter("ignore")
            recorded = torchscript.trace(plain, torch.zeros(2, 3, side, side), check_trace=False)
            optimized = torchscript.optimize_for_inference(torchscript.freeze(recorded.eval()))
            return optimized if outputs_match(tower, optimized, side) else None
    # a torch without TorchScript, or a network it cannot record; a slow tower is still correct
    except (AttributeError, RuntimeError, TypeError, ValueError):
        return None
