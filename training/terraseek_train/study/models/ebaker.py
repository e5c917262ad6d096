"""EBAKER in a study: eliminate before align, local alignment, keyword explicit reasoning."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32
from torch import Tensor

from terraseek.encoders.cards import Preprocess
from terraseek_train.methods.ebaker import (
    EbakerOptions,
    KeywordReasoner,
    MaskedText,
    SimilarityBank,
    combined_scores,
    ebaker_loss,
    keyword_statistics,
    local_scores,
    mask_keywords,
    mask_keywords_as_released,
)
from terraseek_train.methods.ebaker.loss import PARTS, Part
from terraseek_train.methods.tokens import image_tokens, text_tokens, trim_caption_padding
from terraseek_train.study.inputs.dataset import CaptionedImages, StudyBatch
from terraseek_train.study.models.contrastive import EVAL_BATCH, ContrastiveModel, image_batches
from terraseek_train.study.models.options import MethodOptions

__all__ = ["EbakerMethodOptions", "EbakerModel"]

_RELEASED_BANK = 200_000


@dataclass(frozen=True)
class EbakerMethodOptions(MethodOptions):
    """Options of the method `ebaker`; defaults are the paper's."""

    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "ablate": PARTS,
        "elimination": ("joint", "split"),
        "vocabulary": ("full", "hidden"),
    }
    ablate: tuple[Part, ...] = ()
    """Parts left out: local, ker, eba. Without all three: contrastive loss at fixed temperature."""
    elimination: Literal["joint", "split"] = "joint"
    alpha: float = 0.5
    """Weight of the keyword loss."""
    drop_ratio: float = 0.01
    """Share of pairs below the threshold."""
    first_epoch: int = 4
    """Epoch, from 0, in which pairs begin to be dropped."""
    keywords: int = 512
    """Number of keywords: the most frequent words of the training captions are masked."""
    depth: int = 4
    """Blocks of the keyword head; 2 in the released code."""
    heads: int = 8
    vocabulary: Literal["full", "hidden"] = "full"
    """Predict among all 49,408 tokens, or only among those that are ever masked (cheaper)."""
    weights: tuple[float, float] = (0.6, 0.4)
    """Weights of global and local score at inference."""
    release_compatible: bool = False
    """As in the released code: tokens masked at the index of a blank-separated word, padding
    counted in the local norm, a first-in-first-out bank filled with noise, no global token in KER.
    """


class EbakerModel(ContrastiveModel):
    """L_global + L_local + alpha L_ker over pairs that are not eliminated.

    Args:
        model: an open_clip model whose towers have token features.
        options: of the method.
        data: training data, whose captions determine the keywords.
        dim: width of the joint space.
        seed: of the noise in the released bank.
    """

    def __init__(
        self,
        model: Any,  # noqa: ANN401 - open_clip has no types
        options: EbakerMethodOptions,
        data: CaptionedImages,
        dim: int,
        seed: int = 0,
    ) -> None:
        super().__init__(model)
        self.options = options
        self.loss_options = EbakerOptions(
            alpha=options.alpha, elimination=options.elimination, ablate=frozenset(options.ablate)
        )
        size = _RELEASED_BANK if options.release_compatible else None
        self.bank = SimilarityBank(options.drop_ratio, options.first_epoch, size, seed)
        self.local_bank = SimilarityBank(options.drop_ratio, options.first_epoch, size, seed)
        self.masked: MaskedText | None = None
        if "ker" not in options.ablate:
            self.masked, vocabulary = _mask_captions(data, options)
            self.ker = KeywordReasoner(dim, options.heads, options.depth, vocabulary)

    def start_epoch(self, epoch: int) -> None:
        """Compute the thresholds of the epoch."""
        self.bank.start_epoch(epoch)
        self.local_bank.start_epoch(epoch)

    def loss(self, batch: StudyBatch) -> Float[Tensor, ""]:
        """Total loss of EBAKER over a batch."""
        tokens = self._trim(batch.tokens)
        if {"local", "ker"} <= set(self.options.ablate):
            image, text = self.encode_images(batch.pixels, None), self.encode_texts(tokens)
            image_local, text_local = image[:, None], text[:, None]  # left out of the loss
            return self._total_loss(image, text, image_local, text_local, None, None)
        image, image_local = image_tokens(self.model, batch.pixels)
        count, ker = len(image), None
        valid = self._valid(tokens)
        if self.masked is None:
            text, text_local = text_tokens(self.model, tokens)
        else:  # captions and masked captions in one forward pass
            masked = self.masked.tokens[batch.caption_row][:, : tokens.shape[1]]
            text, text_local = text_tokens(self.model, torch.cat([tokens, masked]))
            ker = self._ker_loss(image, image_local, text_local[count:], batch.caption_row, valid)
        return self._total_loss(image, text[:count], image_local, text_local[:count], ker, valid)

    def _total_loss(
        self,
        image: Tensor,
        text: Tensor,
        image_local: Tensor,
        text_local: Tensor,
        ker: Tensor | None,
        valid: Tensor | None,
    ) -> Tensor:
        banks = (self.bank, self.local_bank)
        loss = ebaker_loss(
            image, text, image_local, text_local, ker, *banks, self.loss_options, valid
        )
        return loss.total

    def _ker_loss(
        self, image: Tensor, local: Tensor, words: Tensor, caption: Tensor, valid: Tensor | None
    ) -> Tensor:
        assert self.masked is not None
        tokens = local
        if not self.options.release_compatible:
            tokens = torch.cat([image[:, None], local], dim=1)
        labels = self.masked.labels[caption][:, : words.shape[1]]
        loss: Tensor = self.ker.loss(words, tokens, labels, valid)
        return loss

    def _trim(self, tokens: Tensor) -> Tensor:
        """Remove common padding, except where it counts, as in the released code."""
        return (
            tokens if self.options.release_compatible else trim_caption_padding(self.model, tokens)
        )

    def _valid(self, tokens: Tensor) -> Tensor | None:
        return None if self.options.release_compatible else tokens != 0

    @torch.inference_mode()
    def score_matrix(
        self, data: CaptionedImages, prepare: Preprocess
    ) -> Float32[np.ndarray, "n m"]:
        """Sim = 0.6 Sim^g + 0.4 Sim^l, or the global score if local alignment is left out."""
        if "local" in self.options.ablate:
            return super().score_matrix(data, prepare)
        self.eval()
        image_parts = [image_tokens(self.model, p) for p, _ in image_batches(data, prepare)]
        tokens = self._trim(torch.from_numpy(data.tokens).long())
        blocks = torch.split(tokens, EVAL_BATCH)
        text_parts = [text_tokens(self.model, block) for block in blocks]
        image, image_local = (torch.cat(part) for part in zip(*image_parts, strict=True))
        text, text_local = (torch.cat(part) for part in zip(*text_parts, strict=True))
        cosine = F.normalize(image, dim=-1) @ F.normalize(text, dim=-1).T
        local = local_scores(image_local, text_local, self._valid(tokens))
        return np.asarray(combined_scores(cosine, local, self.options.weights).float().numpy())


def _mask_captions(data: CaptionedImages, options: EbakerMethodOptions) -> tuple[MaskedText, int]:
    """All captions with masked keywords, and the size of the vocabulary to predict."""
    from open_clip.tokenizer import SimpleTokenizer

    tokens = torch.from_numpy(data.tokens).long()
    keywords = set(keyword_statistics({"train": data.texts}, options.keywords))
    if options.release_compatible:
        masked = mask_keywords_as_released(tokens, data.texts, keywords)
    else:
        masked = mask_keywords(tokens, keywords, SimpleTokenizer())
    if options.vocabulary == "full":
        return masked, 49_408
    used, index = torch.unique(masked.labels, return_inverse=True)
    if int(used[0]) != 0:  # label 0 must still mean "not masked"
        index = index + 1
    return MaskedText(masked.tokens, index.reshape(tokens.shape)), len(used) + 1
