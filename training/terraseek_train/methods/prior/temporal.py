"""Temporal PAE: the features of a caption condition their own next step."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from terraseek_train.methods.prior.layers import PaeLayer

__all__ = ["TemporalPae"]


class TemporalPae(nn.Module):
    """Cyclic activation T <- CA_i(W_i T, SA_i(T)) over the layers i (PIR, Temporal-PAE).

    Args:
        dim: width of the tokens.
        heads: attention heads.
        layers: number of steps (3).
        dropout: dropout probability in every layer.
    """

    def __init__(
        self, dim: int = 512, heads: int = 8, layers: int = 3, dropout: float = 0.2
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(PaeLayer(dim, heads, dropout) for _ in range(layers))
        self.head = nn.Linear(dim, dim)

    def forward(
        self,
        tokens: Float[Tensor, "b n dim"],
        pool_at: Int[Tensor, " b"] | None = None,
        valid: Bool[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b dim"]:
        """Unit vectors t = norm(T0_cls + Head(T_cls)).

        Args:
            tokens: projected tokens of captions.
            pool_at: position of the pooled token: the end token for CLIP; None for 0 (BERT).
            valid: tokens that are attended to; None for all, with padding, as in PIR.
        """
        padding = None if valid is None else ~valid
        x = tokens
        for layer in self.layers:
            x = layer(x, x, padding)
        rows = torch.arange(len(x), device=x.device)
        position = torch.zeros_like(rows) if pool_at is None else pool_at.long()
        return F.normalize(tokens[rows, position] + self.head(x[rows, position]), dim=-1)
