"""Transformers and parameter names of open_clip models, in each of their layouts."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from terraseek.errors import ConfigError
from terraseek_train.peft.config import TowerName
from terraseek_train.peft.split_attention import is_split, split_projections

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
        first = self.blocks[0]
        weight: Tensor = (
            split_projections(first)[0].weight if self.split else first.attn.in_proj_weight
        )
        return weight

    @property
    def split(self) -> bool:
        """Whether query, key and value are maps of their own, as in BERT and MiniLM."""
        return is_split(self.blocks[0])


def find_tower(model: nn.Module, name: TowerName) -> Tower:
    """Image or text transformer of an open_clip CLIP or CustomTextCLIP, or of a `LiteClip`.

    The text transformers of an ensemble count as one tower with the blocks of all members.

    Raises:
        ConfigError: the tower is no transformer, or its attention is of an unknown kind.
    """
    holder: Any = model
    tower = getattr(holder, "visual", None) if name == "image" else getattr(holder, "text", holder)
    transformer = getattr(tower, "transformer", None) or getattr(tower, "reader", None)
    blocks = _blocks(transformer)
    if not blocks:
        raise ConfigError(
            f"the {name} tower of this model is no open_clip transformer, so it takes no "
            "bottlenecks, prefixes or gates; choose another base, towers without it, or the kinds "
            "'lora' (image towers of timm) or 'full'"
        )
    for block in blocks:
        if is_split(block):
            continue
        weight = getattr(block.attn, "in_proj_weight", None)
        if weight is None or not hasattr(block.attn, "batch_first"):
            kind = type(block.attn).__name__
            raise ConfigError(f"attention of kind {kind} in the {name} tower takes no adapters")
    first = blocks[0]
    weight = split_projections(first)[0].weight if is_split(first) else first.attn.in_proj_weight
    return Tower(name, transformer, blocks, weight.shape[1])


def _blocks(transformer: Any) -> list[Any]:  # noqa: ANN401
    """Layers of a transformer of open_clip, MiniLM or BERT; none of anything else."""
    for name in ("resblocks", "blocks"):
        if hasattr(transformer, name):
            return list(getattr(transformer, name))
    encoder = getattr(transformer, "encoder", None)
    if isinstance(encoder, nn.ModuleDict) and "layer" in encoder:
        layers: Any = encoder["layer"]
        return list(layers)
    return []


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
