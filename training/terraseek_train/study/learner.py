"""A model being trained: what a method adds, its loss, and how it scores pictures and sentences."""

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
from terraseek_train.methods.tokens import shortened
from terraseek_train.peft import save
from terraseek_train.study.base import Base
from terraseek_train.study.pairs import Pairs, StudyBatch, normalised

__all__ = ["Learner"]

BLOCK = 256
"""Pictures or sentences encoded at once."""


class Learner(nn.Module):
    """Plain contrastive training; methods override what they change.

    Args:
        model: an open_clip CLIP or CustomTextCLIP, adapters applied.
    """

    def __init__(self, model: Any) -> None:  # noqa: ANN401 - open_clip has no types
        super().__init__()
        self.model = model

    def train(self, mode: bool = True) -> "Learner":
        """Training mode for all but frozen batch norms.

        Their statistics are kept nowhere but in the base, so they must not move under an adapter.
        """
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and not any(
                p.requires_grad for p in module.parameters()
            ):
                module.eval()
        return self

    def start_epoch(self, epoch: int) -> None:
        """Called before an epoch, counted from 0."""

    def images(
        self, pixels: Float[Tensor, "b 3 side side"], scene: Float[Tensor, "b features"] | None
    ) -> Float[Tensor, "b dim"]:
        """Picture features, any length."""
        features: Tensor = self.model.encode_image(pixels)
        return features

    def texts(self, tokens: Int[Tensor, "b length"]) -> Float[Tensor, "b dim"]:
        """Sentence features, any length."""
        return encode_tokens(self.model, tokens)

    def scale(self) -> Float[Tensor, ""]:
        """Inverse temperature, at most 100."""
        limited: Tensor = self.model.logit_scale.exp().clamp(max=100).reshape(())
        return limited

    def loss(self, batch: StudyBatch) -> Float[Tensor, ""]:
        """Symmetric InfoNCE; pictures that were given the same sentence are right for both."""
        image = F.normalize(self.images(batch.pixels, batch.scene), dim=-1)
        text = F.normalize(self.texts(shortened(self.model, batch.tokens)), dim=-1)
        same = (batch.tokens[:, None] == batch.tokens[None, :]).all(dim=-1)
        neutral = torch.zeros_like(same)
        targets = soft_targets(same, neutral, None, 0.0)
        return contrastive_loss(image, text, self.scale(), targets, neutral)

    def keep(self, base: Base, instruction: str | None, folder: Path) -> None:
        """Write what was trained as an adapter that goes onto the base; towers only.

        Args:
            base: what was tuned.
            instruction: folder of the scene classifier, if the study has one.
            folder: of the adapter.
        """
        save(self.model, folder)

    @torch.inference_mode()
    def scores(self, pairs: Pairs, prepare: Preprocess) -> Float32[np.ndarray, "n m"]:
        """Score of every picture with every sentence; higher is better."""
        self.eval()
        image = torch.cat(
            [F.normalize(self.images(*part), dim=-1) for part in picture_blocks(pairs, prepare)]
        )
        tokens = shortened(self.model, torch.from_numpy(pairs.tokens).long())
        text = torch.cat([F.normalize(self.texts(t), dim=-1) for t in torch.split(tokens, BLOCK)])
        return np.asarray((image @ text.T).float().numpy())


def picture_blocks(pairs: Pairs, prepare: Preprocess) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Normalised pixels and scene features, some pictures at a time."""
    for start in range(0, len(pairs), BLOCK):
        part = slice(start, start + BLOCK)
        scene = None if pairs.scene is None else torch.from_numpy(pairs.scene[part])
        yield normalised(pairs.squares[part], prepare), scene
