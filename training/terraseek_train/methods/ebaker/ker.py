"""Keyword explicit reasoning: guess hidden keywords from the image."""

from collections import OrderedDict

import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

__all__ = ["KeywordReasoner"]


class KeywordReasoner(nn.Module):
    """Tokens of the masked sentence ask the image's tokens, then guess words (EBAKER, KER).

    x = CA(LN(q), LN(kv), LN(kv)), `depth` CLIP blocks, LN, then Linear, QuickGELU, LN and Linear to
    the vocabulary. Used in training only.

    Args:
        dim: width of the joint space (512).
        heads: attention heads (8).
        depth: 4 in the paper, 2 in the released code.
        vocabulary: number of token ids.
    """

    def __init__(
        self, dim: int = 512, heads: int = 8, depth: int = 4, vocabulary: int = 49_408
    ) -> None:
        from open_clip.transformer import QuickGELU, ResidualAttentionBlock

        super().__init__()
        self.ln_text = nn.LayerNorm(dim)
        self.ln_image = nn.LayerNorm(dim)
        self.cross = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.blocks = nn.ModuleList(
            ResidualAttentionBlock(dim, heads, act_layer=QuickGELU) for _ in range(depth)
        )
        self.ln_post = nn.LayerNorm(dim)
        self.head = nn.Sequential(
            OrderedDict(
                dense=nn.Linear(dim, dim),
                gelu=QuickGELU(),
                ln=nn.LayerNorm(dim),
                words=nn.Linear(dim, vocabulary),
            )
        )

    def forward(
        self,
        masked: Float[Tensor, "b length dim"],
        image: Float[Tensor, "b n dim"],
        valid: Bool[Tensor, "b length"] | None = None,
    ) -> Float[Tensor, "b length dim"]:
        """Features from which the words are guessed, at every position.

        Args:
            masked: tokens of the masked sentences.
            image: tokens of their images; with the global token in the paper, patches alone in
                the released code.
            valid: tokens that others may look at, at least one a row, so that the answer does not
                depend on how far sentences are padded; None for all, padding too, as released.
        """
        keys = self.ln_image(image)
        x: Tensor = self.cross(self.ln_text(masked), keys, keys, need_weights=False)[0]
        unseen = None if valid is None else self._unseen(valid, x)
        for block in self.blocks:
            x = block(x, attn_mask=unseen)
        out: Tensor = self.ln_post(x)
        return out

    def _unseen(self, valid: Tensor, like: Tensor) -> Float[Tensor, "bh length length"]:
        """Additive mask of each row and head: padding is looked at from nowhere."""
        mask = like.new_zeros(valid.shape).masked_fill_(~valid, float("-inf"))
        heads, length = self.cross.num_heads, valid.shape[1]
        return mask.repeat_interleave(heads, dim=0)[:, None].expand(-1, length, -1)

    def loss(
        self,
        masked: Float[Tensor, "b length dim"],
        image: Float[Tensor, "b n dim"],
        labels: Int[Tensor, "b length"],
        valid: Bool[Tensor, "b length"] | None = None,
    ) -> Float[Tensor, ""]:
        """Mean cross-entropy of the hidden words; 0 where nothing is hidden.

        Word scores are computed at hidden positions only: elsewhere they would cost most of the
        memory and count for nothing.
        """
        hidden = labels != 0
        if not bool(hidden.any()):
            return masked.sum() * 0
        guesses = self.head(self(masked, image, valid)[hidden])
        return F.cross_entropy(guesses.float(), labels[hidden].long())
