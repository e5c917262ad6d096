"""Image towers that a scene classifier guides: what stands in for `model.visual`."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from terraseek.errors import ConfigError
from terraseek_train.methods.prior.instruction import InstructionEncoder
from terraseek_train.methods.prior.scene_classes import MEAN, STD, SceneClassifier
from terraseek_train.methods.prior.spatial import PriorVision, SpatialPae
from terraseek_train.methods.tokens import visual_tokens

__all__ = ["GuideConfig", "GuidedVision", "SceneEye", "guided_tower", "instruction_width"]


@dataclass(frozen=True)
class GuideConfig:
    """How images are guided; see `SpatialPae`."""

    belief: Literal["hard", "soft", "tower"]
    """`hard` is PIR's head over the image's tokens, `soft` PriorCLIP's; `tower` is PriorCLIP's
    open-domain form, the instruction as a token inside the image tower."""
    heads: int = 8
    layers: int = 2
    keep: int = 40
    pool: Literal["first", "sum"] = "first"
    dropout: float = 0.2
    release_compatible: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


class GuidedVision(nn.Module):
    """An image tower with the closed-domain head of PIR or PriorCLIP behind it.

    Args:
        visual: any tower whose tokens `visual_tokens` knows.
        instruction: gives u with the width of the joint space.
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
        """Unit vectors.

        Args:
            pixels: images.
            u: their instructions where they are known already; None asks the encoder.
        """
        if u is None:
            u = self.instruction(pixels)
        pooled, local = visual_tokens(self.visual, pixels)
        out: Tensor = self.spatial(torch.cat([pooled[:, None], local], dim=1), u)
        return out


class SceneEye(nn.Module):
    """What a scene classifier sees in pixels that were made for another tower.

    Args:
        classifier: whose pooled features are given.
        mean: of the other tower's pixels, R, G, B on the scale 0 to 1.
        std: likewise.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, classifier: SceneClassifier, mean: tuple[float, ...], std: tuple[float, ...]
    ) -> None:
        super().__init__()
        self.network = classifier.backbone()
        self.side = classifier.side
        # pixels * std + mean is RGB on the scale 0 to 1, which the classifier normalises its way
        factor = torch.tensor(std) / torch.tensor(STD)
        shift = (torch.tensor(mean) - torch.tensor(MEAN)) / torch.tensor(STD)
        self.register_buffer("std", factor.view(1, 3, 1, 1), persistent=False)
        self.register_buffer("mean", shift.view(1, 3, 1, 1), persistent=False)

    def forward(self, pixels: Float[Tensor, "b 3 height width"]) -> Float[Tensor, "b features"]:
        """Pooled features of squares of any side."""
        if pixels.shape[-1] != self.side:
            size = (self.side, self.side)
            pixels = F.interpolate(pixels, size, mode="bilinear", antialias=True)
        features: Tensor = self.network(pixels * self.std + self.mean)
        return features


def instruction_width(visual: Any, config: GuideConfig, dim: int) -> int:  # noqa: ANN401
    """Length of u: that of the joint vectors, or of the tokens inside the image tower.

    Raises:
        ConfigError: the belief `tower` on a tower without tokens.
    """
    if config.belief != "tower":
        return dim
    if not hasattr(visual, "class_embedding"):
        raise ConfigError(
            f"the belief 'tower' needs an open_clip ViT, not {type(visual).__name__}; take hard or "
            "soft, which stand behind any tower with tokens"
        )
    return int(visual.conv1.out_channels)


def guided_tower(
    visual: Any,  # noqa: ANN401
    instruction: InstructionEncoder,
    config: GuideConfig,
    dim: int,
) -> GuidedVision | PriorVision:
    """The tower a config describes around `visual`, whose parameters are used.

    Args:
        visual: image tower.
        instruction: with `instruction_width` numbers.
        config: how it guides.
        dim: length of the joint vectors.
    """
    if config.belief == "tower":
        return PriorVision(visual, instruction, config.release_compatible)
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
    return GuidedVision(visual, instruction, spatial)
