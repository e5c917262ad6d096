"""From a card's architecture to an open_clip network without weights, and its tokenizer.

QuickGELU. OpenAI's CLIP and everything fine-tuned from it (GeoRSCLIP B/32 and L/14 among them) need
x * sigmoid(1.702 x) where the plain open_clip configs have GELU. The weights fit both, and with
the wrong one every score is quietly worse. open_clip before 2.29 switched by itself when
`pretrained="openai"` was given; since then the `-quickgelu` configs must be named.

Members. A config given in full may say `"members": n`: n networks of that config side by side, see
`encoders.joined`; its `embed_dim` is that of all of them together. In place of the number there may
be one object a member, `{"vision_cfg": {...}, "share": 0.3}`: its image tower if it is another than
the config's, and its share of every cosine beside the others' (1 if not said). With `"hubs"` beside
it their vectors are sent through `encoders.hubs`, whose numbers `embed_dim` counts too.
"""

import re
from collections.abc import Mapping
from copy import deepcopy
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from terraseek.encoders.cards import ModelCard
from terraseek.encoders.nets.hubness import HUB_DIMS, SIDES, level
from terraseek.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    import torch

__all__ = [
    "build_model",
    "build_tokenizer",
    "looks_like_openai",
    "members_of",
    "model_config",
    "quickgelu_sibling",
]

_DESCENDANTS = re.compile(r"rs5m|georsclip|openai|clip-rsicd", re.IGNORECASE)
_OPENAI_MADE = frozenset(
    [
        "RN50",
        "RN101",
        "RN50x4",
        "RN50x16",
        "RN50x64",
        "ViT-B-32",
        "ViT-B-16",
        "ViT-L-14",
        "ViT-L-14-336",
    ]
)
"""Architectures of OpenAI's own weights. ViT-H-14 is not one: GeoRSCLIP's keeps plain GELU."""
_PREFIXES = ("hf-hub:", "local-dir:")


def model_config(architecture: str | Mapping[str, Any]) -> dict[str, Any]:
    """The open_clip model config of a name or of a config given in full.

    Raises:
        ConfigError: open_clip has no config of this name, or the config lacks a part.
    """
    if isinstance(architecture, str):
        return _named_config(architecture)
    config: dict[str, Any] = deepcopy(dict(architecture))
    if missing := [k for k in ("embed_dim", "vision_cfg", "text_cfg") if k not in config]:
        raise ConfigError(f"architecture lacks {missing}; give a whole open_clip model config")
    return config


def _named_config(name: str) -> dict[str, Any]:
    import open_clip

    if name.startswith(_PREFIXES):  # would be read from the network or any folder behind our back
        raise ConfigError(f"architecture {name!r} must be the name of an open_clip model config")
    config: dict[str, Any] | None = open_clip.get_model_config(name)
    if config is None:
        raise ConfigError(
            f"open_clip has no model config {name!r}; `python -c 'import open_clip; "
            "print(open_clip.list_models())'` lists its names, or give a JSON config"
        )
    return config


def build_model(architecture: str | Mapping[str, Any]) -> "torch.nn.Module":
    """An open_clip network with random weights, in evaluation mode, on the CPU.

    Raises:
        ConfigError: the config cannot be built.
        MissingExtraError: it needs a package that is not installed.
    """
    import open_clip
    import torch

    config = model_config(architecture)
    if "members" in config:
        return _joined(config)
    _need_transformers(config)
    # open_clip would otherwise download the towers' own pretrained weights
    if "timm_model_name" in config["vision_cfg"]:
        config["vision_cfg"]["timm_model_pretrained"] = False
    if "hf_model_name" in config["text_cfg"]:
        config["text_cfg"]["hf_model_pretrained"] = False
    custom = config.pop("custom_text", False) or "hf_model_name" in config["text_cfg"]
    if "multimodal_cfg" in config:
        kind = open_clip.CoCa
    else:
        kind = open_clip.CustomTextCLIP if custom else open_clip.CLIP
    try:
        model: torch.nn.Module = kind(**config)
    except (TypeError, ValueError, KeyError, RuntimeError, AssertionError) as error:
        raise ConfigError(f"architecture cannot be built by open_clip: {error}") from error
    return model.eval()


def _joined(config: dict[str, Any]) -> "torch.nn.Module":
    from terraseek.encoders.nets.ensemble import joined

    members, hubs = members_of(config), config.get("hubs")
    dim = sum(int(own["embed_dim"]) for own, _ in members)
    levels = {} if hubs is None else {side: level(side, dim, hubs) for side in SIDES}
    networks = [build_model(own) for own, _ in members]
    return joined(networks, [share for _, share in members], levels).eval()


def members_of(config: Mapping[str, Any]) -> list[tuple[dict[str, Any], float]]:
    """The config of each member of joined encoders, and its share of a cosine; shares sum to 1.

    Raises:
        ConfigError: `members` is neither a number nor a list of what is a member's own, or
            `embed_dim` cannot be divided among them.
    """
    listed = config["members"]
    if isinstance(listed, int) and not isinstance(listed, bool):
        listed = [{}] * listed
    if not isinstance(listed, list) or not listed or not all(map(_is_member, listed)):
        raise ConfigError(
            f"architecture has {config['members']!r} members; members must be a whole number from "
            '1, or a list of objects with "vision_cfg" (an object), "share" (above 0) or neither'
        )
    dim = config["embed_dim"] - (HUB_DIMS if config.get("hubs") is not None else 0)
    if dim % len(listed):
        raise ConfigError(f"{len(listed)} members cannot have equal parts of embed_dim {dim}")
    one = {key: value for key, value in config.items() if key not in ("members", "hubs")}
    one["embed_dim"] = dim // len(listed)
    shares = [float(member.get("share", 1)) for member in listed]
    return [
        (one | {"vision_cfg": member.get("vision_cfg", one["vision_cfg"])}, share / sum(shares))
        for member, share in zip(listed, shares, strict=True)
    ]


def _is_member(entry: object) -> bool:
    if not isinstance(entry, dict) or not entry.keys() <= {"vision_cfg", "share"}:
        return False
    share = entry.get("share", 1)
    positive = isinstance(share, int | float) and share > 0
    return positive and isinstance(entry.get("vision_cfg", {}), dict)


def build_tokenizer(card: ModelCard) -> Any:  # noqa: ANN401 - open_clip has no common class
    """The open_clip tokenizer of a card: called with sentences it gives int64 [n, context].

    Raises:
        ConfigError: the text tower knows fewer tokens than the tokenizer makes.
        MissingExtraError: it needs a package that is not installed.
    """
    import open_clip

    config = model_config(card.architecture)
    _need_transformers(config)
    text = config["text_cfg"]
    length = card.context_length or text.get("context_length", 77)
    if isinstance(card.architecture, str):
        tokenizer = open_clip.get_tokenizer(card.architecture, context_length=length)
    elif text.get("hf_tokenizer_name"):
        from open_clip.tokenizer import HFTokenizer

        mode, extra = text.get("tokenizer_mode"), text.get("tokenizer_kwargs") or {}
        name = text["hf_tokenizer_name"]
        tokenizer = HFTokenizer(name, context_length=length, tokenizer_mode=mode, **extra)
    else:
        extra = text.get("tokenizer_kwargs") or {}
        tokenizer = open_clip.SimpleTokenizer(context_length=length, **extra)
    made, known = getattr(tokenizer, "vocab_size", 0), text.get("vocab_size", 49408)
    if made > known:
        raise ConfigError(
            f"card {card.name!r}: the tokenizer makes {made} tokens, the text tower knows {known}"
        )
    return tokenizer


def quickgelu_sibling(architecture: str | Mapping[str, Any]) -> str | None:
    """The `-quickgelu` config of a plain architecture that OpenAI published weights of."""
    if isinstance(architecture, str) and architecture in _OPENAI_MADE:
        return f"{architecture}-quickgelu"
    return None


def looks_like_openai(*names: str) -> bool:
    """Whether names (of a model, of a file) are those of weights that descend from OpenAI's."""
    return any(_DESCENDANTS.search(name) for name in names)


def _need_transformers(config: Mapping[str, Any]) -> None:
    text = config["text_cfg"]
    wanted = text.get("hf_model_name") or text.get("hf_tokenizer_name")
    if wanted and find_spec("transformers") is None:
        raise MissingExtraError(
            f"this model reads text with {wanted!r} of the transformers package, which is not "
            "installed; `pip install transformers`"
        )
