"""The weights before the first step."""

from pathlib import Path
from typing import Any

from terraseek.encoders.architecture import model_config
from terraseek.encoders.nets.checkpoints import clip_state, fit_state, read_state
from terraseek.encoders.weight_files import verify
from terraseek.errors import ConfigError
from terraseek.files import read_json
from terraseek.progress import Progress, silent
from terraseek_train.config import TrainConfig
from terraseek_train.config_architecture import bert_of, registered_card
from terraseek_train.data.text_table import sentence_vectors
from terraseek_train.loop.model import ClipModel, init_token_embedding, token_texts
from terraseek_train.loop.tower_files import bert_state, timm_state

__all__ = ["initial_config", "initial_weights", "initialize_weights"]

_CLIP = "clip."


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
    elif config.teacher and not bert_of(config.arch):
        vectors = sentence_vectors(
            token_texts(), Path(config.teacher), Path(config.cache), progress
        )
        init_token_embedding(model.clip, vectors)


def _initialize_towers(model: ClipModel, config: TrainConfig) -> None:
    """Set the weights of single towers; what their files lack keeps its random start."""
    state = model.clip.state_dict()
    if config.init_image:
        path = initial_weights(config.init_image)
        fit_state(model.clip, state | timm_state(read_state(path)), path)
    if config.init_text:
        state = model.clip.state_dict()
        path = initial_weights(config.init_text)
        stored = read_state(path)
        text = bert_state(stored) if bert_of(config.arch) else {}
        if not text:  # the text tower of a whole model: complete, or refused
            state = {key: value for key, value in state.items() if not _is_text(key)}
            text = {key: value for key, value in clip_state(stored).items() if _is_text(key)}
        fit_state(model.clip, state | text, path)


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
