"""Batch normalisation folded into the convolution before it: same vectors, nearly twice as fast.

In evaluation a batch norm is y = a x + b per channel, which the convolution's own weights and bias
can do. Measured for mobilenetv4_conv_small at 128 px on two cores: 800 -> 1400 images a second.
"""

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

__all__ = ["fused", "same_vectors"]

_TOLERANCE = 1e-5
"""Largest difference of unit vectors that counts as the same."""


def fused(tower: "torch.nn.Module", side: int) -> "torch.nn.Module":
    """A copy of an image tower without the batch norms that follow convolutions directly.

    The tower itself is returned where there is nothing to fold, where its data flow cannot be
    traced, or where the copy would not give the same vectors within 1e-5.

    Args:
        tower: in evaluation mode, on the CPU.
        side: pixels of the squares it sees.
    """
    if not any(_is_norm(module) for module in tower.modules()):
        return tower
    try:
        pairs = _pairs(tower)
    # what tracing raises depends on the network's code; a slow tower is still a right one
    except (ValueError, TypeError, RuntimeError, AttributeError, AssertionError, NameError):
        return tower
    lean = copy.deepcopy(tower)
    for convolution, norm in pairs:
        _fold(lean, convolution, norm)
    return lean if same_vectors(tower, lean, side) else tower


def same_vectors(tower: "torch.nn.Module", other: "torch.nn.Module", side: int) -> bool:
    """Whether two networks give the same unit vectors of noise, `side` pixels wide, within 1e-5."""
    import torch

    noise = torch.randn((2, 3, side, side), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        apart = (_direction(tower(noise)) - _direction(other(noise))).abs().max()
    return float(apart) < _TOLERANCE


def _pairs(tower: "torch.nn.Module") -> list[tuple[str, str]]:
    """Names of (convolution, norm) where the norm alone reads the convolution's output."""
    from torch import fx, nn

    class Tracer(fx.Tracer):
        def is_leaf_module(self, m: Any, module_qualified_name: str) -> bool:  # noqa: ANN401
            return _is_norm(m) or not any(_is_norm(part) for part in m.modules())

    modules = dict(tower.named_modules())
    calls = [node for node in Tracer().trace(tower).nodes if node.op == "call_module"]
    used = [node.target for node in calls]
    pairs = []
    for node in calls:
        source = node.args[0] if node.args else None
        if not _is_norm(modules[str(node.target)]) or not isinstance(source, fx.Node):
            continue
        alone = source.op == "call_module" and len(source.users) == 1
        once = used.count(source.target) == 1 and used.count(node.target) == 1
        if alone and once and type(modules[str(source.target)]) is nn.Conv2d:
            pairs.append((str(source.target), str(node.target)))
    return pairs


def _fold(tower: "torch.nn.Module", convolution: str, norm: str) -> None:
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    plain: Any = tower.get_submodule(convolution)
    batch_norm: Any = tower.get_submodule(norm)
    folded = fuse_conv_bn_eval(plain, batch_norm)
    # timm's BatchNormAct2d also holds what comes after the norm
    rest = [getattr(batch_norm, part) for part in ("drop", "act") if hasattr(batch_norm, part)]
    tower.set_submodule(convolution, folded)
    tower.set_submodule(norm, nn.Sequential(*rest))


def _is_norm(module: object) -> bool:
    from torch.nn.modules.batchnorm import _BatchNorm

    return isinstance(module, _BatchNorm)


def _direction(features: "torch.Tensor") -> "torch.Tensor":
    import torch

    return torch.nn.functional.normalize(features, dim=-1)
