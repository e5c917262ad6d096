"""Post-norm attention layers of PIR's progressive attention encoder (PAE)."""

from jaxtyping import Bool, Float
from torch import Tensor, nn

__all__ = ["CrossLayer", "PaeLayer", "SelfLayer"]


class _AttentionLayer(nn.Module):
    """Attention and feed-forward network, each with a residual connection and post-norm."""

    def __init__(self, dim: int = 512, heads: int = 8, dropout: float = 0.2) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.ffn = nn.Sequential(
            nn.Linear(dim, 2 * dim), nn.LayerNorm(2 * dim), nn.GELU(), nn.Linear(2 * dim, dim)
        )
        self.ln_1 = nn.LayerNorm(dim)
        self.ln_2 = nn.LayerNorm(dim)
        self.drop = nn.Dropout(dropout)

    def _layer(self, query: Tensor, x: Tensor, padding: Tensor | None) -> Tensor:
        attended = self.attention(query, x, x, key_padding_mask=padding, need_weights=False)[0]
        x = self.ln_1(x + self.drop(attended))
        out: Tensor = self.ln_2(x + self.drop(self.ffn(x)))
        return out


class SelfLayer(_AttentionLayer):
    """SA(x): x1 = LN(x + Drop(MHA(x, x, x))); x2 = LN(x1 + Drop(FFN(x1)))."""

    def forward(
        self, x: Float[Tensor, "b n dim"], padding: Bool[Tensor, "b n"] | None = None
    ) -> Float[Tensor, "b n dim"]:
        """Attend within `x`; tokens where `padding` is True are masked out."""
        return self._layer(x, x, padding)


class CrossLayer(_AttentionLayer):
    """CA(a, y): y1 = LN(y + Drop(MHA(query a, key y, value y))); y2 = LN(y1 + Drop(FFN(y1)))."""

    def forward(
        self,
        a: Float[Tensor, "b n dim"],
        y: Float[Tensor, "b n dim"],
        padding: Bool[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b n dim"]:
        """Attend from queries `a` to `y`; the result is added to `y`, of the same length."""
        return self._layer(a, y, padding)


class PaeLayer(nn.Module):
    """x_{i+1} = CA(W_i c, SA(x_i)), with a conditioning sequence c as long as x (PIR, PAE)."""

    def __init__(self, dim: int = 512, heads: int = 8, dropout: float = 0.2) -> None:
        super().__init__()
        self.condition = nn.Linear(dim, dim)
        self.own = SelfLayer(dim, heads, dropout)  # named so in stored adapters
        self.cross = CrossLayer(dim, heads, dropout)

    def forward(
        self,
        x: Float[Tensor, "b n dim"],
        c: Float[Tensor, "b n dim"],
        padding: Bool[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b n dim"]:
        """Apply the layer to tokens `x`, conditioned on `c`."""
        out: Tensor = self.cross(self.condition(c), self.own(x, padding), padding)
        return out
