"""The base model from which every arm of a study starts."""

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from terraseek.encoders.cards import Preprocess
from terraseek.encoders.nets.checkpoints import clip_state
from terraseek.errors import ConfigError, UnknownModelError
from terraseek.files import read_json, sha256_of

__all__ = ["BaseModel", "load_base"]


@dataclass(frozen=True)
class BaseModel:
    """A trained model and the preprocessing of its inputs."""

    name: str
    model: nn.Module
    preprocess: Preprocess
    context: int
    """Context length of the text tower in tokens."""
    dim: int
    """Width of the joint space."""
    sha256: str
    """SHA-256 of the weights file."""

    def copy_model(self) -> Any:  # noqa: ANN401 - open_clip has no types
        """Copy of the model, for training."""
        return deepcopy(self.model)


def load_base(name: str) -> BaseModel:
    """Load the model of a checkpoint folder, or a registered one.

    Raises:
        ConfigError: `name` is neither.
        ModelError: its weights are missing or do not fit.
    """
    folder = Path(name)
    if (folder / "config.json").is_file():
        return _from_checkpoint_folder(folder)
    try:
        return _from_card(name)
    except UnknownModelError as error:
        raise ConfigError(
            f"base {name!r} is neither a checkpoint folder (with config.json and "
            f"model.safetensors) nor a model: {error}"
        ) from error


def _from_checkpoint_folder(folder: Path) -> BaseModel:
    from safetensors.torch import load_file

    from terraseek_train.loop.model import build_clip

    config, weights = read_json(folder / "config.json"), folder / "model.safetensors"
    stored = load_file(weights)
    model = build_clip(config["arch"])
    model.load_state_dict(clip_state(stored))
    side = int(config["arch"]["vision_cfg"]["image_size"])
    return BaseModel(
        folder.name,
        model.eval(),
        Preprocess(side, tuple(config["means"]), tuple(config["stds"])),
        int(config["arch"]["text_cfg"]["context_length"]),
        int(config["arch"]["embed_dim"]),
        sha256_of(weights),
    )


def _from_card(name: str) -> BaseModel:
    from terraseek.encoders.architecture import model_config
    from terraseek.encoders.nets.build import build_model
    from terraseek.encoders.nets.checkpoints import load_weights
    from terraseek.encoders.registry import get_card
    from terraseek.encoders.weight_files import verify

    card = get_card(name)
    weights = verify(card)
    model = build_model(card.architecture)
    load_weights(model, weights.path)
    context = card.context_length or model_config(card.architecture)["text_cfg"].get(
        "context_length", 77
    )
    return BaseModel(name, model, card.preprocess, int(context), card.embed_dim, weights.sha256)
