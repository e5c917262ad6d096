"""Adapters for layers of BERT and MiniLM, whose query, key and value are maps of their own.

Hooks add what `AdaptedAttention` adds to open_clip's fused attention, so that the layers keep their
code and the names of their parameters.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from terraseek_train.peft.config import PeftConfig
from terraseek_train.peft.modules import Gate, LoraDelta, PrefixTable

__all__ = ["adapt_layer", "is_split", "merge_layer", "restore_layer", "split_projections"]


def is_split(block: Any) -> bool:  # noqa: ANN401
    """Return whether a layer's attention has separate maps for query, key and value."""
    return hasattr(block, "query") or isinstance(getattr(block, "attention", None), nn.ModuleDict)


def split_projections(block: Any) -> tuple[nn.Linear, nn.Linear, nn.Linear]:  # noqa: ANN401
    """Return the maps to query, key and value of a layer of MiniLM or BERT."""
    if hasattr(block, "query"):
        return block.query, block.key, block.value
    attention = block.attention["self"]
    return attention["query"], attention["key"], attention["value"]


def adapt_layer(
    block: Any,  # noqa: ANN401
    config: PeftConfig,
    table: PrefixTable | None,
    index: int,
) -> None:
    """Add low-rank deltas and prefixes to the attention of a layer.

    Args:
        block: the layer, called with the tokens' states and which tokens are in use.
        config: what to add; bottlenecks are added elsewhere.
        table: prefixes of the tower; None for kinds without.
        index: number of the layer.
    """
    query, key, value = split_projections(block)
    width, like = query.weight.shape[1], query.weight
    if config.has_lora:
        for layer in (query, value):
            holder: Any = layer
            holder.lora = LoraDelta(width, config.rank, config.alpha, config.gated, like)
            layer.register_forward_hook(_with_delta)
    if table is None:
        return
    gate = Gate(width, like) if config.gated else None
    if gate is not None:
        block.prefix_gate = gate
    for part, layer in enumerate((key, value)):
        holder = layer
        # in a tuple, so that the tower's table is not registered as a submodule of every layer
        holder.prefix = (table, index, part, gate)
        layer.register_forward_hook(_with_prefix)
    block.prefix_length = config.prefix_tokens
    block.register_forward_pre_hook(_with_longer_mask)


@torch.no_grad()
def merge_layer(block: Any) -> None:  # noqa: ANN401
    """Add the low-rank deltas to the weights; `restore_layer` then removes them."""
    query, _, value = split_projections(block)
    for layer in (query, value):
        holder: Any = layer
        layer.weight += holder.lora.matrix()


def restore_layer(block: Any) -> None:  # noqa: ANN401
    """Remove deltas and prefixes."""
    for layer in split_projections(block):
        for name in ("lora", "prefix"):
            if hasattr(layer, name):
                delattr(layer, name)
        _unhook(layer._forward_hooks, _with_delta)
        _unhook(layer._forward_hooks, _with_prefix)
    if hasattr(block, "prefix_gate"):
        del block.prefix_gate
    _unhook(block._forward_pre_hooks, _with_longer_mask)


def _unhook(hooks: Any, function: Any) -> None:  # noqa: ANN401
    for key in [key for key, hook in hooks.items() if hook is function]:
        del hooks[key]


# module functions, not bound methods, so that copies of the model use their own adapters


def _with_delta(layer: Any, inputs: Any, out: Tensor) -> Tensor:  # noqa: ANN401
    changed: Tensor = out + layer.lora(inputs[0])
    return changed


def _with_prefix(layer: Any, inputs: Any, out: Tensor) -> Tensor:  # noqa: ANN401
    table, index, part, gate = layer.prefix
    prefix = table.layer(index)[part].expand(len(out), -1, -1)
    if gate is not None:
        prefix = prefix * gate(inputs[0])  # one gate for keys and values
    return torch.cat([prefix.to(out.dtype), out], dim=1)


def _with_longer_mask(block: Any, inputs: Any) -> Any:  # noqa: ANN401
    states, used = inputs
    return states, F.pad(used, (block.prefix_length, 0), value=True)
