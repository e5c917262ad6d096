"""Settings that cannot be meant are refused before any image is read."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_origin

from terraseek.errors import ConfigError, UnknownModelError

if TYPE_CHECKING:
    from terraseek.encoders.cards import ModelCard
    from terraseek_train.config import TrainConfig

__all__ = ["check_kinds", "check_values", "fill_architecture", "registered"]

_AT_LEAST_ONE = (
    "steps",
    "batch",
    "accumulate",
    "stored_size",
    "threads",
    "workers",
    "eval_every",
    "save_every",
)
_NOT_NEGATIVE = ("chunk", "text_only", "warmup", "weight_decay")
_WEIGHTS = ("class_weight", "text_weight", "image_weight")
_SHARES = ("final_lr", "ema", "smoothing", "mix", "template_share", "word_drop", "distil_share")
_KINDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
}


def registered(init: str | None) -> "ModelCard | None":
    """The card of the registered model that `init` names; None where it is a path.

    Raises:
        ConfigError: it is neither a path that exists nor the name of a model.
    """
    if not init or Path(init).exists():
        return None
    from terraseek.encoders.registry import get_card

    try:
        return get_card(init)
    except UnknownModelError as error:
        raise ConfigError(
            f"{init!r} is no checkpoint folder, no weights file and no registered model; {error}"
        ) from error


def fill_architecture(value: dict[str, Any]) -> None:
    """Fill in, of a config as read, what the registered model or open_clip's list knows.

    Raises:
        ConfigError: neither knows the name.
    """
    init = value.get("init")
    if not isinstance(init, str | None):
        raise ConfigError(f"init {init!r} must be a text")
    if "arch" not in value and (card := registered(init)):
        value["arch"] = card.architecture
        value.setdefault("means", card.preprocess.mean)
        value.setdefault("stds", card.preprocess.std)
    if not isinstance(value.get("arch"), str):
        return
    from terraseek.encoders.architecture import model_config

    value["arch"] = model_config(value["arch"])
    side = int(value["arch"]["vision_cfg"]["image_size"])
    value.setdefault("sizes", [[0.0, side]])
    value.setdefault("stored_size", side * 5 // 4)


def check_kinds(value: Mapping[str, Any], kind: type) -> None:
    """Refuse values of the wrong kind in a config as read, before anything is made of them.

    Args:
        value: from JSON.
        kind: the dataclass it shall become.

    Raises:
        ConfigError: the message names key and value.
    """
    for item in fields(kind):
        if item.name not in value:
            continue
        found = value[item.name]
        if item.type in _KINDS and not _is(found, item.type):
            raise ConfigError(f"{item.name} {found!r} must be {_KINDS[item.type]}")
        if get_origin(item.type) is tuple and not isinstance(found, list | tuple):
            raise ConfigError(f"{item.name} {found!r} must be a list")


def check_values(config: "TrainConfig") -> None:
    """Refuse values out of range.

    Raises:
        ConfigError: the message names key and value.
    """
    for names, least in ((_AT_LEAST_ONE, 1), (_NOT_NEGATIVE, 0), (_WEIGHTS, 0)):
        for name in names:
            if getattr(config, name) < least:
                raise ConfigError(f"{name} {getattr(config, name)} must be at least {least}")
    for name in _SHARES:
        if not 0 <= getattr(config, name) <= 1:
            raise ConfigError(f"{name} {getattr(config, name)} must be from 0 to 1")
    for name in ("lr", "clip"):
        if getattr(config, name) <= 0:
            raise ConfigError(f"{name} {getattr(config, name)} must be above 0")
    if config.init and config.init_text:
        raise ConfigError("init and init_text cannot both be given: init brings its own text tower")
    if not config.data:
        raise ConfigError("data lists no source; give at least one")
    _check_architecture(config)


def _is(value: object, kind: object) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, bool if kind is bool else str)


def _check_architecture(config: "TrainConfig") -> None:
    arch: Any = config.arch
    wanted = {"vision_cfg": "image_size", "text_cfg": "context_length"}
    if not isinstance(arch, dict) or "embed_dim" not in arch:
        raise ConfigError("arch must be an open_clip model config with embed_dim, or its name")
    for part, key in wanted.items():
        if not isinstance(arch.get(part), dict) or key not in arch[part]:
            raise ConfigError(f"arch lacks {part}.{key}")
    if arch.get("custom_text") or "hf_model_name" in arch["text_cfg"] or "multimodal_cfg" in arch:
        raise ConfigError(
            "arch has a text tower of another kind (custom_text, hf_model_name or multimodal_cfg); "
            "training knows CLIP's own"
        )
    starts = [start for start, _ in config.sizes]
    if not starts or starts[0] != 0 or starts != sorted(starts):
        raise ConfigError(
            f"sizes {config.sizes} must begin at 0 and rise, as [[0, 96], [0.7, 128]]"
        )
    side = arch["vision_cfg"]["image_size"]
    if "timm_model_name" not in arch["vision_cfg"] and {s for _, s in config.sizes} != {side}:
        raise ConfigError(
            f"sizes {config.sizes}: this image tower sees squares of image_size {side} only; "
            f"set sizes to [[0, {side}]]"
        )
