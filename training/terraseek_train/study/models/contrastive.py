"""Plain contrastive training of a study, the base class of the other methods."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, Int
from torch import Tensor, nn

from terraseek.encoders.cards import Preprocess
from terraseek.encoders.nets.text_tower import encode_tokens
from terraseek_train.loop.losses import contrastive_loss, soft_targets
from terraseek_train.methods.tokens import trim_caption_padding
from terraseek_train.peft import save
from terraseek_train.study.inputs.base import BaseModel
from terraseek_train.study.inputs.dataset import CaptionedImages, StudyBatch, normalize

__all__ = ["ContrastiveModel"]

EVAL_BATCH = 256
"""Images or captions encoded at once in evaluation."""


class ContrastiveModel(nn.Module):
    """Model with a symmetric contrastive loss; subclasses override what their method changes.

    Args:
        model: an open_clip CLIP or CustomTextCLIP, with adapters applied.
    """

    def __init__(self, model: Any) -> None:  # noqa: ANN401 - open_clip has no types
        super().__init__()
        self.model = model

    def train(self, mode: bool = True) -> "ContrastiveModel":
        """Set training mode for all modules except frozen batch norms.

        Their statistics are stored only in the base, so they must not change with an adapter.
        """
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and not any(
                p.requires_grad for p in module.parameters()
            ):
                module.eval()
        return self

    def start_epoch(self, epoch: int) -> None:
        """Prepare for an epoch, counted from 0; called before its first step."""

    def encode_images(
        self, pixels: Float[Tensor, "b 3 side side"], scene: Float[Tensor, "b features"] | None
    ) -> Float[Tensor, "b dim"]:
        """Image features, any length."""
        features: Tensor = self.model.encode_image(pixels)
        return features

    def encode_texts(self, tokens: Int[Tensor, "b length"]) -> Float[Tensor, "b dim"]:
        """Caption features, any length."""
        return encode_tokens(self.model, tokens)

    def inverse_temperature(self) -> Float[Tensor, ""]:
        """Inverse temperature, at most 100."""
        limited: Tensor = self.model.logit_scale.exp().clamp(max=100).reshape(())
        return limited

    def loss(self, batch: StudyBatch) -> Float[Tensor, ""]:
        """Symmetric InfoNCE; images with equal captions are positives of both."""
        image = F.normalize(self.encode_images(batch.pixels, batch.scene_features), dim=-1)
        text = F.normalize(
            self.encode_texts(trim_caption_padding(self.model, batch.tokens)), dim=-1
        )
        same = (batch.tokens[:, None] == batch.tokens[None, :]).all(dim=-1)
        neutral = torch.zeros_like(same)
        targets = soft_targets(same, neutral, None, 0.0)
        return contrastive_loss(image, text, self.inverse_temperature(), targets, neutral)

    def save_adapter(self, base: BaseModel, instruction: str | None, folder: Path) -> None:
        """Save the trained parameters of the towers as an adapter for the base.

        Args:
            base: the base model.
            instruction: folder of the scene classifier, if the study has one.
            folder: adapter folder.
        """
        save(self.model, folder)

    @torch.inference_mode()
    def score_matrix(
        self, data: CaptionedImages, prepare: Preprocess
    ) -> Float32[np.ndarray, "n m"]:
        """Score of every image with every caption; higher is better."""
        self.eval()
        image = torch.cat(
            [
                F.normalize(self.encode_images(*part), dim=-1)
                for part in image_batches(data, prepare)
            ]
        )
        tokens = trim_caption_padding(self.model, torch.from_numpy(data.tokens).long())
        text = torch.cat(
            [F.normalize(self.encode_texts(t), dim=-1) for t in torch.split(tokens, EVAL_BATCH)]
        )
        return np.asarray((image @ text.T).float().numpy())


def image_batches(
    data: CaptionedImages, prepare: Preprocess
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Normalised pixels and scene features, `EVAL_BATCH` images at a time."""
    for start in range(0, len(data), EVAL_BATCH):
        part = slice(start, start + EVAL_BATCH)
        scene = None if data.scene_features is None else torch.from_numpy(data.scene_features[part])
        yield normalize(data.images[part], prepare), scene
