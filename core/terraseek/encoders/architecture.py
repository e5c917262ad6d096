"""Architectures of model cards: open_clip model configs, with our extension for ensembles.

QuickGELU: OpenAI's CLIP and all models fine-tuned from it (GeoRSCLIP B/32 and L/14 among them) need
x * sigmoid(1.702 x) where the plain open_clip configs have GELU. The weights load into both, but
with the wrong activation all scores are silently worse. open_clip before 2.29 switched the
activation when `pretrained="openai"` was given; newer versions need the `-quickgelu` config.

Ensembles: a config given in full may contain `"members": n`, which means n networks of this config
whose vectors are concatenated (`encoders.nets.ensemble`); `embed_dim` is then the length of the
concatenated vector. Instead of a number, `members` may be a list with one object per member,
`{"vision_cfg": {...}, "share": 0.3}`: the image tower, if it differs from that of the config, and
the member's weight in the cosine (default 1). With `"hubs"` beside it, the vectors get a hubness
correction (`encoders.nets.hubness`), whose extra dimensions are included in `embed_dim`.

Long texts: `stretched_from` in `text_cfg` is the number of position embeddings of the weights, when
`context_length` is larger; loading stretches them as LongCLIP does
(`encoders.nets.published.long_clip`).

XLM-RoBERTa: `encoders.nets.published.xlm_roberta` builds the text towers open_clip would build with
transformers; `xlm_roberta` in `text_cfg` gives a size other than the published ones. Likewise
`encoders.nets.published.bert` for `bert-base-uncased`, with `bert` for another size.

MiniLM: a config whose `text_cfg` contains `minilm` is not an open_clip network but that of
`encoders.nets.lite_clip`. Its vocabulary is stored in its weights, so the tokenizer is made by the
network.
"""

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from terraseek.errors import ConfigError

__all__ = [
    "HUBNESS_DIMS",
    "ensemble_members",
    "looks_like_openai",
    "model_config",
    "quickgelu_sibling",
    "with_context_length",
]

HUBNESS_DIMS = 8
"""Dimensions a hubness correction appends: four in use, and zeros up to a multiple of eight."""

_OPENAI_NAMES = re.compile(
    r"rs5m|georsclip|openai|clip-rsicd|farslip|lrsclip|longclip", re.IGNORECASE
)
_OPENAI_ARCHITECTURES = frozenset(
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
"""Architectures of OpenAI's own weights. ViT-H-14 is not one: GeoRSCLIP's has plain GELU."""
_NOT_CAUSAL = frozenset({"minilm", "xlm_roberta", "bert", "hf_model_name", "no_causal_mask"})
_REMOTE_PREFIXES = ("hf-hub:", "local-dir:")


def model_config(architecture: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return the open_clip model config of a name, or a copy of a config given in full.

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

    if name.startswith(_REMOTE_PREFIXES):  # open_clip would read these from the network or a folder
        raise ConfigError(f"architecture {name!r} must be the name of an open_clip model config")
    config: dict[str, Any] | None = open_clip.get_model_config(name)
    if config is None:
        raise ConfigError(
            f"open_clip has no model config {name!r}; `python -c 'import open_clip; "
            "print(open_clip.list_models())'` lists its names, or give a JSON config"
        )
    return config


def ensemble_members(config: Mapping[str, Any]) -> list[tuple[dict[str, Any], float]]:
    """Return the config of each ensemble member with its weight in the cosine.

    Returns:
        Pairs (config, weight); the weights sum to 1.

    Raises:
        ConfigError: `members` is neither a number nor a list of objects for the members, or
            `embed_dim` cannot be divided by the number of members.
    """
    listed = config["members"]
    if isinstance(listed, int) and not isinstance(listed, bool):
        listed = [{}] * listed
    if not isinstance(listed, list) or not listed or not all(map(_is_member, listed)):
        raise ConfigError(
            f"architecture has {config['members']!r} members; members must be a whole number from "
            '1, or a list of objects with "vision_cfg" (an object), "share" (above 0) or neither'
        )
    dim = config["embed_dim"] - (HUBNESS_DIMS if config.get("hubs") is not None else 0)
    if dim % len(listed):
        raise ConfigError(f"{len(listed)} members cannot have equal parts of embed_dim {dim}")
    common = {key: value for key, value in config.items() if key not in ("members", "hubs")}
    common["embed_dim"] = dim // len(listed)
    weights = [float(member.get("share", 1)) for member in listed]
    return [
        (common | {"vision_cfg": member.get("vision_cfg", common["vision_cfg"])}, weight)
        for member, weight in zip(listed, [w / sum(weights) for w in weights], strict=True)
    ]


def _is_member(entry: object) -> bool:
    if not isinstance(entry, dict) or not entry.keys() <= {"vision_cfg", "share"}:
        return False
    weight = entry.get("share", 1)
    positive = isinstance(weight, int | float) and weight > 0
    return positive and isinstance(entry.get("vision_cfg", {}), dict)


def with_context_length(
    architecture: str | Mapping[str, Any], length: int | None
) -> str | Mapping[str, Any]:
    """Return the architecture with a text tower of at least `length` tokens.

    The weights' position embeddings are stretched as LongCLIP does. An architecture that reads
    `length` tokens or more is returned as it is.

    Raises:
        ConfigError: the text tower is longer only with other weights: it is not CLIP's.
    """
    config = model_config(architecture)
    text = config["text_cfg"]
    known = int(text.get("context_length", 77))
    if length is None or length <= known:
        return architecture
    if "members" in config or text.keys() & _NOT_CAUSAL:
        raise ConfigError(
            f"the text tower reads {known} tokens and cannot be lengthened to {length}; only those "
            "of CLIP's kind can. Give a context length up to that"
        )
    return {**config, "text_cfg": {**text, "context_length": length, "stretched_from": known}}


def quickgelu_sibling(architecture: str | Mapping[str, Any]) -> str | None:
    """Return the `-quickgelu` config of a plain architecture that OpenAI published weights of."""
    if isinstance(architecture, str) and architecture in _OPENAI_ARCHITECTURES:
        return f"{architecture}-quickgelu"
    return None


def looks_like_openai(*names: str) -> bool:
    """Return whether a model or file name is typical of weights fine-tuned from OpenAI's CLIP."""
    return any(_OPENAI_NAMES.search(name) for name in names)
