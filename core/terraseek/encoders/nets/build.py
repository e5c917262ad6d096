"""Build the network, without weights, and the tokenizer of a card's architecture."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import open_clip
from open_clip.tokenizer import HFTokenizer
from torch import nn

from terraseek.encoders.architecture import ensemble_members, model_config
from terraseek.encoders.cards import ModelCard
from terraseek.encoders.nets.ensemble import build_ensemble
from terraseek.encoders.nets.hubness import MODALITIES, hubness_correction
from terraseek.encoders.nets.lite_clip import build_lite_clip
from terraseek.encoders.nets.text_tower import text_tower
from terraseek.errors import ConfigError, MissingExtraError

__all__ = ["build_model", "build_tokenizer"]


def build_model(architecture: str | Mapping[str, Any]) -> nn.Module:
    """Build the network of an architecture with random weights, in evaluation mode, on the CPU.

    Raises:
        ConfigError: the config cannot be built.
        MissingExtraError: it needs a package that is not installed.
    """
    config = model_config(architecture)
    if "minilm" in config["text_cfg"]:
        return build_lite_clip(config).eval()
    if "members" in config:
        return _ensemble(config)
    _require_transformers(config)
    # open_clip would otherwise download the towers' own pretrained weights
    if "timm_model_name" in config["vision_cfg"]:
        config["vision_cfg"]["timm_model_pretrained"] = False
    if "hf_model_name" in config["text_cfg"]:
        config["text_cfg"]["hf_model_pretrained"] = False
    stretched_from = config["text_cfg"].pop("stretched_from", None)
    custom = config.pop("custom_text", False) or "hf_model_name" in config["text_cfg"]
    if "multimodal_cfg" in config:
        network = open_clip.CoCa
    else:
        network = open_clip.CustomTextCLIP if custom else open_clip.CLIP
    try:
        model: nn.Module = network(**config)
    except (TypeError, ValueError, KeyError, RuntimeError, AssertionError) as error:
        raise ConfigError(f"architecture cannot be built by open_clip: {error}") from error
    if stretched_from is not None:
        text_tower(model).stretched_from = int(stretched_from)
    return model.eval()


def _ensemble(config: dict[str, Any]) -> nn.Module:
    members, hubs = ensemble_members(config), config.get("hubs")
    dim = sum(int(member["embed_dim"]) for member, _ in members)
    corrections = {}
    if hubs is not None:
        corrections = {kind: hubness_correction(kind, dim, hubs) for kind in MODALITIES}
    networks = [build_model(member) for member, _ in members]
    return build_ensemble(networks, [weight for _, weight in members], corrections).eval()


def build_tokenizer(card: ModelCard) -> Any:  # noqa: ANN401 - open_clip has no common class
    """Build the open_clip tokenizer of a card; it maps sentences to int64 [n, context].

    Raises:
        ConfigError: the tokenizer's vocabulary is larger than that of the text tower.
        MissingExtraError: it needs a package that is not installed.
    """
    config = model_config(card.architecture)
    _require_transformers(config)
    text = config["text_cfg"]
    length = card.context_length or text.get("context_length", 77)
    if isinstance(card.architecture, str):
        tokenizer = open_clip.get_tokenizer(card.architecture, context_length=length)
    elif text.get("hf_tokenizer_name"):
        mode, extra = text.get("tokenizer_mode"), text.get("tokenizer_kwargs") or {}
        name = text["hf_tokenizer_name"]
        tokenizer = HFTokenizer(name, context_length=length, tokenizer_mode=mode, **extra)
    else:
        extra = text.get("tokenizer_kwargs") or {}
        tokenizer = open_clip.SimpleTokenizer(context_length=length, **extra)
    made, known = getattr(tokenizer, "vocab_size", 0), text.get("vocab_size", 49408)
    if made > known:
        raise ConfigError(
            f"card {card.name!r}: the tokenizer has {made} tokens, the text tower only {known}"
        )
    return tokenizer


def _require_transformers(config: Mapping[str, Any]) -> None:
    text = config["text_cfg"]
    wanted = text.get("hf_model_name") or text.get("hf_tokenizer_name")
    if wanted and find_spec("transformers") is None:
        raise MissingExtraError(
            f"this model reads text with {wanted!r} of the transformers package, which is not "
            "installed; `pip install transformers`"
        )
