"""Type and range checks of settings, before any image is read."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_origin

from terraseek.errors import ConfigError
from terraseek_train.config_architecture import check_architecture, reads_word_pieces

__all__ = ["check_method", "check_ranges", "check_types"]

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
_NOT_NEGATIVE = ("chunk", "views", "text_only", "warmup", "weight_decay", "epochs", "clip")
_DECAYS = ("cosine", "linear")
_LOSS_WEIGHTS = ("class_weight", "text_weight", "image_weight")
_ZERO_TO_ONE = (
    "final_lr",
    "ema",
    "smoothing",
    "mix",
    "template_share",
    "word_drop",
    "distil_share",
    "warmup_share",
)
_CONTRASTIVE_ONLY = ("teacher", "rs5m_captions", "distil", "mix", "word_drop")
"""Settings that change the pairs or the loss of the method `contrastive`."""
_TYPE_NAMES: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
}


def check_types(value: Mapping[str, Any], kind: type) -> None:
    """Refuse values of the wrong type in a config as read.

    Args:
        value: from JSON.
        kind: the dataclass to be made of it.

    Raises:
        ConfigError: the message names key and value.
    """
    for item in fields(kind):
        if item.name not in value:
            continue
        found = value[item.name]
        if item.type in _TYPE_NAMES and not _has_type(found, item.type):
            raise ConfigError(f"{item.name} {found!r} must be {_TYPE_NAMES[item.type]}")
        if get_origin(item.type) is tuple and not isinstance(found, list | tuple):
            raise ConfigError(f"{item.name} {found!r} must be a list")


def _has_type(value: object, kind: object) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, bool if kind is bool else str)


def check_ranges(settings: Mapping[str, Any]) -> None:
    """Refuse values out of range.

    Args:
        settings: all fields of a `TrainConfig` by name.

    Raises:
        ConfigError: the message names key and value.
    """
    for names, least in ((_AT_LEAST_ONE, 1), (_NOT_NEGATIVE, 0), (_LOSS_WEIGHTS, 0)):
        for name in names:
            if settings[name] < least:
                raise ConfigError(f"{name} {settings[name]} must be at least {least}")
    for name in _ZERO_TO_ONE:
        if not 0 <= settings[name] <= 1:
            raise ConfigError(f"{name} {settings[name]} must be from 0 to 1")
    if settings["lr"] <= 0:
        raise ConfigError(f"lr {settings['lr']} must be above 0")
    if settings["decay"] not in _DECAYS:
        raise ConfigError(f"decay {settings['decay']!r} must be {' or '.join(_DECAYS)}")
    for tower in ("text", "image"):
        if settings["init"] and settings[f"init_{tower}"]:
            raise ConfigError(
                f"init and init_{tower} cannot both be given: init sets the {tower} tower too"
            )
    if not settings["data"]:
        raise ConfigError("data lists no source; give at least one")
    check_architecture(settings["arch"], settings["sizes"])


def check_method(settings: Mapping[str, Any]) -> None:
    """Refuse settings that the method would ignore or that would change it.

    Args:
        settings: all fields of a `TrainConfig` by name.

    Raises:
        ConfigError: the message names the key.
    """
    if not isinstance(settings["options"], dict):
        raise ConfigError(f"options {settings['options']!r} must be an object of values by name")
    if not isinstance(settings["tune"], str | dict):
        raise ConfigError(f"tune {settings['tune']!r} must be a text or an object with kind")
    if reads_word_pieces(settings["arch"]):
        _check_word_pieces(settings)
    if settings["method"] == "contrastive":
        return
    for name in _CONTRASTIVE_ONLY:
        if settings[name]:
            raise ConfigError(
                f"{name} is part of the method contrastive, and {settings['method']} as published "
                f"has nothing like it; remove {name}"
            )


def _check_word_pieces(settings: Mapping[str, Any]) -> None:
    """Refuse what needs CLIP's own tokens."""
    for name in ("distil", "freeze_words", "word_drop"):
        if settings[name]:
            raise ConfigError(
                f"{name} needs CLIP's own text tower, and arch has BERT or MiniLM; remove it"
            )
