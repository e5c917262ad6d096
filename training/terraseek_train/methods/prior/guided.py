"""Image towers guided by a scene classifier, as replacements of `model.visual`."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from terraseek.errors import ConfigError
from terraseek_train.methods.prior.instruction import InstructionEncoder
from terraseek_train.methods.prior.scene_classifier import MEAN, STD, SceneClassifier
from terraseek_train.methods.prior.spatial import OpenDomainVision, SpatialPae
from terraseek_train.methods.tokens import visual_tokens

__all__ = [
    "KIND_PREFIX",
    "ClosedDomainVision",
    "GuideConfig",
    "RenormalizedBackbone",
    "build_guided_tower",
    "instruction_width",
]

KIND_PREFIX = "prior-"
"""Start of the adapter kinds that bring a guided image tower."""


@dataclass(frozen=True)
class GuideConfig:
    """How the scene instruction guides the image features; see `SpatialPae`."""

    belief: Literal["hard", "soft", "tower"]
    """`hard`: PIR's head over the image tokens; `soft`: PriorCLIP's; `tower`: PriorCLIP's
    open-domain form, where the instruction is a token inside the image tower."""
    heads: int = 8
    layers: int = 2
    keep: int = 40
    pool: Literal["first", "sum"] = "first"
    dropout: float = 0.2
    release_compatible: bool = False

    @property
    def kind(self) -> str:
        """Adapter kind, as written in an adapter folder."""
        return f"{KIND_PREFIX}{self.belief}"

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


class ClosedDomainVision(nn.Module):
    """Image tower with the closed-domain head of PIR or PriorCLIP on its tokens.

    Args:
        visual: any tower that `visual_tokens` supports.
        instruction: computes u with the width of the joint space.
        spatial: the head.
    """

    def __init__(
        self,
        visual: Any,  # noqa: ANN401 - open_clip has no types
        instruction: InstructionEncoder,
        spatial: SpatialPae,
    ) -> None:
        super().__init__()
        self.visual = visual
        self.instruction = instruction
        self.spatial = spatial

    def forward(
        self, pixels: Float[Tensor, "b 3 height width"], u: Float[Tensor, "b dim"] | None = None
    ) -> Float[Tensor, "b dim"]:
        """Unit image vectors.

        Args:
            pixels: normalised images.
            u: instructions of the images; None computes them from the pixels.
        """
        if u is None:
            u = self.instruction(pixels)
        pooled, local = visual_tokens(self.visual, pixels)
        out: Tensor = self.spatial(torch.cat([pooled[:, None], local], dim=1), u)
        return out


class RenormalizedBackbone(nn.Module):
    """Backbone of a scene classifier on pixels that were normalised for another image tower.

    Args:
        classifier: whose pooled features are computed.
        mean: mean used for the other tower's pixels, R, G, B on the scale 0 to 1.
        std: standard deviation, likewise.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, classifier: SceneClassifier, mean: tuple[float, ...], std: tuple[float, ...]
    ) -> None:
        super().__init__()
        self.network = classifier.backbone()
        self.side = classifier.side
        # pixels * std + mean is RGB on the scale 0 to 1, then normalised as the classifier expects
        factor = torch.tensor(std) / torch.tensor(STD)
        shift = (torch.tensor(mean) - torch.tensor(MEAN)) / torch.tensor(STD)
        self.register_buffer("std", factor.view(1, 3, 1, 1), persistent=False)
        self.register_buffer("mean", shift.view(1, 3, 1, 1), persistent=False)

    def forward(self, pixels: Float[Tensor, "b 3 height width"]) -> Float[Tensor, "b features"]:
        """Pooled features of square images of any side."""
        if pixels.shape[-1] != self.side:
            size = (self.side, self.side)
            pixels = F.interpolate(pixels, size, mode="bilinear", antialias=True)
        features: Tensor = self.network(pixels * self.std + self.mean)
        return features


def instruction_width(visual: Any, config: GuideConfig, dim: int) -> int:  # noqa: ANN401
    """Length of u: width of the joint space, or of the tokens inside the image tower.

    Raises:
        ConfigError: the belief is `tower`, but the image tower is no open_clip ViT.
    """
    if config.belief != "tower":
        return dim
    if not hasattr(visual, "class_embedding"):
        raise ConfigError(
            f"the belief 'tower' needs an open_clip ViT, not {type(visual).__name__}; take hard or "
            "soft, which work with any tower with tokens"
        )
    return int(visual.conv1.out_channels)


def build_guided_tower(
    visual: Any,  # noqa: ANN401
    instruction: InstructionEncoder,
    config: GuideConfig,
    dim: int,
) -> ClosedDomainVision | OpenDomainVision:
    """Guided tower around `visual`, which shares its parameters.

    Args:
        visual: image tower.
        instruction: encoder of u, of the width `instruction_width`.
        config: how the instruction guides the tower.
        dim: width of the joint space.
    """
    if config.belief == "tower":
        return OpenDomainVision(visual, instruction, config.release_compatible)
    spatial = SpatialPae(
        dim,
        config.heads,
        config.layers,
        config.keep,
        config.belief,
        config.pool,
        config.release_compatible,
        config.dropout,
    )
    return ClosedDomainVision(visual, instruction, spatial)
