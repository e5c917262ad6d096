"""Put a way of tuning onto a model, and take it off again: folded in, ejected or without trace."""

import re
from dataclasses import dataclass, replace
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from terraseek.errors import ConfigError
from terraseek_train.peft.attention import AdaptedAttention
from terraseek_train.peft.config import PeftConfig
from terraseek_train.peft.modules import Bottleneck, Gate, LoraDelta, PrefixTable
from terraseek_train.peft.pointwise import add_deltas, fold_deltas, pointwise_layers, strip_deltas
from terraseek_train.peft.towers import Tower, find_tower, foreign_visual, tower_names

__all__ = ["PeftState", "apply", "eject", "merge", "peft_state", "remove", "settle"]

_PROJECTIONS = re.compile(
    r"visual(\.parts\.\d+)?\.(head\.)?proj\b|(text\.|texts\.\d+\.)?text_projection\b"
)
_TEMPERATURE = ("logit_scale", "logit_bias")


@dataclass(frozen=True)
class PeftState:
    """What was applied to a model."""

    config: PeftConfig
    trainable: tuple[str, ...]


def apply(model: nn.Module, config: PeftConfig) -> list[str]:
    """Add the modules of `config` to `model` in place and say which parameters are to be trained.

    Afterwards exactly the named parameters require gradients. Names and values of the base's
    parameters stay, so checkpoints of the base still load (with `strict=False`). New parameters are
    drawn from torch's global generator and have the base's device and dtype. LoRA changes no output
    at first; the others do, slightly, as published.

    Args:
        model: an open_clip CLIP or CustomTextCLIP.
        config: what to add.

    Returns:
        Names in the order of `named_parameters`.

    Raises:
        ConfigError: the model already carries something, or a tower takes no adapters.
    """
    if peft_state(model) is not None:
        raise ConfigError("the model already carries an adapter; merge or remove it first")
    foreign = _foreign(model, config)
    if foreign is not None:
        pointwise_layers(foreign)  # refuses before anything is changed
    towers = _transformers(model, config)
    chosen = _base_names(model, config)
    before = {name for name, _ in model.named_parameters()}
    for tower in towers:
        _add_modules(tower, config)
    if foreign is not None:
        add_deltas(foreign, config)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in chosen or name not in before)
    return _remember(model, config)


def peft_state(model: nn.Module) -> PeftState | None:
    """What `apply` did to this model, if anything."""
    state: PeftState | None = getattr(model, "peft_state", None)
    return state


def merge(model: nn.Module) -> None:
    """Make `model` a plain open_clip model again that computes what it computes now.

    LoRA deltas are added to the weights. Kinds that add no modules have nothing to fold in.

    Raises:
        ConfigError: nothing was applied, or the kind cannot be folded into weights.
    """
    config = _state(model).config
    if config.adds_modules and config.kind != "lora":
        advice = "; eject makes its prefixes flat" if config.kind == "prefix" else ""
        raise ConfigError(f"{config.kind} cannot be folded into the weights{advice}")
    if config.kind == "lora":
        for tower in _transformers(model, config):
            for block in tower.blocks:
                block.attn.fold()
        foreign = _foreign(model, config)
        if foreign is not None:
            fold_deltas(foreign)
    remove(model)


def remove(model: nn.Module) -> None:
    """Take the added modules away; all that is left requires gradients, as in a new model.

    Values of base parameters that were trained (kinds that add nothing) stay trained.

    Raises:
        ConfigError: nothing was applied.
    """
    config = _state(model).config
    for tower in _transformers(model, config):
        _strip(tower)
    foreign = _foreign(model, config)
    if foreign is not None:
        strip_deltas(foreign)
    holder: Any = model
    del holder.peft_state
    model.requires_grad_(True)


def eject(model: nn.Module) -> list[str]:
    """Replace table and MLP of prefix tuning by the prefixes they make; the outputs stay.

    Returns:
        The names of the parameters that are to be trained now.

    Raises:
        ConfigError: the model does not carry prefix tuning.
    """
    config = _state(model).config
    if config.kind != "prefix":
        raise ConfigError(f"only prefix tuning can be ejected; the model carries {config.kind}")
    for name in config.towers:
        find_tower(model, name).transformer.prefix.eject()
    return _remember(model, replace(config, ejected=True))


def settle(model: nn.Module) -> None:
    """Bring what the model carries into the form that is cheapest in use; the outputs stay.

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


def _transformers(model: nn.Module, config: PeftConfig) -> list[Tower]:
    """Towers whose attention and blocks are adapted."""
    if not config.adds_modules:
        return []
    other = _foreign(model, config) is not None
    return [find_tower(model, name) for name in config.towers if not (other and name == "image")]


def _foreign(model: nn.Module, config: PeftConfig) -> nn.Module | None:
    """An image tower of another kind, where it is adapted through its pointwise layers."""
    return foreign_visual(model) if config.kind == "lora" and "image" in config.towers else None


def _remember(model: nn.Module, config: PeftConfig) -> list[str]:
    names = [name for name, value in model.named_parameters() if value.requires_grad]
    holder: Any = model
    holder.peft_state = PeftState(config, tuple(names))
    return names


def _base_names(model: nn.Module, config: PeftConfig) -> set[str]:
    """Parameters of the base that the kind trains."""
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
    for index, block in enumerate(tower.blocks):
        if config.has_lora or table is not None:
            block.attn = _adapted(block.attn, config, width, like)
        if table is not None:
            gate = Gate(width, like) if config.gated else None
            block.attn.use_prefix(table, index, config.prefix_logit, gate)
        if config.has_bottleneck:
            block.pfeiffer = Bottleneck(width, config.reduction, config.gated, like)
            # the bottleneck reads the block's output, so a hook leaves open_clip's block as it is
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


def _strip(tower: Tower) -> None:
    for block in tower.blocks:
        if isinstance(block.attn, AdaptedAttention):
            block.attn = block.attn.plain()
        if hasattr(block, "pfeiffer"):
            del block.pfeiffer
            hooks = block._forward_hooks
            for key in [key for key, hook in hooks.items() if hook is _through_bottleneck]:
                del hooks[key]
    if hasattr(tower.transformer, "prefix"):
        del tower.transformer.prefix
