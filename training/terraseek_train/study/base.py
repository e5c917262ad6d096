"""The model every cell of a study starts from."""

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from terraseek.encoders.cards import Preprocess
from terraseek.encoders.nets.checkpoints import clip_state
from terraseek.errors import ConfigError, UnknownModelError
from terraseek.files import read_json, sha256_of

__all__ = ["Base", "load_base"]


@dataclass(frozen=True)
class Base:
    """A trained model and how its inputs are made."""

    name: str
    model: nn.Module
    preprocess: Preprocess
    context: int
    """Tokens the text tower reads."""
    dim: int
    """Length of the joint vectors."""
    sha256: str
    """Of the weights file."""

    def fresh(self) -> Any:  # noqa: ANN401 - open_clip has no types
        """A copy to train."""
        return deepcopy(self.model)


def load_base(name: str) -> Base:
    """The model of a checkpoint folder, or a registered one.

    Raises:
        ConfigError: `name` is neither.
        ModelError: its weights are absent or do not fit.
    """
    folder = Path(name)
    if (folder / "config.json").is_file():
        return _of_run(folder)
    try:
        return _of_card(name)
    except UnknownModelError as error:
        raise ConfigError(
            f"base {name!r} is neither a checkpoint folder (with config.json and "
            f"model.safetensors) nor a model: {error}"
        ) from error


def _of_run(folder: Path) -> Base:
    from safetensors.torch import load_file

    from terraseek_train.loop.model import build_clip

    config, weights = read_json(folder / "config.json"), folder / "model.safetensors"
    stored = load_file(weights)
    model = build_clip(config["arch"])
    model.load_state_dict(clip_state(stored))
    side = int(config["arch"]["vision_cfg"]["image_size"])
    return Base(
        folder.name,
        model.eval(),
        Preprocess(side, tuple(config["means"]), tuple(config["stds"])),
        int(config["arch"]["text_cfg"]["context_length"]),
        int(config["arch"]["embed_dim"]),
        sha256_of(weights),
    )


def _of_card(name: str) -> Base:
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
    return Base(name, model, card.preprocess, int(context), card.embed_dim, weights.sha256)
