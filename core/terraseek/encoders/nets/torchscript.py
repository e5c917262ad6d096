"""A convolution tower laid out for this CPU: the same vectors, some 1.3 times as many a second.

oneDNN computes convolutions of few channels a group best in blocked layouts, with ReLU and the sum
of a residual block in the same pass. PyTorch keeps pixels as they came and makes a pass of each,
unless a network is frozen first. Measured for the shipped encoder on two cores without AVX-512, see
docs/benchmarks.md.
"""

import copy
import warnings
from typing import TYPE_CHECKING, Any

from terraseek.encoders.nets.fuse import same_vectors

if TYPE_CHECKING:
    import torch

__all__ = ["frozen"]


def frozen(tower: "torch.nn.Module", side: int) -> "torch.nn.Module | None":
    """A copy of an image tower as oneDNN likes it, made in seconds: for many images only.

    None where it has no timm trunk (transformers gain nothing), where its data flow cannot be
    recorded, or where the copy would not give the same vectors within 1e-5.

    Args:
        tower: in evaluation mode, on the CPU.
        side: pixels of the squares it sees.
    """
    import torch

    if not hasattr(tower, "trunk"):
        return None
    plain: Any = copy.deepcopy(tower)
    plain.to(memory_format=torch.contiguous_format)
    torchscript: Any = torch.jit
    try:
        with warnings.catch_warnings(), torch.no_grad():
            # TorchScript is on its way out; what follows it needs a C++ compiler on every machine
            warnings.simplefilter("ignore")
            recorded = torchscript.trace(plain, torch.zeros(2, 3, side, side), check_trace=False)
            lean = torchscript.optimize_for_inference(torchscript.freeze(recorded.eval()))
            return lean if same_vectors(tower, lean, side) else None
    # a torch without TorchScript, or a network it cannot record; a slow tower is still a right one
    except (AttributeError, RuntimeError, TypeError, ValueError):
        return None
