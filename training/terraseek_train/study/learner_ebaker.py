"""EBAKER as a learner: local alignment, elimination of weak pairs, hidden keywords."""

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
from terraseek_train.methods.tokens import image_tokens, shortened, text_tokens
from terraseek_train.study.learner import BLOCK, Learner, picture_blocks
from terraseek_train.study.options import MethodOptions
from terraseek_train.study.pairs import Pairs, StudyBatch

__all__ = ["EbakerArm", "EbakerLearner"]

_RELEASED_BANK = 200_000


@dataclass(frozen=True)
class EbakerArm(MethodOptions):
    """Options of the method `ebaker`; defaults are the paper's."""

    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "ablate": PARTS,
        "elimination": ("joint", "split"),
        "vocabulary": ("full", "hidden"),
    }
    ablate: tuple[Part, ...] = ()
    """Parts left out: local, ker, eba. Without all three it is contrast at a fixed scale."""
    elimination: Literal["joint", "split"] = "joint"
    alpha: float = 0.5
    """Weight of the keyword loss."""
    drop_ratio: float = 0.01
    """Share of pairs below the threshold."""
    first_epoch: int = 4
    """Epoch, from 0, in which pairs begin to be dropped."""
    keywords: int = 512
    """Most frequent words of the training captions that are hidden."""
    depth: int = 4
    """Blocks of the keyword head; 2 in the released code."""
    heads: int = 8
    vocabulary: Literal["full", "hidden"] = "full"
    """Guess among all 49,408 tokens, or only among those that are ever hidden (cheaper)."""
    weights: tuple[float, float] = (0.6, 0.4)
    """Of global and local score at inference."""
    release_compatible: bool = False
    """As the released code: words masked by the index of a blank-separated word, padding counted
    in the local norm, a first-in-first-out bank of noise, patches without the global token."""


class EbakerLearner(Learner):
    """L_global + L_local + alpha L_ker over pairs that are not eliminated.

    Args:
        model: an open_clip model whose towers give tokens.
        arm: options.
        pairs: training pairs, whose captions give the keywords.
        dim: length of the joint vectors.
        seed: of the released bank's noise.
    """

    def __init__(self, model: Any, arm: EbakerArm, pairs: Pairs, dim: int, seed: int = 0) -> None:  # noqa: ANN401
        super().__init__(model)
        self.arm = arm
        self.options = EbakerOptions(
            alpha=arm.alpha, elimination=arm.elimination, ablate=frozenset(arm.ablate)
        )
        size = _RELEASED_BANK if arm.release_compatible else None
        self.bank = SimilarityBank(arm.drop_ratio, arm.first_epoch, size, seed)
        self.local_bank = SimilarityBank(arm.drop_ratio, arm.first_epoch, size, seed)
        self.masked: MaskedText | None = None
        if "ker" not in arm.ablate:
            self.masked, vocabulary = _hidden(pairs, arm)
            self.ker = KeywordReasoner(dim, arm.heads, arm.depth, vocabulary)

    def start_epoch(self, epoch: int) -> None:
        """Take the epoch's thresholds."""
        self.bank.start_epoch(epoch)
        self.local_bank.start_epoch(epoch)

    def loss(self, batch: StudyBatch) -> Float[Tensor, ""]:
        """The paper's total loss over a batch."""
        tokens = self._cut(batch.tokens)
        if {"local", "ker"} <= set(self.arm.ablate):
            image, text = self.images(batch.pixels, None), self.texts(tokens)
            image_local, text_local = image[:, None], text[:, None]  # left out of the loss
            return self._total(image, text, image_local, text_local, None, None)
        image, image_local = image_tokens(self.model, batch.pixels)
        count, ker = len(image), None
        valid = self._valid(tokens)
        if self.masked is None:
            text, text_local = text_tokens(self.model, tokens)
        else:  # sentences and masked sentences in one pass
            hidden = self.masked.tokens[batch.caption][:, : tokens.shape[1]]
            text, text_local = text_tokens(self.model, torch.cat([tokens, hidden]))
            ker = self._ker(image, image_local, text_local[count:], batch.caption, valid)
        return self._total(image, text[:count], image_local, text_local[:count], ker, valid)

    def _total(
        self,
        image: Tensor,
        text: Tensor,
        image_local: Tensor,
        text_local: Tensor,
        ker: Tensor | None,
        valid: Tensor | None,
    ) -> Tensor:
        banks = (self.bank, self.local_bank)
        found = ebaker_loss(image, text, image_local, text_local, ker, *banks, self.options, valid)
        return found.total

    def _ker(
        self, image: Tensor, local: Tensor, words: Tensor, caption: Tensor, valid: Tensor | None
    ) -> Tensor:
        assert self.masked is not None
        seen = local if self.arm.release_compatible else torch.cat([image[:, None], local], dim=1)
        labels = self.masked.labels[caption][:, : words.shape[1]]
        loss: Tensor = self.ker.loss(words, seen, labels, valid)
        return loss

    def _cut(self, tokens: Tensor) -> Tensor:
        """Without padding that reaches nothing; in the released code it counts, and stays."""
        return tokens if self.arm.release_compatible else shortened(self.model, tokens)

    def _valid(self, tokens: Tensor) -> Tensor | None:
        return None if self.arm.release_compatible else tokens != 0

    @torch.inference_mode()
    def scores(self, pairs: Pairs, prepare: Preprocess) -> Float32[np.ndarray, "n m"]:
        """0.6 global + 0.4 local, or the global score where local alignment was left out."""
        if "local" in self.arm.ablate:
            return super().scores(pairs, prepare)
        self.eval()
        pictures = [image_tokens(self.model, p) for p, _ in picture_blocks(pairs, prepare)]
        tokens = self._cut(torch.from_numpy(pairs.tokens).long())
        blocks = torch.split(tokens, BLOCK)
        sentences = [text_tokens(self.model, block) for block in blocks]
        image, image_local = (torch.cat(part) for part in zip(*pictures, strict=True))
        text, text_local = (torch.cat(part) for part in zip(*sentences, strict=True))
        cosine = F.normalize(image, dim=-1) @ F.normalize(text, dim=-1).T
        local = local_scores(image_local, text_local, self._valid(tokens))
        return np.asarray(combined_scores(cosine, local, self.arm.weights).float().numpy())


def _hidden(pairs: Pairs, arm: EbakerArm) -> tuple[MaskedText, int]:
    """All captions with keywords hidden, and how many words there are to guess among."""
    from open_clip.tokenizer import SimpleTokenizer

    tokens = torch.from_numpy(pairs.tokens).long()
    keywords = set(keyword_statistics({"train": pairs.texts}, arm.keywords))
    if arm.release_compatible:
        masked = mask_keywords_as_released(tokens, pairs.texts, keywords)
    else:
        masked = mask_keywords(tokens, keywords, SimpleTokenizer())
    if arm.vocabulary == "full":
        return masked, 49_408
    known, places = torch.unique(masked.labels, return_inverse=True)
    if int(known[0]) != 0:  # 0 must stay the number of "not hidden"
        places = places + 1
    return MaskedText(masked.tokens, places.reshape(tokens.shape)), len(known) + 1
