"""The methods `pir` and `priorclip`: guided towers, contrastive and affiliation loss."""

import math
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from terraseek.errors import ConfigError
from terraseek_train.config import TrainConfig
from terraseek_train.loop.device_batch import DeviceBatch
from terraseek_train.loop.losses import contrastive_loss, soft_targets
from terraseek_train.loop.model import ClipModel
from terraseek_train.loop.parallel import ProcessGroup
from terraseek_train.methods.options import PriorMethodOptions
from terraseek_train.methods.prior import InstructionEncoder, TemporalPae, affiliation_loss
from terraseek_train.methods.prior.guided import (
    ClosedDomainVision,
    GuideConfig,
    RenormalizedBackbone,
    build_guided_tower,
    instruction_width,
)
from terraseek_train.methods.prior.scene_classifier import SceneClassifier
from terraseek_train.methods.tokens import caption_sequence, trim_caption_padding

__all__ = ["PriorModel", "guide_of"]


def guide_of(options: PriorMethodOptions) -> GuideConfig | None:
    """Return how the options guide the image tower; None if they do not."""
    if options.belief == "none":
        return None
    return GuideConfig(
        options.belief,
        options.heads,
        options.layers,
        options.keep,
        options.pool,
        options.dropout,
        options.release_compatible,
    )


class PriorModel(ClipModel):
    """L_c + weight L_a, with Spatial-PAE on images and Temporal-PAE on captions as options say.

    The frozen scene classifier sees the same augmented images as the image tower.
    """

    def __init__(self, config: TrainConfig, options: PriorMethodOptions) -> None:
        super().__init__(config.arch)
        self.options = options
        self.guide = guide_of(options)
        dim = int(config.arch["embed_dim"])
        if self.guide is not None:
            self._add_guide(config, self.guide, dim)
        if options.temporal:
            self.temporal = TemporalPae(dim, options.heads, dropout=options.dropout)
            self._init_head(self.temporal.head)
        if options.own_temperature:
            self.affiliation_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def _add_guide(self, config: TrainConfig, guide: GuideConfig, dim: int) -> None:
        if not self.options.instruction:
            raise ConfigError(
                f"the method {config.method} with belief {guide.belief!r} needs the option "
                "instruction, the folder of a scene classifier; `terraseek-train instruction "
                "CONFIG` trains one"
            )
        self.classifier = _Unregistered(SceneClassifier.open(Path(self.options.instruction)))
        backbone = RenormalizedBackbone(self.classifier.value, config.means, config.stds)
        visual = self.clip.visual
        inner = instruction_width(visual, guide, dim)
        instruction = InstructionEncoder(backbone, self.classifier.value.width, inner)
        self.tower = build_guided_tower(visual, instruction, guide, dim)
        if isinstance(self.tower, ClosedDomainVision):
            self._init_head(self.tower.spatial.head)

    def _init_head(self, head: nn.Linear) -> None:
        if self.options.zero_heads:
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def encode_images(self, images: Float[Tensor, "b 3 side side"]) -> Float[Tensor, "b ..."]:
        """Compute image features, guided by the scene instruction if there is a belief."""
        if self.guide is None:
            return super().encode_images(images)
        features: Tensor = self.tower(images)
        return features.float()

    def encode_texts(self, tokens: Int[Tensor, "t context"]) -> Float[Tensor, "t ..."]:
        """Compute caption features, after Temporal-PAE if the options have it."""
        if not self.options.temporal:
            return super().encode_texts(tokens)
        tokens = trim_caption_padding(self.clip, tokens)
        features: Tensor = self.temporal(*caption_sequence(self.clip, tokens))
        return features.float()

    def loss(
        self,
        batch: DeviceBatch,
        image: Float[Tensor, "b ..."],
        text: Float[Tensor, "rows ..."],
        group: ProcessGroup,
        scores: Float[Tensor, "all all"] | None = None,
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Compute contrastive and affiliation loss over the pairs of all processes."""
        images = group.gather(F.normalize(image, dim=-1))
        texts = group.gather(F.normalize(text[: len(image)], dim=-1))
        same = batch.all_place[:, None] == batch.all_place[None, :]
        neutral = torch.zeros_like(same)
        scale = group.scale_grad(self.scale())
        contrast = contrastive_loss(
            images, texts, scale, soft_targets(same, neutral, None, 0.0), neutral
        )
        second = scale
        if self.options.own_temperature:
            second = group.scale_grad(self.affiliation_scale.exp().clamp(max=100))
        affiliation = self.options.weight * affiliation_loss(
            images,
            texts,
            batch.all_label,
            second,
            self.options.reading,
            self.options.softmax_over_texts,
        )
        return contrast + affiliation, {"contrast": contrast, "affiliation": affiliation}


class _Unregistered:
    """Holds a module's parts beside the module tree, so that they are not stored twice."""

    def __init__(self, value: Any) -> None:  # noqa: ANN401
        self.value = value
