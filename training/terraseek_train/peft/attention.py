"""Fused multi-head self-attention with low-rank deltas and prefixes; state dict keys unchanged."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from terraseek_train.peft.modules import Gate, LoraDelta, PrefixTable

__all__ = ["AdaptedAttention"]


class AdaptedAttention(nn.Module):
    """Replacement of `nn.MultiheadAttention` in an open_clip block.

    Shares the base's parameters under the same names, so that a checkpoint of the base still loads.
    q = W_q x + lora_q(x), v likewise (LoRA); the layer's prefixes are put before keys and values
    (prefix tuning).
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
        # in a tuple, so that the tower's table is not registered as a submodule of every layer
        self._prefix: tuple[PrefixTable, int] | None = None

    def use_prefix(self, table: PrefixTable, layer: int, logit: float, gate: Gate | None) -> None:
        """Use the prefixes of `layer` of the tower's table; for `logit` see `PeftConfig`."""
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
        """Attention output [b, length, width] (or length first, as the base), and None for weights.

        Args:
            query: query input, shaped like the output.
            key: key input; the same tensor as `query` in CLIP.
            value: value input; the same tensor as `query` in CLIP.
            need_weights: must be false, as in open_clip's blocks.
            attn_mask: additive or boolean (True masks out), [length, length] or [b * heads, ...].
        """
        assert not need_weights, "attention weights are not available"
        if not self.batch_first:
            query, key, value = (x.transpose(0, 1) for x in (query, key, value))
        projected = self._project(query, key, value)
        q, k, v = (self._split_heads(x) for x in projected)
        if self._prefix is not None:
            k, v = self._with_prefix(query, k, v)
        mask = self._mask(attn_mask, q, k)
        dropout = self.dropout if self.training else 0.0
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)
        out: Tensor = self.out_proj(attended.transpose(1, 2).flatten(2))
        return (out if self.batch_first else out.transpose(0, 1)), None

    def _project(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if query is key and key is value:
            q, k, v = F.linear(query, self.in_proj_weight, self.in_proj_bias).chunk(3, dim=-1)
        else:
            weights = self.in_proj_weight.chunk(3)
            has_bias = self.in_proj_bias is not None
            biases = self.in_proj_bias.chunk(3) if has_bias else (None,) * 3
            inputs = zip((query, key, value), weights, biases, strict=True)
            q, k, v = (F.linear(x, weight, bias) for x, weight, bias in inputs)
        if self.lora_q is not None:
            q = q + self.lora_q(query)
        if self.lora_v is not None:
            v = v + self.lora_v(value)
        return q, k, v

    def _split_heads(
        self, x: Float[Tensor, "b length width"]
    ) -> Float[Tensor, "b heads length inner"]:
        return x.reshape(*x.shape[:2], self.num_heads, -1).transpose(1, 2)

    def _with_prefix(self, x: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        assert self._prefix is not None
        table, layer = self._prefix
        prefix = torch.stack(table.layer(layer)).unsqueeze(1).expand(-1, len(x), -1, -1)
        if self.prefix_gate is not None:
            prefix = prefix * self.prefix_gate(x)  # one gate for keys and values
        prefix_k, prefix_v = (self._split_heads(part) for part in prefix)
        return torch.cat([prefix_k, k], dim=2), torch.cat([prefix_v, v], dim=2)

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
    def merge_lora(self) -> None:
        """Add the low-rank deltas to the fused weight and remove them."""
        width = self.in_proj_weight.shape[1]
        if self.lora_q is not None:
            self.in_proj_weight[:width] += self.lora_q.matrix()
        if self.lora_v is not None:
            self.in_proj_weight[2 * width :] += self.lora_v.matrix()
        self.lora_q = self.lora_v = None

    def plain(self) -> nn.MultiheadAttention:
        """Plain `nn.MultiheadAttention` with the base's parameters, without any adapter."""
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
