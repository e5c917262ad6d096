"""Storage of large matrices as int8 with one scale per row: a quarter of their float32 size.

A matrix stored as `name` has a companion `name#scale` [rows, 1]; its value is their product. Values
are rounded to the nearest of 255 steps between plus and minus the largest absolute value of a row.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

__all__ = ["SCALE", "dequantize_state", "quantize_state"]

SCALE = "#scale"
_STEPS = 127


def quantize_state(
    state: Mapping[str, Tensor], use_int8: Callable[[str], bool]
) -> dict[str, Tensor]:
    """Convert tensors for storage: matrices whose name `use_int8` accepts to int8 with scales.

    Other floating-point tensors become float16; tensors of whole numbers stay as they are.
    """
    out: dict[str, Tensor] = {}
    for name, value in state.items():
        if not value.is_floating_point():
            out[name] = value
        elif value.ndim == 2 and use_int8(name):
            scale = value.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / _STEPS
            out[name] = (value / scale).round().to(torch.int8)
            out[name + SCALE] = scale.float()
        else:
            out[name] = value.to(torch.float16)
    return out


def dequantize_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convert stored tensors back: those with scales to float32, all others as they are."""
    scales = {key.removesuffix(SCALE): value for key, value in state.items() if key.endswith(SCALE)}
    values = {key: value for key, value in state.items() if not key.endswith(SCALE)}
    return values | {key: values[key].float() * scale.float() for key, scale in scales.items()}
