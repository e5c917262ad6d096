"""Model cards for weights of the user; options that are not given come from the config.

The architecture may be an open_clip name, a JSON model config, an `open_clip_config.json` as
open_clip writes it, or the `config.json` of a training run. The latter two also contain the
preprocessing.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from terraseek.encoders.architecture import (
    looks_like_openai,
    model_config,
    quickgelu_sibling,
    with_context_length,
)
from terraseek.encoders.cards import ModelCard, Preprocess, TokenizerFile, WeightsFile
from terraseek.errors import ConfigError, WeightsNotFoundError
from terraseek.files import read_json, sha256_of

__all__ = ["CLIP_MEAN", "CLIP_STD", "CardOptions", "run_files", "user_card"]

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
_PREPROCESS = ("mean", "std", "interpolation", "resize_mode")
_SPECIAL_TOKENS = {
    "xlm-roberta": ("<s>", "</s>", "<pad>"),
    "256000": ("", "<eos>", "<pad>"),
    "32000": ("", "</s>", "</s>"),
}
"""Tokens before, after and behind a text, by text tower: XLM-RoBERTa, and by the size of the
vocabulary SigLIP 2 (that of Gemma) and SigLIP (that of T5)."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CardOptions:
    """Options of the user for a model card; None means not given."""

    size: int | None = None
    """Side of the input square in pixels."""
    mean: tuple[float, ...] | None = None
    """R, G, B on the scale 0 to 1."""
    std: tuple[float, ...] | None = None
    interpolation: str | None = None
    resize_mode: str | None = None
    quick_gelu: bool | None = None
    """Whether the activation is QuickGELU, as in models fine-tuned from OpenAI's CLIP."""
    tokenizer: Path | None = None
    """`tokenizer.json` of a text tower whose tokenizer is not CLIP's."""
    context_length: int | None = None
    """Maximum number of tokens of a text; above that of the architecture, position embeddings of
    the weights are stretched as LongCLIP does, unless they have this length already."""
    title: str = ""
    description: str = ""
    source: str = ""
    licence: str = ""


def user_card(
    name: str, architecture: str | Mapping[str, Any], weights: Path, options: CardOptions
) -> ModelCard:
    """Create the card of weights on this machine, without checking that they fit.

    Args:
        name: of the model.
        architecture: open_clip name, model config, or path of a JSON file with one.
        weights: path of the weights file.
        options: of the user.

    Raises:
        WeightsNotFoundError: there is no such file.
        ConfigError: the architecture or an option cannot be used.
    """
    if not weights.is_file():
        raise WeightsNotFoundError(
            f"no weights file at {weights}; give the path of an existing one"
        )
    architecture, preprocess = _read_architecture(architecture)
    preprocess = _published_preprocess(architecture) | preprocess
    architecture = _with_activation(architecture, options.quick_gelu, name, weights.name)
    architecture = with_context_length(architecture, options.context_length)
    config = model_config(architecture)
    default = config["vision_cfg"].get("image_size", 224)
    size = options.size or _side(preprocess.get("size", default))
    if size != _side(default):  # position embeddings depend on the input size
        architecture = {**config, "vision_cfg": {**config["vision_cfg"], "image_size": size}}
    return ModelCard(
        name=name,
        architecture=architecture,
        weights=WeightsFile(
            str(weights.resolve()), sha256_of(weights), bytes=weights.stat().st_size
        ),
        preprocess=Preprocess(
            size=size,
            mean=options.mean or tuple(preprocess.get("mean") or CLIP_MEAN),
            std=options.std or tuple(preprocess.get("std") or CLIP_STD),
            interpolation=options.interpolation or preprocess.get("interpolation") or "bicubic",
            resize_mode=options.resize_mode or preprocess.get("resize_mode") or "shortest",
        ),
        embed_dim=config["embed_dim"],
        title=options.title or name,
        description=options.description,
        source=options.source,
        licence=options.licence or "not stated",
        tokenizer=_tokenizer(config["text_cfg"], options.tokenizer),
        context_length=options.context_length,
    )


def run_files(run: Path) -> tuple[str, Path]:
    """Return the paths of config and best weights in the folder of a training run.

    Raises:
        ConfigError: the folder is not that of a training run.
        WeightsNotFoundError: the run has not been validated yet.
    """
    config, weights = run / "config.json", run / "model.safetensors"
    if (run / "adapter" / "adapter.json").exists():
        raise ConfigError(
            f"{run} tuned a base with an adapter; register it with --base and "
            f"--adapter {run / 'adapter'}"
        )
    if not config.is_file():
        raise ConfigError(f"{run} is not the folder of a training run: it has no config.json")
    if not weights.is_file():
        raise WeightsNotFoundError(
            f"{run} has no model.safetensors yet; it is written when the run validates, every "
            "`eval_every` steps and at the end"
        )
    return str(config), weights


def _read_architecture(
    architecture: str | Mapping[str, Any],
) -> tuple[str | dict[str, Any], dict[str, Any]]:
    """Return architecture and preprocessing, read from a JSON file if a path is given."""
    if isinstance(architecture, str) and not architecture.endswith(".json"):
        return architecture, {}
    if isinstance(architecture, str):
        path = Path(architecture)
        if not path.is_file():
            raise ConfigError(f"no architecture file at {path}; give a JSON model config")
        try:
            architecture = read_json(path)
        except ValueError as error:
            raise ConfigError(f"architecture file {path} is not valid JSON: {error}") from error
        if not isinstance(architecture, Mapping):
            raise ConfigError(f"architecture file {path} must contain a JSON object")
    if isinstance(architecture.get("arch"), Mapping):  # config.json of `terraseek train`
        settings = {"mean": architecture.get("means"), "std": architecture.get("stds")}
        return dict(architecture["arch"]), {k: v for k, v in settings.items() if v is not None}
    inner = architecture.get("model_cfg", architecture)
    preprocess = architecture.get("preprocess_cfg") or {}
    return dict(inner), {k: v for k, v in preprocess.items() if k != "mode" and v is not None}


def _published_preprocess(architecture: str | dict[str, Any]) -> dict[str, Any]:
    """Return the preprocessing of all published weights of an open_clip name, if they agree.

    open_clip itself takes CLIP's for weights given as a file, which silently spoils the vectors of
    SigLIP and SigLIP 2 (open_clip issue 1068).
    """
    if not isinstance(architecture, str):
        return {}
    import open_clip

    tags = open_clip.list_pretrained_tags_by_model(architecture)
    found = [open_clip.get_pretrained_cfg(architecture, tag) for tag in tags]
    settings = [{key: cfg[key] for key in _PREPROCESS if key in cfg} for cfg in found]
    return settings[0] if settings and all(s == settings[0] for s in settings) else {}


def _tokenizer(text: Mapping[str, Any], path: Path | None) -> TokenizerFile | None:
    """Describe the user's tokenizer file, with the special tokens its text tower was trained on."""
    if path is None:
        return None
    if not path.is_file():
        raise WeightsNotFoundError(f"no tokenizer at {path}; give the path of a tokenizer.json")
    vocabulary = "xlm-roberta" if str(text.get("hf_model_name")).startswith("xlm-roberta") else ""
    vocabulary = vocabulary or str(text.get("vocab_size"))
    if vocabulary not in _SPECIAL_TOKENS:
        raise ConfigError(
            "--tokenizer is for the text towers of SigLIP, SigLIP 2 and XLM-RoBERTa; this "
            "architecture has none of them, leave the option out"
        )
    clean = (text.get("tokenizer_kwargs") or {}).get("clean", "whitespace")
    start, end, pad = _SPECIAL_TOKENS[vocabulary]
    return TokenizerFile(str(path.resolve()), start, end, pad, clean=clean, sha256=sha256_of(path))


def _with_activation(
    architecture: str | dict[str, Any], quick_gelu: bool | None, *names: str
) -> str | dict[str, Any]:
    """Return the architecture with the activation chosen by the user or guessed from the names."""
    sibling = quickgelu_sibling(architecture)
    if quick_gelu is None and sibling is not None:
        if looks_like_openai(*names):
            _log.warning(
                "using %s instead of %s: these weights seem to be fine-tuned from OpenAI's CLIP, "
                "which needs QuickGELU (--no-quickgelu keeps plain GELU)",
                sibling,
                architecture,
            )
            return sibling
        _log.warning(
            "%s uses plain GELU; weights fine-tuned from OpenAI's CLIP (such as GeoRSCLIP) need "
            "%s, otherwise all scores are silently worse: add --quickgelu for such weights",
            architecture,
            sibling,
        )
    if quick_gelu and sibling is not None:
        return sibling
    config = model_config(architecture)
    if quick_gelu is None or config.get("quick_gelu", False) == quick_gelu:
        return architecture
    return {**config, "quick_gelu": quick_gelu}


def _side(size: object) -> int:
    """Side of a square given as 224 or [224, 224]."""
    sides = {int(s) for s in size} if isinstance(size, list | tuple) else {int(str(size))}
    if len(sides) != 1:
        raise ConfigError(f"image size {size} is not square; only square inputs are supported")
    return sides.pop()
