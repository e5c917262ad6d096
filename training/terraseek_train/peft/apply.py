"""Apply a PEFT method to a model, and end it: merge, eject or remove."""

import re
from dataclasses import dataclass, replace
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from terraseek.errors import ConfigError
from terraseek_train.peft.attention import AdaptedAttention
from terraseek_train.peft.config import PeftConfig
from terraseek_train.peft.modules import Bottleneck, Gate, LoraDelta, PrefixTable
from terraseek_train.peft.pointwise import (
    add_deltas,
    merge_deltas,
    pointwise_layers,
    remove_deltas,
)
from terraseek_train.peft.split_attention import adapt_layer, merge_layer, restore_layer
from terraseek_train.peft.towers import Tower, find_tower, timm_visual, tower_names

__all__ = [
    "PeftState",
    "apply",
    "eject",
    "fold_for_inference",
    "merge",
    "peft_state",
    "reads_padding",
    "remove",
]

_PROJECTIONS = re.compile(
    r"visual(\.parts\.\d+)?\.(head\.)?proj\b|(text\.|texts\.\d+\.)?text_projection\b"
    r"|text\.proj\b|(visual|text)\.project\b"  # BERT, and the heads of LiteClip
)
_TEMPERATURE = ("logit_scale", "logit_bias")


@dataclass(frozen=True)
class PeftState:
    """PEFT config of a model and the names of its trainable parameters."""

    config: PeftConfig
    trainable: tuple[str, ...]


def apply(model: nn.Module, config: PeftConfig) -> list[str]:
    """Add the modules of `config` to `model` in place and return the names of trainable parameters.

    Afterwards exactly these parameters require gradients. The base's parameters keep names and
    values, so checkpoints of the base still load (with `strict=False`). New parameters are drawn
    from torch's global generator and have the base's device and dtype. At first, LoRA changes no
    output; the other kinds do slightly, as published.

    Args:
        model: an open_clip CLIP or CustomTextCLIP, or a `LiteClip`.
        config: what to add.

    Returns:
        Names in the order of `named_parameters`.

    Raises:
        ConfigError: the model already carries an adapter, or a tower takes no adapters.
    """
    if peft_state(model) is not None:
        raise ConfigError("the model already carries an adapter; merge or remove it first")
    visual = _adapted_timm_visual(model, config)
    if visual is not None:
        pointwise_layers(visual)  # raises before anything is changed
    towers = _adapted_transformers(model, config)
    trained = _trained_base_names(model, config)
    before = {name for name, _ in model.named_parameters()}
    for tower in towers:
        _add_modules(tower, config)
    if visual is not None:
        add_deltas(visual, config)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in trained or name not in before)
    return _set_state(model, config)


def peft_state(model: nn.Module) -> PeftState | None:
    """State that `apply` left on this model; None for a plain model."""
    state: PeftState | None = getattr(model, "peft_state", None)
    return state


def reads_padding(model: nn.Module) -> bool:
    """Whether the text features depend on padding: UniPELT's gates are means over all tokens."""
    state = peft_state(model)
    return state is not None and state.config.gated and "text" in state.config.towers


def merge(model: nn.Module) -> None:
    """Turn `model` into a plain open_clip model with the same outputs.

    LoRA deltas are added to the weights. Kinds that add no modules have nothing to merge.

    Raises:
        ConfigError: nothing was applied, or the kind cannot be merged into weights.
    """
    config = _state(model).config
    if config.adds_modules and config.kind != "lora":
        advice = "; `eject` replaces its MLP by plain prefixes" if config.kind == "prefix" else ""
        raise ConfigError(f"{config.kind} cannot be merged into the weights{advice}")
    if config.kind == "lora":
        for tower in _adapted_transformers(model, config):
            for block in tower.blocks:
                if tower.split:
                    merge_layer(block)
                else:
                    block.attn.merge_lora()
        visual = _adapted_timm_visual(model, config)
        if visual is not None:
            merge_deltas(visual)
    remove(model)


def remove(model: nn.Module) -> None:
    """Remove the added modules; all other parameters require gradients, as in a new model.

    Base parameters that were trained (kinds that add no modules) keep their trained values.

    Raises:
        ConfigError: nothing was applied.
    """
    config = _state(model).config
    for tower in _adapted_transformers(model, config):
        _remove_modules(tower)
    visual = _adapted_timm_visual(model, config)
    if visual is not None:
        remove_deltas(visual)
    holder: Any = model
    del holder.peft_state
    model.requires_grad_(True)


def eject(model: nn.Module) -> list[str]:
    """Replace table and MLP of prefix tuning by the prefixes they produce; outputs do not change.

    Returns:
        Names of the parameters that are trainable now.

    Raises:
        ConfigError: the model does not carry prefix tuning.
    """
    config = _state(model).config
    if config.kind != "prefix":
        raise ConfigError(f"only prefix tuning can be ejected; the model carries {config.kind}")
    for name in config.towers:
        find_tower(model, name).transformer.prefix.eject()
    return _set_state(model, replace(config, ejected=True))


def fold_for_inference(model: nn.Module) -> None:
    """Merge or eject what can be, for the cheapest inference; outputs do not change.

    Raises:
        ConfigError: nothing was applied.
    """
    config = _state(model).config
    if config.kind == "prefix" and not config.ejected:
        eject(model)
    elif config.kind == "lora" or not config.adds_modules:
        merge(model)


def _state(model: nn.Module) -> PeftState:
    state = peft_state(model)
    if state is None:
        raise ConfigError("the model carries no adapter; apply or load one first")
    return state


def _adapted_transformers(model: nn.Module, config: PeftConfig) -> list[Tower]:
    """Transformers whose attention or blocks are adapted."""
    if not config.adds_modules:
        return []
    is_timm = _adapted_timm_visual(model, config) is not None
    return [find_tower(model, name) for name in config.towers if not (is_timm and name == "image")]


def _adapted_timm_visual(model: nn.Module, config: PeftConfig) -> nn.Module | None:
    """The timm image tower, if its pointwise layers are adapted."""
    return timm_visual(model) if config.kind == "lora" and "image" in config.towers else None


def _set_state(model: nn.Module, config: PeftConfig) -> list[str]:
    names = [name for name, value in model.named_parameters() if value.requires_grad]
    holder: Any = model
    holder.peft_state = PeftState(config, tuple(names))
    return names


def _trained_base_names(model: nn.Module, config: PeftConfig) -> set[str]:
    """Names of base parameters that the kind trains."""
    names = {name for name, _ in model.named_parameters()}
    if config.kind == "full":
        return names
    if config.kind == "frozen-image":
        return names - tower_names(model, "image")
    if config.kind == "frozen-text":
        return names - tower_names(model, "text")
    if config.kind == "linear-probe":
        return {n for n in names if n in _TEMPERATURE or _PROJECTIONS.match(n)}
    return set()


def _add_modules(tower: Tower, config: PeftConfig) -> None:
    like, width = tower.like, tower.width
    table: PrefixTable | None = None
    if config.has_prefix:
        layers = len(tower.blocks)
        table = PrefixTable(layers, width, config.prefix_tokens, config.prefix_hidden, like)
        if config.ejected:
            table.eject()
        tower.transformer.prefix = table
    if tower.split and config.gated:
        tower.transformer.cut_padding = False  # gates are means over padding too
    for index, block in enumerate(tower.blocks):
        if tower.split:
            adapt_layer(block, config, table, index)
        elif config.has_lora or table is not None:
            block.attn = _adapted(block.attn, config, width, like)
        if table is not None and not tower.split:
            gate = Gate(width, like) if config.gated else None
            block.attn.use_prefix(table, index, config.prefix_logit, gate)
        if config.has_bottleneck:
            block.pfeiffer = Bottleneck(width, config.reduction, config.gated, like)
            # the bottleneck follows the whole block, so a hook leaves open_clip's block as it is
            block.register_forward_hook(_through_bottleneck)


def _adapted(
    base: nn.MultiheadAttention, config: PeftConfig, width: int, like: Float[Tensor, "..."]
) -> AdaptedAttention:
    attention = AdaptedAttention(base)
    if config.has_lora:
        attention.lora_q = LoraDelta(width, config.rank, config.alpha, config.gated, like)
        attention.lora_v = LoraDelta(width, config.rank, config.alpha, config.gated, like)
    return attention.train(base.training)


def _through_bottleneck(block: Any, _inputs: Any, out: Tensor) -> Tensor:  # noqa: ANN401
    # a module function, not a bound method, so that copies of the model use their own bottleneck
    changed: Tensor = block.pfeiffer(out)
    return changed


def _remove_modules(tower: Tower) -> None:
    if tower.split:
        tower.transformer.cut_padding = True
    for block in tower.blocks:
        if tower.split:
            restore_layer(block)
        elif isinstance(block.attn, AdaptedAttention):
            block.attn = block.attn.plain()
        if hasattr(block, "pfeiffer"):
            del block.pfeiffer
            hooks = block._forward_hooks
            for key in [key for key, hook in hooks.items() if hook is _through_bottleneck]:
                del hooks[key]
    if hasattr(tower.transformer, "prefix"):
        del tower.transformer.prefix
