"""LoRA for timm image towers: deltas beside their 1x1 convolutions and linear maps.

A 1x1 convolution is the same linear map at every pixel, so LoRA's formula applies unchanged. The
papers adapt transformers only; this extends the method to convolutional towers.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from terraseek.errors import ConfigError
from terraseek_train.peft.config import PeftConfig

__all__ = ["PointwiseDelta", "add_deltas", "merge_deltas", "pointwise_layers", "remove_deltas"]


class PointwiseDelta(nn.Module):
    """(alpha / r) B A x beside a frozen layer (LoRA eq. 3); B starts at zero.

    Args:
        layer: linear map, or dense convolution with 1x1 kernels; the delta has its stride.
        rank: r.
        alpha: scale times r.
    """

    def __init__(self, layer: nn.Conv2d | nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        weight = layer.weight
        self.a = nn.Parameter(weight.new_empty(rank, weight.shape[1]))
        self.b = nn.Parameter(weight.new_zeros(weight.shape[0], rank))
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))
        self.factor = alpha / rank
        self.stride = layer.stride if isinstance(layer, nn.Conv2d) else None

    def forward(self, x: Tensor) -> Tensor:
        """Delta added to the layer's output, for input [..., in] or [b, in, h, w]."""
        if self.stride is None:
            return F.linear(F.linear(x, self.a), self.b) * self.factor
        inner = F.conv2d(x, self.a[:, :, None, None], stride=self.stride)
        return F.conv2d(inner, self.b[:, :, None, None]) * self.factor

    def matrix(self) -> Tensor:
        """The delta as one matrix [out, in], for merging into the layer."""
        return self.factor * self.b @ self.a


def pointwise_layers(visual: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    """Layers of an image tower that can carry deltas, in the order of its modules.

    Raises:
        ConfigError: there are none.
    """
    found = [module for module in visual.modules() if _is_pointwise(module)]
    if not found:
        raise ConfigError(
            f"the image tower {type(visual).__name__} has neither 1x1 convolutions nor linear "
            "maps, so LoRA has no place in it; choose towers without it, or the kind 'full'"
        )
    return found  # type: ignore[return-value]


def add_deltas(visual: nn.Module, config: PeftConfig) -> None:
    """Add a delta to every pointwise layer, as its submodule `lora`."""
    for layer in pointwise_layers(visual):
        holder: Any = layer
        holder.lora = PointwiseDelta(layer, config.rank, config.alpha)
        # a hook, so that the layer's own parameters keep their names
        layer.register_forward_hook(_with_delta)


@torch.no_grad()
def merge_deltas(visual: nn.Module) -> None:
    """Add the deltas to the weights; outputs do not change once the deltas are removed."""
    for layer in pointwise_layers(visual):
        holder: Any = layer
        layer.weight += holder.lora.matrix().reshape(layer.weight.shape)


def remove_deltas(visual: nn.Module) -> None:
    """Remove the deltas."""
    for layer in pointwise_layers(visual):
        holder: Any = layer
        if hasattr(holder, "lora"):
            del holder.lora
        hooks = layer._forward_hooks
        for key in [key for key, hook in hooks.items() if hook is _with_delta]:
            del hooks[key]


def _is_pointwise(module: nn.Module) -> bool:
    if isinstance(module, nn.Linear):
        return True
    if not isinstance(module, nn.Conv2d):
        return False
    return module.kernel_size == (1, 1) and module.groups == 1 and module.padding in ((0, 0), 0)


def _with_delta(layer: Any, inputs: Any, out: Tensor) -> Tensor:  # noqa: ANN401
    # a module function, not a bound method, so that copies of the model use their own deltas
    changed: Tensor = out + layer.lora(inputs[0])
    return changed
