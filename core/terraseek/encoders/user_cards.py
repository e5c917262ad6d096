"""A model card for weights that a user brings: what the user did not say is taken from the config.

The architecture may be an open_clip name, a JSON model config, or an `open_clip_config.json` as
open_clip writes it or the `config.json` of a training run, whose preprocessing is then used too.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from terraseek.encoders.cards import ModelCard, Preprocess, WeightsFile
from terraseek.encoders.nets.build import looks_like_openai, model_config, quickgelu_sibling
from terraseek.errors import ConfigError, WeightsNotFoundError
from terraseek.files import read_json, sha256_of

__all__ = ["CLIP_MEAN", "CLIP_STD", "Wishes", "files_of_run", "propose_card"]

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wishes:
    """What the user says about the weights beside architecture and file; None means unsaid."""

    size: int | None = None
    """Side of the input square in pixels."""
    mean: tuple[float, ...] | None = None
    """R, G, B on the scale 0 to 1."""
    std: tuple[float, ...] | None = None
    interpolation: str | None = None
    resize_mode: str | None = None
    quick_gelu: bool | None = None
    """Whether the activations are QuickGELU, as in all that descends from OpenAI's CLIP."""
    context_length: int | None = None
    """Tokens the text tower reads."""
    title: str = ""
    description: str = ""
    source: str = ""
    licence: str = ""


def propose_card(
    name: str, architecture: str | Mapping[str, Any], weights: Path, wishes: Wishes
) -> ModelCard:
    """The card of weights on this machine, before anybody checked that they fit.

    Args:
        name: of the model.
        architecture: open_clip name, model config, or path of a JSON file with one.
        weights: the file.
        wishes: what the user says beyond.

    Raises:
        WeightsNotFoundError: there is no such file.
        ConfigError: the architecture or a setting cannot be used.
    """
    if not weights.is_file():
        raise WeightsNotFoundError(
            f"no weights file at {weights}; give the path of an existing one"
        )
    architecture, prepare = _opened(architecture)
    architecture = _activation(architecture, wishes.quick_gelu, name, weights.name)
    config = model_config(architecture)
    own = config["vision_cfg"].get("image_size", 224)
    size = wishes.size or _side(prepare.get("size", own))
    if size != _side(own):  # position embeddings depend on it, so the network is built for it
        architecture = {**config, "vision_cfg": {**config["vision_cfg"], "image_size": size}}
    return ModelCard(
        name=name,
        architecture=architecture,
        weights=WeightsFile(
            str(weights.resolve()), sha256_of(weights), bytes=weights.stat().st_size
        ),
        preprocess=Preprocess(
            size=size,
            mean=wishes.mean or tuple(prepare.get("mean") or CLIP_MEAN),
            std=wishes.std or tuple(prepare.get("std") or CLIP_STD),
            interpolation=wishes.interpolation or prepare.get("interpolation") or "bicubic",
            resize_mode=wishes.resize_mode or prepare.get("resize_mode") or "shortest",
        ),
        embed_dim=config["embed_dim"],
        title=wishes.title or name,
        description=wishes.description,
        source=wishes.source,
        licence=wishes.licence or "not stated",
        context_length=wishes.context_length,
    )


def files_of_run(run: Path) -> tuple[str, Path]:
    """The config and the weights in the folder of a training run.

    Raises:
        ConfigError: it is no such folder.
        WeightsNotFoundError: the run has not validated yet, so there are no best weights.
    """
    config, weights = run / "config.json", run / "model.safetensors"
    if not config.is_file():
        raise ConfigError(f"{run} is no folder of a training run: it has no config.json")
    if not weights.is_file():
        raise WeightsNotFoundError(
            f"{run} has no model.safetensors yet; it is written when the run validates, every "
            "`eval_every` steps and at the end"
        )
    return str(config), weights


def _opened(architecture: str | Mapping[str, Any]) -> tuple[str | dict[str, Any], dict[str, Any]]:
    """Architecture and preprocessing, read from a JSON file where a path was given."""
    if isinstance(architecture, str) and not architecture.endswith(".json"):
        return architecture, {}
    if isinstance(architecture, str):
        path = Path(architecture)
        if not path.is_file():
            raise ConfigError(f"no architecture file at {path}; give a JSON model config")
        try:
            architecture = read_json(path)
        except ValueError as error:
            raise ConfigError(f"architecture file {path} is no JSON: {error}") from error
        if not isinstance(architecture, Mapping):
            raise ConfigError(f"architecture file {path} must hold a JSON object")
    if isinstance(architecture.get("arch"), Mapping):  # config.json of a training of ours
        settings = {"mean": architecture.get("means"), "std": architecture.get("stds")}
        return dict(architecture["arch"]), {k: v for k, v in settings.items() if v is not None}
    inner = architecture.get("model_cfg", architecture)
    prepare = architecture.get("preprocess_cfg") or {}
    return dict(inner), {k: v for k, v in prepare.items() if k != "mode" and v is not None}


def _activation(
    architecture: str | dict[str, Any], quick_gelu: bool | None, *names: str
) -> str | dict[str, Any]:
    """The architecture with the activation the user names, or that the names give away."""
    sibling = quickgelu_sibling(architecture)
    if quick_gelu is None and sibling is not None:
        if looks_like_openai(*names):
            _log.warning(
                "taking %s instead of %s: these weights look like descendants of OpenAI's CLIP, "
                "which need QuickGELU (--no-quickgelu keeps plain GELU)",
                sibling,
                architecture,
            )
            return sibling
        _log.warning(
            "%s uses plain GELU; weights that descend from OpenAI's CLIP (GeoRSCLIP among them) "
            "need %s, or every score is quietly worse: add --quickgelu if these do",
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
        raise ConfigError(f"image size {size} is no square; only square inputs are supported")
    return sides.pop()
