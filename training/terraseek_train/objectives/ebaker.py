"""The method `ebaker`: eliminate before align, local alignment, keyword explicit reasoning."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from terraseek_train.config import TrainConfig
from terraseek_train.data.corpus import Corpus, batches_per_epoch
from terraseek_train.data.text_table import tokenizer_of
from terraseek_train.evaluate.retrieval import Retrieved, retrieve_by_scores
from terraseek_train.loop.device_batch import DeviceBatch
from terraseek_train.loop.model import ClipModel
from terraseek_train.loop.parallel import ProcessGroup
from terraseek_train.methods.ebaker import (
    EbakerOptions,
    KeywordReasoner,
    MaskedText,
    SimilarityBank,
    combined_scores,
    ebaker_loss,
    local_scores,
)
from terraseek_train.methods.ebaker.words import MASK_ID
from terraseek_train.methods.options import EbakerMethodOptions
from terraseek_train.methods.tokens import image_tokens, text_tokens, trim_caption_padding
from terraseek_train.objectives.masking import mask_corpus

__all__ = ["EbakerModel"]

_RELEASED_BANK = 200_000


class EbakerModel(ClipModel):
    """L_global + L_local + alpha L_ker over pairs that are not eliminated.

    Row 0 of a tower's features is the pooled feature, the others are its tokens.
    """

    def __init__(self, config: TrainConfig, options: EbakerMethodOptions, corpus: Corpus) -> None:
        super().__init__(config.arch)
        self.options = options
        self.bf16 = config.bf16
        self.per_epoch = batches_per_epoch(corpus, config)
        self.loss_options = EbakerOptions(
            alpha=options.alpha, elimination=options.elimination, ablate=frozenset(options.ablate)
        )
        size = _RELEASED_BANK if options.release_compatible else None
        bank_of = (options.drop_ratio, options.first_epoch, size, config.seed)
        self.bank, self.local_bank = SimilarityBank(*bank_of), SimilarityBank(*bank_of)
        self.masked: MaskedText | None = None
        if "ker" not in options.ablate:
            self.masked, vocabulary = mask_corpus(corpus, options, tokenizer_of(config.arch))
            dim = int(config.arch["embed_dim"])
            self.ker = KeywordReasoner(dim, options.heads, options.blocks, vocabulary)

    def start_batch(self, number: int) -> None:
        """Compute the thresholds where an epoch begins."""
        epoch, place = divmod(number, self.per_epoch)
        if place == 0:
            self.bank.start_epoch(epoch)
            self.local_bank.start_epoch(epoch)

    def text_inputs(self, batch: DeviceBatch, group: ProcessGroup) -> Int[Tensor, "rows length"]:
        """Return the captions of the images, then the same captions with masked keywords."""
        tokens = batch.tokens[: len(batch.pixels)]
        if group.world_size == 1:  # else lengths could differ between processes
            tokens = self.trimmed(tokens)
        if self.masked is None:
            return tokens
        masked = self.masked.tokens[batch.text_rows, : tokens.shape[1]]
        return torch.cat([tokens, masked.to(tokens)])

    def trimmed(self, tokens: Int[Tensor, "t context"]) -> Int[Tensor, "t length"]:
        """Remove the padding that all captions share, except where it counts, as released."""
        if self.options.release_compatible:
            return tokens
        return trim_caption_padding(self.clip, tokens)

    @property
    def _pooled_only(self) -> bool:
        return {"local", "ker"} <= set(self.options.ablate)

    def encode_images(self, images: Float[Tensor, "b 3 side side"]) -> Float[Tensor, "b ..."]:
        """Compute the pooled feature and the patch tokens of images."""
        if self._pooled_only:
            return super().encode_images(images)[:, None]
        pooled, local = image_tokens(self.clip, images)
        return torch.cat([pooled[:, None], local], dim=1).float()

    def encode_texts(self, tokens: Int[Tensor, "t context"]) -> Float[Tensor, "t ..."]:
        """Compute the pooled feature and all tokens of captions."""
        if self._pooled_only:
            return super().encode_texts(tokens)[:, None]
        pooled, local = text_tokens(self.clip, tokens)
        return torch.cat([pooled[:, None], local], dim=1).float()

    def loss(
        self,
        batch: DeviceBatch,
        image: Float[Tensor, "b ..."],
        text: Float[Tensor, "rows ..."],
        group: ProcessGroup,
        scores: Float[Tensor, "all all"] | None = None,
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Compute EBAKER's total loss over the pairs of all processes."""
        count = len(image)
        valid = None
        if not self.options.release_compatible and not self._pooled_only:
            valid = batch.tokens[:count, : text.shape[1] - 1] != 0
        ker = None
        if self.masked is not None:
            ker = self._ker_loss(batch, image, text[count:, 1:], valid) / group.world_size
        images, texts = group.gather(image), group.gather(text[:count])
        everywhere = None if valid is None else group.gather(valid.to(torch.uint8)).bool()
        local_images, local_texts = images[:, 1:], texts[:, 1:]
        if self._pooled_only:
            local_images, local_texts = images, texts  # left out of the loss
        found = ebaker_loss(
            images[:, 0],
            texts[:, 0],
            local_images,
            local_texts,
            ker,
            self.bank,
            self.local_bank,
            self.loss_options,
            everywhere,
        )
        terms = {"contrast": found.global_part, "local": found.local_part, "ker": found.ker_part}
        return found.total, terms | {"dropped": found.total.new_tensor(float(found.dropped))}

    def _ker_loss(
        self,
        batch: DeviceBatch,
        image: Float[Tensor, "b n dim"],
        words: Float[Tensor, "b length dim"],
        valid: Tensor | None,
    ) -> Float[Tensor, ""]:
        assert self.masked is not None
        keys = image[:, 1:] if self.options.release_compatible else image
        labels = self.masked.labels[batch.text_rows, : words.shape[1]].to(words.device)
        with torch.autocast(words.device.type, torch.bfloat16, enabled=self.bf16):
            value: Tensor = self.ker.loss(words, keys, labels, valid)
        # zero, but it gives every process a gradient of every parameter, masked words or not
        return value + 0 * torch.stack([p.sum() for p in self.ker.parameters()]).sum()

    def scores(
        self,
        image: Float[Tensor, "n ..."],
        text: Float[Tensor, "m ..."],
        tokens: Int[Tensor, "m context"],
    ) -> Float[Tensor, "n m"]:
        """Compute Sim = 0.6 Sim^g + 0.4 Sim^l, or Sim^g if local alignment is left out."""
        found = F.normalize(image[:, 0], dim=-1) @ F.normalize(text[:, 0], dim=-1).T
        if "local" not in self.options.ablate:
            valid = None if self.options.release_compatible else tokens != 0
            local = local_scores(image[:, 1:], text[:, 1:], valid)
            found = combined_scores(found, local, self.options.weights)
        return found

    def retrieve(
        self,
        image: Float[Tensor, "n ..."],
        text: Float[Tensor, "m ..."],
        tokens: Int[Tensor, "m context"],
        image_of: Int[np.ndarray, " m"],
    ) -> Retrieved:
        """Rank by `scores`."""
        found = self.scores(image, text, tokens)
        return retrieve_by_scores(found.float().cpu().numpy(), image_of)

    def used_token_rows(
        self, tokens: Int[np.ndarray, "texts context"]
    ) -> dict[nn.Parameter, Int[Tensor, " used"]]:
        """Map the token embedding to the rows that captions and masked captions use."""
        used = np.append(np.unique(tokens), MASK_ID)
        return super().used_token_rows(used[None])

    def loop_state(self) -> dict[str, Any]:
        """Return the similarity banks."""
        return {"banks": [bank.state_dict() for bank in (self.bank, self.local_bank)]}

    def load_loop_state(self, state: dict[str, Any]) -> None:
        """Restore the similarity banks."""
        for bank, stored in zip((self.bank, self.local_bank), state["banks"], strict=True):
            bank.load_state_dict(stored)
