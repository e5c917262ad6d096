"""Transformers and parameter names of open_clip models, in each of their layouts."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from terraseek.errors import ConfigError
from terraseek_train.peft.config import TowerName

__all__ = ["Tower", "find_tower", "timm_visual", "tower_names"]


@dataclass(frozen=True)
class Tower:
    """One transformer of a model: its module, its blocks and its width."""

    name: TowerName
    transformer: Any
    blocks: list[Any]
    width: int

    @property
    def like(self) -> Tensor:
        """A tensor with the device and dtype that new parameters take."""
        weight: Tensor = self.blocks[0].attn.in_proj_weight
        return weight


def find_tower(model: nn.Module, name: TowerName) -> Tower:
    """Image or text transformer of an open_clip CLIP or CustomTextCLIP.

    The text transformers of an ensemble count as one tower with the blocks of all members.

    Raises:
        ConfigError: the tower is no transformer, or its attention is not open_clip's fused one.
    """
    holder: Any = model
    if name == "image":
        transformer = getattr(getattr(holder, "visual", None), "transformer", None)
    else:
        transformer = getattr(getattr(holder, "text", holder), "transformer", None)
    blocks = list(getattr(transformer, "resblocks", ()))
    if not blocks:
        raise ConfigError(
            f"the {name} tower of this model is no open_clip transformer, so it takes no "
            "bottlenecks, prefixes or gates; choose another base, towers without it, or the kinds "
            "'lora' (image towers of timm) or 'full'"
        )
    for block in blocks:
        weight = getattr(block.attn, "in_proj_weight", None)
        if weight is None or not hasattr(block.attn, "batch_first"):
            kind = type(block.attn).__name__
            raise ConfigError(f"attention of kind {kind} in the {name} tower takes no adapters")
    return Tower(name, transformer, blocks, blocks[0].attn.in_proj_weight.shape[1])


def timm_visual(model: nn.Module) -> nn.Module | None:
    """The image tower if it is a timm network; None if it is open_clip's own."""
    visual = getattr(model, "visual", None)
    return visual if isinstance(visual, nn.Module) and hasattr(visual, "trunk") else None


def tower_names(model: nn.Module, name: TowerName) -> set[str]:
    """Names of the parameters of one tower, with its projection but without the temperature."""
    names = {key for key, _ in model.named_parameters()}
    image = {key for key in names if key.startswith("visual.")}
    shared = {"logit_scale", "logit_bias"}
    return image if name == "image" else names - image - shared
