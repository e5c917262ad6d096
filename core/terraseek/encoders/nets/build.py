"""Build the network, without weights, and the tokenizer of a card's architecture."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import open_clip
import timm
from open_clip.tokenizer import HFTokenizer
from torch import nn

from terraseek.encoders.architecture import ensemble_members, model_config
from terraseek.encoders.cards import ModelCard
from terraseek.encoders.nets.ensemble import build_ensemble
from terraseek.encoders.nets.hubness import MODALITIES, hubness_correction
from terraseek.encoders.nets.lite_clip import build_lite_clip
from terraseek.encoders.nets.published.bert import bert_size, bert_tokenizer, build_bert_clip
from terraseek.encoders.nets.published.tokenizer_file import FileTokenizer
from terraseek.encoders.nets.published.xlm_roberta import build_xlm_roberta_clip, xlm_roberta_size
from terraseek.encoders.nets.text_tower import text_tower
from terraseek.encoders.weight_files import find_tokenizer
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
    _require_transformers(config["text_cfg"])
    # open_clip would otherwise download the towers' own pretrained weights
    if "timm_model_name" in config["vision_cfg"]:
        config["vision_cfg"]["timm_model_pretrained"] = False
    if "hf_model_name" in config["text_cfg"]:
        config["text_cfg"]["hf_model_pretrained"] = False
    stretched_from = config["text_cfg"].pop("stretched_from", None)
    _require_image_tower(config["vision_cfg"].get("timm_model_name"))
    try:
        model = _network(config)
    except (TypeError, ValueError, KeyError, RuntimeError, AssertionError) as error:
        raise ConfigError(f"architecture cannot be built by open_clip: {error}") from error
    if stretched_from is not None:
        text_tower(model).stretched_from = int(stretched_from)
    return model.eval()


def _network(config: dict[str, Any]) -> nn.Module:
    if xlm_roberta_size(config["text_cfg"]) is not None:
        return build_xlm_roberta_clip(config)
    if bert_size(config["text_cfg"]) is not None:
        return build_bert_clip(config)
    custom = config.pop("custom_text", False) or "hf_model_name" in config["text_cfg"]
    if "multimodal_cfg" in config:
        network = open_clip.CoCa
    else:
        network = open_clip.CustomTextCLIP if custom else open_clip.CLIP
    model: nn.Module = network(**config)
    return model


def _ensemble(config: dict[str, Any]) -> nn.Module:
    members, hubs = ensemble_members(config), config.get("hubs")
    dim = sum(int(member["embed_dim"]) for member, _ in members)
    corrections = {}
    if hubs is not None:
        corrections = {kind: hubness_correction(kind, dim, hubs) for kind in MODALITIES}
    networks = [build_model(member) for member, _ in members]
    return build_ensemble(networks, [weight for _, weight in members], corrections).eval()


def build_tokenizer(card: ModelCard) -> Any:  # noqa: ANN401 - open_clip has no common class
    """Build the tokenizer of a card; it maps sentences to int64 [n, context].

    Raises:
        ConfigError: the tokenizer's vocabulary is larger than that of the text tower.
        MissingExtraError: it needs a package that is not installed.
        WeightsNotFoundError: it is a file, which is not on this machine.
    """
    text = model_config(card.architecture)["text_cfg"]
    length = card.context_length or text.get("context_length", 77)
    if card.tokenizer is not None:
        tokenizer: Any = FileTokenizer(find_tokenizer(card), card.tokenizer, length)
        return _checked_vocabulary(card, tokenizer, text)
    if (bert := bert_size(text)) is not None:
        return _checked_vocabulary(card, bert_tokenizer(length), {"vocab_size": bert.vocab_size})
    name = text.get("hf_tokenizer_name") or text.get("hf_model_name")
    if name and find_spec("transformers") is None:
        raise MissingExtraError(
            f"this model reads text with the tokenizer {name!r}; give its tokenizer.json with "
            "`terraseek models add --tokenizer FILE`, or `pip install transformers`, which asks "
            "the Hugging Face hub for it"
        )
    if isinstance(card.architecture, str):
        tokenizer = open_clip.get_tokenizer(card.architecture, context_length=length)
    elif text.get("hf_tokenizer_name"):
        mode, extra = text.get("tokenizer_mode"), text.get("tokenizer_kwargs") or {}
        name = text["hf_tokenizer_name"]
        tokenizer = HFTokenizer(name, context_length=length, tokenizer_mode=mode, **extra)
    else:
        extra = text.get("tokenizer_kwargs") or {}
        tokenizer = open_clip.SimpleTokenizer(context_length=length, **extra)
    return _checked_vocabulary(card, tokenizer, text)


def _checked_vocabulary(card: ModelCard, tokenizer: Any, text: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Return the tokenizer, if its tokens are in the text tower's vocabulary."""
    multilingual = xlm_roberta_size(text)
    known = text.get("vocab_size", 49408) if multilingual is None else multilingual.vocab_size
    made = getattr(tokenizer, "vocab_size", 0)
    if made > known:
        raise ConfigError(
            f"card {card.name!r}: the tokenizer has {made} tokens, the text tower only {known}"
        )
    return tokenizer


def _require_transformers(text: Mapping[str, Any]) -> None:
    wanted = text.get("hf_model_name")
    known = xlm_roberta_size(text) or bert_size(text)
    if wanted and known is None and find_spec("transformers") is None:
        raise MissingExtraError(
            f"this model reads text with {wanted!r} of the transformers package, which is not "
            "installed; `pip install transformers`"
        )


def _require_image_tower(name: str | None) -> None:
    if name is not None and not timm.is_model(name):
        raise ConfigError(
            f"timm {timm.__version__} has no image tower {name!r}, so open_clip cannot build it; "
            "a newer timm may have it. Towers that only their authors' code has, as DOFA-CLIP's, "
            "cannot be used"
        )
