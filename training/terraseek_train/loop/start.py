"""The weights before the first step."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from terraseek.encoders.architecture import model_config
from terraseek.encoders.nets.checkpoints import clip_state, fit_state, read_state
from terraseek.encoders.nets.published.bert import bert_vocabulary
from terraseek.encoders.weight_files import verify
from terraseek.errors import ConfigError
from terraseek.files import read_json
from terraseek.progress import Progress, silent
from terraseek_train.config import TrainConfig
from terraseek_train.config_architecture import (
    bert_of,
    has_minilm,
    reads_word_pieces,
    registered_card,
)
from terraseek_train.data.text_table import sentence_vectors
from terraseek_train.loop.model import ClipModel, init_token_embedding, token_texts
from terraseek_train.loop.tower_files import bert_state, lite_state, minilm_state, timm_state

__all__ = ["initial_config", "initial_weights", "initialize_weights"]

_CLIP = "clip."
_TRUNK = "visual.trunk."
_INITIAL_LOGIT_SCALE = math.log(1 / 0.07)


def initialize_weights(model: ClipModel, config: TrainConfig, progress: Progress = silent) -> None:
    """Set the weights that `init`, `init_text` or `init_image` names; else leave the towers random.

    `init` sets both towers, the others one. With none of them, the token embedding starts
    from vectors of the sentence encoder (`teacher`), if there is one. Every tensor of a
    checkpoint's towers must fit. Its training heads are taken where their shape fits, since
    another corpus has other classes.

    Raises:
        ConfigError: `init` is neither a path nor a registered model, or a folder without weights.
        ModelError: the weights are absent, damaged, or do not fit `arch`; the message names keys.
    """
    if config.init:
        path = initial_weights(config.init)
        state = read_state(path)
        fit_state(model.clip, clip_state(state), path)
        current = model.state_dict()
        heads = {k: v for k, v in state.items() if k in current and not k.startswith(_CLIP)}
        fitting = {k: v.float() for k, v in heads.items() if current[k].shape == v.shape}
        model.load_state_dict(current | fitting)
    elif config.init_text or config.init_image:
        _initialize_towers(model, config)
    elif config.teacher and not reads_word_pieces(config.arch):
        vectors = sentence_vectors(
            token_texts(), Path(config.teacher), Path(config.cache), progress
        )
        init_token_embedding(model.clip, vectors)
    if has_minilm(config.arch):
        _set_vocabulary(model.clip)
        _set_temperature(model.clip)


def _initialize_towers(model: ClipModel, config: TrainConfig) -> None:
    """Set the weights of single towers; what their files lack keeps its random start."""
    if config.init_image:
        state = model.clip.state_dict()
        path = initial_weights(config.init_image)
        fit_state(model.clip, state | _image_state(read_state(path), state, config, path), path)
    if config.init_text:
        state = model.clip.state_dict()
        path = initial_weights(config.init_text)
        stored = read_state(path)
        text = _published_text(stored, config)
        if not text:  # the text tower of a whole model: complete, or refused
            state = {key: value for key, value in state.items() if not _is_text(key)}
            text = {key: value for key, value in clip_state(stored).items() if _is_text(key)}
        fit_state(model.clip, state | text, path)
        if has_minilm(config.arch):
            _start_at_minilm(model.clip.text)


def _image_state(
    stored: dict[str, Tensor], state: Mapping[str, Tensor], config: TrainConfig, path: Path
) -> dict[str, Tensor]:
    """Published weights of an image tower under the names they have in the network."""
    if not has_minilm(config.arch):
        return timm_state(stored)
    trunk = {k.removeprefix(_TRUNK): v for k, v in state.items() if k.startswith(_TRUNK)}
    return {f"{_TRUNK}{key}": value for key, value in lite_state(stored, trunk, path).items()}


def _published_text(stored: dict[str, Tensor], config: TrainConfig) -> dict[str, Tensor]:
    """Tensors of the published BERT or MiniLM; empty for the file of another network."""
    if has_minilm(config.arch):
        return minilm_state(stored)
    return bert_state(stored) if bert_of(config.arch) else {}


@torch.no_grad()
def _set_temperature(clip: Any) -> None:  # noqa: ANN401
    """Start at CLIP's initial temperature where the weights hold none.

    `terraseek_train.small` trains one of its own and leaves that of the network at 0.
    """
    if float(clip.logit_scale.detach()) == 0:
        clip.logit_scale.fill_(_INITIAL_LOGIT_SCALE)


@torch.no_grad()
def _start_at_minilm(text: Any) -> None:  # noqa: ANN401
    """Let sentence vectors be MiniLM's own at first, where the joint space is as wide."""
    straight = text.project.straight
    if straight.weight.shape[0] == straight.weight.shape[1]:
        torch.nn.init.eye_(straight.weight)
        torch.nn.init.zeros_(straight.bias)


def _set_vocabulary(clip: Any) -> None:  # noqa: ANN401
    """Store the vocabulary of the training's tokenizer with MiniLM's weights.

    Raises:
        ConfigError: the weights hold another vocabulary, or `arch` has room for another one.
    """
    stored = clip.text.vocabulary
    known = bert_vocabulary()
    if stored.shape == known.shape and not bool(stored.any()):
        stored.copy_(known)
    if not torch.equal(stored.cpu(), known):
        raise ConfigError(
            "the text tower has another vocabulary than uncased BERT, in whose word pieces "
            f"captions are read; arch needs vocabulary_bytes {len(known)}"
        )


def _is_text(key: str) -> bool:
    return not key.startswith(("visual.", "logit_"))


def initial_weights(init: str) -> Path:
    """Find the weights file that `init` names: a registered model, a run's folder, or a file.

    Raises:
        ConfigError: there is no such thing, or the folder holds no weights.
        WeightsNotFoundError: the registered model's weights are not on this machine.
    """
    if card := registered_card(init):
        return verify(card).path
    path = Path(init)
    if not path.is_dir():
        return path
    if not (path / "model.safetensors").exists():
        raise ConfigError(
            f"{init!r} holds no model.safetensors; name the folder of a run that has "
            "validated once and trained no adapter, or a weights file"
        )
    return path / "model.safetensors"


def initial_config(init: str, folder: Path) -> dict[str, Any]:
    """Read the architecture and pixel statistics (`arch`, `means`, `stds`) of what `init` names.

    Args:
        init: name of a registered model, or a path.
        folder: folder of the config.json, if `init` is a path.

    Raises:
        ConfigError: neither a registered model nor a folder with config.json.
    """
    if card := registered_card(init):
        preprocess = card.preprocess
        statistics = {"means": list(preprocess.mean), "stds": list(preprocess.std)}
        return {"arch": model_config(card.architecture), **statistics}
    if not (folder / "config.json").exists():
        raise ConfigError(
            f"{init!r} has no config.json; it is neither a registered model nor a run's folder"
        )
    config: dict[str, Any] = read_json(folder / "config.json")
    return config
