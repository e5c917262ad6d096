"""Post-norm attention layers of PIR's progressive attention encoder (PAE)."""

from jaxtyping import Bool, Float
from torch import Tensor, nn

__all__ = ["CrossLayer", "PaeLayer", "SelfLayer"]


class _AttentionLayer(nn.Module):
    """Attention and feed-forward, each added to its input and normalised."""

    def __init__(self, dim: int = 512, heads: int = 8, dropout: float = 0.2) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.ffn = nn.Sequential(
            nn.Linear(dim, 2 * dim), nn.LayerNorm(2 * dim), nn.GELU(), nn.Linear(2 * dim, dim)
        )
        self.ln_1 = nn.LayerNorm(dim)
        self.ln_2 = nn.LayerNorm(dim)
        self.drop = nn.Dropout(dropout)

    def _layer(self, query: Tensor, x: Tensor, hidden: Tensor | None) -> Tensor:
        seen = self.attention(query, x, x, key_padding_mask=hidden, need_weights=False)[0]
        x = self.ln_1(x + self.drop(seen))
        out: Tensor = self.ln_2(x + self.drop(self.ffn(x)))
        return out


class SelfLayer(_AttentionLayer):
    """SA(x): x1 = LN(x + Drop(MHA(x, x, x))); x2 = LN(x1 + Drop(FFN(x1)))."""

    def forward(
        self, x: Float[Tensor, "b n dim"], hidden: Bool[Tensor, "b n"] | None = None
    ) -> Float[Tensor, "b n dim"]:
        """Attend within `x`; tokens where `hidden` is True are not looked at."""
        return self._layer(x, x, hidden)


class CrossLayer(_AttentionLayer):
    """CA(a, y): y1 = LN(y + Drop(MHA(query a, key y, value y))); y2 = LN(y1 + Drop(FFN(y1)))."""

    def forward(
        self,
        a: Float[Tensor, "b n dim"],
        y: Float[Tensor, "b n dim"],
        hidden: Bool[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b n dim"]:
        """Let `a` ask `y`; the answer is added to `y`, so both have the same length."""
        return self._layer(a, y, hidden)


class PaeLayer(nn.Module):
    """x_{i+1} = CA(W_i c, SA(x_i)), with a condition c as long as x (PIR, PAE)."""

    def __init__(self, dim: int = 512, heads: int = 8, dropout: float = 0.2) -> None:
        super().__init__()
        self.condition = nn.Linear(dim, dim)
        self.own = SelfLayer(dim, heads, dropout)
        self.cross = CrossLayer(dim, heads, dropout)

    def forward(
        self,
        x: Float[Tensor, "b n dim"],
        c: Float[Tensor, "b n dim"],
        hidden: Bool[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b n dim"]:
        """One layer over tokens `x` under the condition `c`."""
        out: Tensor = self.cross(self.condition(c), self.own(x, hidden), hidden)
        return out
