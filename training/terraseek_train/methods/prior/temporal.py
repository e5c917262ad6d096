"""Temporal PAE: a sentence's features condition their own next step."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from terraseek_train.methods.prior.layers import PaeLayer

__all__ = ["TemporalPae"]


class TemporalPae(nn.Module):
    """T <- CA_i(W_i T, SA_i(T)) for each layer: cyclic activation (PIR, Temporal-PAE).

    Args:
        dim: width of the tokens.
        heads: attention heads.
        layers: steps (3).
        dropout: in every layer.
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
        at: Int[Tensor, " b"] | None = None,
        valid: Bool[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b dim"]:
        """Unit vectors t = norm(T0_cls + Head(T_cls)).

        Args:
            tokens: projected tokens of sentences.
            at: place of the pooled token; None for place 0 (BERT), the end token's for CLIP.
            valid: tokens that may be looked at; None for all, padding too, as PIR does.
        """
        hidden = None if valid is None else ~valid
        x = tokens
        for layer in self.layers:
            x = layer(x, x, hidden)
        place = torch.zeros(len(x), dtype=torch.long, device=x.device) if at is None else at.long()
        rows = torch.arange(len(x), device=x.device)
        return F.normalize(tokens[rows, place] + self.head(x[rows, place]), dim=-1)
