"""Keyword explicit reasoning (KER): predict masked keywords with the help of the image."""

from collections import OrderedDict

import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

__all__ = ["KeywordReasoner"]


class KeywordReasoner(nn.Module):
    """Predict the masked words of a caption by cross-attention to the image tokens (EBAKER, KER).

    x = CA(LN(q), LN(kv), LN(kv)), with the masked caption as queries; then `depth` CLIP blocks, LN,
    and Linear, QuickGELU, LN and Linear to the vocabulary. Used in training only.

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
        """Features for word prediction at every position.

        Args:
            masked: token features of the masked captions.
            image: token features of their images; with the global token in the paper, patches only
                in the released code.
            valid: tokens that are attended to, at least one per row, so that the result does not
                depend on the amount of padding; None for all, with padding, as released.
        """
        keys = self.ln_image(image)
        x: Tensor = self.cross(self.ln_text(masked), keys, keys, need_weights=False)[0]
        mask = None if valid is None else self._padding_mask(valid, x)
        for block in self.blocks:
            x = block(x, attn_mask=mask)
        out: Tensor = self.ln_post(x)
        return out

    def _padding_mask(self, valid: Tensor, like: Tensor) -> Float[Tensor, "bh length length"]:
        """Additive attention mask of each row and head that hides padding."""
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
        """L_ker: mean cross-entropy of the masked words; 0 if nothing is masked.

        Logits are computed at masked positions only; at the others they would take most of the
        memory without contributing to the loss.
        """
        is_masked = labels != 0
        if not bool(is_masked.any()):
            return masked.sum() * 0
        logits = self.head(self(masked, image, valid)[is_masked])
        return F.cross_entropy(logits.float(), labels[is_masked].long())
