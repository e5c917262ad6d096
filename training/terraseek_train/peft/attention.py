"""Fused multi-head self-attention that takes low-rank deltas and prefixes, keys unchanged."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from terraseek_train.peft.modules import Gate, LoraDelta, PrefixTable

__all__ = ["AdaptedAttention"]


class AdaptedAttention(nn.Module):
    """Stands in for `nn.MultiheadAttention` in an open_clip block.

    Shares the base's parameters under the same names, so that a checkpoint of the base still loads.
    q = W_q x + lora_q(x), v likewise; keys and values are preceded by the layer's prefixes.
    """

    lora_q: LoraDelta | None
    lora_v: LoraDelta | None
    prefix_gate: Gate | None

    def __init__(self, base: nn.MultiheadAttention) -> None:
        super().__init__()
        self.in_proj_weight = base.in_proj_weight
        self.in_proj_bias = base.in_proj_bias
        self.out_proj = base.out_proj
        self.num_heads = base.num_heads
        self.batch_first = base.batch_first
        self.dropout = base.dropout
        self.lora_q = None
        self.lora_v = None
        self.prefix_gate = None
        self.prefix_logit = 0.0
        # in a tuple, so that the tower's table is not registered once a layer
        self._prefix: tuple[PrefixTable, int] | None = None

    def use_prefix(self, table: PrefixTable, layer: int, logit: float, gate: Gate | None) -> None:
        """Take the prefixes of `layer` from the tower's table."""
        self._prefix = (table, layer)
        self.prefix_logit = logit
        self.prefix_gate = gate

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        need_weights: bool = False,
        attn_mask: Tensor | None = None,
    ) -> tuple[Tensor, None]:
        """Attention of [b, length, width] (or length first, as the base); weights are not given.

        Args:
            query: what asks.
            key: what is asked; the same tensor as `query` in CLIP.
            value: what answers.
            need_weights: must be false, as in open_clip's blocks.
            attn_mask: additive or boolean (True hides), [length, length] or [b * heads, ...].
        """
        assert not need_weights, "attention weights are not kept"
        if not self.batch_first:
            query, key, value = (x.transpose(0, 1) for x in (query, key, value))
        parts = self._project(query, key, value)
        q, k, v = (self._heads(part) for part in parts)
        if self._prefix is not None:
            k, v = self._with_prefix(query, k, v)
        mask = self._mask(attn_mask, q, k)
        chance = self.dropout if self.training else 0.0
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=chance)
        out: Tensor = self.out_proj(seen.transpose(1, 2).flatten(2))
        return (out if self.batch_first else out.transpose(0, 1)), None

    def _project(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if query is key and key is value:
            q, k, v = F.linear(query, self.in_proj_weight, self.in_proj_bias).chunk(3, dim=-1)
        else:
            weights = self.in_proj_weight.chunk(3)
            has_bias = self.in_proj_bias is not None
            biases = self.in_proj_bias.chunk(3) if has_bias else (None,) * 3
            both = zip((query, key, value), weights, biases, strict=True)
            q, k, v = (F.linear(x, weight, bias) for x, weight, bias in both)
        if self.lora_q is not None:
            q = q + self.lora_q(query)
        if self.lora_v is not None:
            v = v + self.lora_v(value)
        return q, k, v

    def _heads(self, x: Float[Tensor, "b length width"]) -> Float[Tensor, "b heads length inner"]:
        return x.reshape(*x.shape[:2], self.num_heads, -1).transpose(1, 2)

    def _with_prefix(self, x: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        assert self._prefix is not None
        table, layer = self._prefix
        first = torch.stack(table.layer(layer)).unsqueeze(1).expand(-1, len(x), -1, -1)
        if self.prefix_gate is not None:
            first = first * self.prefix_gate(x)  # one gate for keys and values
        before_k, before_v = (self._heads(part) for part in first)
        return torch.cat([before_k, k], dim=2), torch.cat([before_v, v], dim=2)

    def _mask(self, mask: Tensor | None, q: Tensor, k: Tensor) -> Tensor | None:
        if mask is None:
            return None
        if mask.dtype == torch.bool:
            mask = torch.zeros_like(mask, dtype=q.dtype).masked_fill(mask, float("-inf"))
        if mask.ndim == 3:
            mask = mask.reshape(len(q), self.num_heads, *mask.shape[1:])
        added = k.shape[2] - mask.shape[-1]
        return F.pad(mask, (added, 0), value=self.prefix_logit).to(q.dtype)

    @torch.no_grad()
    def fold(self) -> None:
        """Add the low-rank deltas to the fused weight and forget them."""
        width = self.in_proj_weight.shape[1]
        if self.lora_q is not None:
            self.in_proj_weight[:width] += self.lora_q.matrix()
        if self.lora_v is not None:
            self.in_proj_weight[2 * width :] += self.lora_v.matrix()
        self.lora_q = self.lora_v = None

    def plain(self) -> nn.MultiheadAttention:
        """The base's kind of attention with the same parameters, without any adapter."""
        width = self.in_proj_weight.shape[1]
        base = nn.MultiheadAttention(
            width,
            self.num_heads,
            dropout=self.dropout,
            bias=self.in_proj_bias is not None,
            batch_first=self.batch_first,
            device="meta",  # its own parameters are replaced at once
        )
        base.in_proj_weight = self.in_proj_weight
        base.in_proj_bias = self.in_proj_bias
        base.out_proj = self.out_proj
        return base.train(self.training)
