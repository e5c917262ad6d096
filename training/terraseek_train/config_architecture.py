"""The `arch` and `init` of a config: resolve model names, refuse what cannot be trained."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from terraseek.encoders.cards import ModelCard
from terraseek.errors import ConfigError, UnknownModelError

__all__ = [
    "bert_of",
    "check_architecture",
    "fill_architecture",
    "has_minilm",
    "reads_word_pieces",
    "registered_card",
]


def registered_card(init: str | None) -> ModelCard | None:
    """Look up the card of the registered model that `init` names; None where it is a path.

    Raises:
        ConfigError: `init` is neither a path that exists nor the name of a model.
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
    """Complete the settings of a config as read, in place, from the model it names.

    `arch`, `means` and `stds` come from the registered model of `init`; an `arch` that is a name
    becomes the model config of open_clip's list, and `sizes` and `stored_size` follow from it.

    Raises:
        ConfigError: there is no model of that name.
    """
    init = value.get("init")
    if not isinstance(init, str | None):
        raise ConfigError(f"init {init!r} must be a text")
    if "arch" not in value and (card := registered_card(init)):
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


def bert_of(arch: Mapping[str, Any]) -> bool:
    """Return whether the text tower is BERT.

    Raises:
        ConfigError: its size has an unknown field.
    """
    from terraseek.encoders.nets.published.bert import bert_size

    try:
        return bert_size(arch["text_cfg"]) is not None
    except TypeError as error:
        raise ConfigError(f"arch.text_cfg.bert cannot be read as a size: {error}") from error


def has_minilm(arch: Mapping[str, Any]) -> bool:
    """Return whether the network is that of `encoders.nets.lite_clip`, with MiniLM."""
    return "minilm" in arch["text_cfg"]


def reads_word_pieces(arch: Mapping[str, Any]) -> bool:
    """Return whether the text tower reads the word pieces of uncased BERT, as MiniLM does too."""
    return has_minilm(arch) or bert_of(arch)


def check_architecture(arch: Mapping[str, Any], sizes: Sequence[tuple[float, int]]) -> None:
    """Refuse an architecture that cannot be trained here, and sizes that do not fit it.

    Args:
        arch: `arch` of a config; anything may have come from JSON.
        sizes: (share of the run from which it holds, side in pixels).

    Raises:
        ConfigError: the message names key and value.
    """
    required = {"vision_cfg": "image_size", "text_cfg": "context_length"}
    if not isinstance(arch, dict) or "embed_dim" not in arch:
        raise ConfigError("arch must be an open_clip model config with embed_dim, or its name")
    for part, key in required.items():
        if not isinstance(arch.get(part), dict) or key not in arch[part]:
            raise ConfigError(f"arch lacks {part}.{key}")
    has_bert = bert_of(arch)
    foreign = arch.get("custom_text") or "hf_model_name" in arch["text_cfg"]
    if "multimodal_cfg" in arch or (foreign and not has_bert):
        raise ConfigError(
            "arch has a text tower of another kind (custom_text, hf_model_name or "
            "multimodal_cfg); only CLIP's own text tower, BERT and MiniLM can be trained"
        )
    starts = [start for start, _ in sizes]
    if not starts or starts[0] != 0 or starts != sorted(starts):
        raise ConfigError(f"sizes {sizes} must begin at 0 and rise, as [[0, 96], [0.7, 128]]")
    side = arch["vision_cfg"]["image_size"]
    if "timm_model_name" not in arch["vision_cfg"] and {s for _, s in sizes} != {side}:
        raise ConfigError(
            f"sizes {sizes}: this image tower takes squares of image_size {side} only; "
            f"set sizes to [[0, {side}]]"
        )
