"""Weights files of all the layouts that remote-sensing CLIPs are published in.

Read are `.safetensors` and torch pickles through the restricted loader (`weights_only=True`):
a flat state dict, one wrapped as `{"state_dict": ...}`, `module.` prefixes of data-parallel
training, ITRA's `text_backbone.` / `image_backbone.` (methods of GeoRSCLIP and RemoteCLIP), and the
checkpoints of our own training, which hold the heads it needs beside the towers.
"""

import pickle
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terraseek.errors import WeightsLayoutError

if TYPE_CHECKING:
    import torch

__all__ = ["fit_state", "load_weights", "read_state", "towers_of"]

_WRAPPERS = ("state_dict", "model_state_dict", "model")
_HARMLESS = frozenset(
    {
        "attn_mask",  # a constant, stored by builds where the buffer is persistent
        "text.attn_mask",
        "input_resolution",  # these three: constants of OpenAI's archives
        "context_length",
        "vocab_size",
        "text.transformer.embeddings.position_ids",  # dropped by transformers 4.31
    }
)
_TEXT_PARTS = (
    "text_projection",
    "positional_embedding",
    "token_embedding",
    "transformer",
    "ln_final",
)
_CLIP = "clip."
_NAMED = 4
"""How many keys an error message spells out."""


def load_weights(model: "torch.nn.Module", path: Path) -> None:
    """Load a weights file into an open_clip network as float32, every key or none.

    Raises:
        WeightsLayoutError: keys are missing, unknown or of another shape; the message names them.
    """
    fit_state(model, towers_of(read_state(path)), path)


def fit_state(model: "torch.nn.Module", state: "dict[str, torch.Tensor]", path: Path) -> None:
    """Load tensors as `read_state` gives them into an open_clip network, every key or none.

    Args:
        model: float32 afterwards.
        state: in open_clip's layout; a text tower of either layout.
        path: where they are from, for the error.

    Raises:
        WeightsLayoutError: keys are missing, unknown or of another shape; the message names them.
    """
    target = model.state_dict()
    if any(key.startswith("text.") for key in target):
        state = _into_text_tower(state)
    state = {key: value for key, value in state.items() if key not in _HARMLESS or key in target}
    for scalar in ("logit_scale", "logit_bias"):  # stored as [] or [1]
        if scalar in state and scalar in target:
            state[scalar] = state[scalar].reshape(target[scalar].shape)
    _check(state, target, path)
    model.load_state_dict(state, strict=True)
    model.float()


def read_state(path: Path) -> "dict[str, torch.Tensor]":
    """Tensors by name in open_clip's layout: wrappers opened, prefixes of trainers removed.

    Raises:
        WeightsLayoutError: the file is no state dict, or is one that would run code when read.
    """
    state = _unwrapped(_read(path), path)
    while state and all(key.startswith("module.") for key in state):
        state = {key.removeprefix("module."): value for key, value in state.items()}
    return {_open_clip_key(key): value for key, value in state.items()}


def towers_of(state: "dict[str, torch.Tensor]") -> "dict[str, torch.Tensor]":
    """The model alone, where a training of ours keeps it under `clip.` beside its heads."""
    towers = {k.removeprefix(_CLIP): v for k, v in state.items() if k.startswith(_CLIP)}
    return towers or state


def _read(path: Path) -> object:
    if path.suffix == ".safetensors":
        import safetensors
        import safetensors.torch

        try:
            return safetensors.torch.load_file(path)
        except safetensors.SafetensorError as error:
            raise WeightsLayoutError(f"{path} is no whole safetensors file: {error}") from error
    return _read_pickle(path)


def _read_pickle(path: Path) -> object:
    import torch

    if _is_torchscript(path):
        raise WeightsLayoutError(
            f"{path} is a TorchScript archive, which holds code; save its state dict instead: "
            "torch.save(torch.jit.load(FILE).state_dict(), NEW)"
        )
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsLayoutError(
            f"{path} holds more than tensors and is not read, because that could run code; "
            "save only its state dict, best as .safetensors"
        ) from error
    except (RuntimeError, EOFError, ValueError) as error:
        raise WeightsLayoutError(f"{path} is no whole torch file: {error}") from error


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("constants.pkl") for name in archive.namelist())


def _unwrapped(value: object, path: Path) -> "dict[str, torch.Tensor]":
    import torch

    if isinstance(value, Mapping):
        for wrapper in _WRAPPERS:
            if isinstance(inner := value.get(wrapper), Mapping):
                return _unwrapped(inner, path)
        state = {str(k): v for k, v in value.items() if isinstance(v, torch.Tensor)}
        if state:
            return state
    raise WeightsLayoutError(f"{path} holds no tensors by name; a state dict is expected")


def _open_clip_key(key: str) -> str:
    """ITRA keeps the towers side by side; open_clip keeps the text tower at the top level."""
    if key.startswith("image_backbone."):
        return "visual." + key.removeprefix("image_backbone.")
    return key.removeprefix("text_backbone.")


def _into_text_tower(state: "dict[str, torch.Tensor]") -> "dict[str, torch.Tensor]":
    """The classic layout for a network whose text tower is a module `text` of its own."""
    if any(key.startswith("text.") for key in state):
        return state
    return {f"text.{k}" if k.startswith(_TEXT_PARTS) else k: v for k, v in state.items()}


def _check(state: Mapping[str, Any], target: Mapping[str, Any], path: Path) -> None:
    missing = [key for key in target if key not in state]
    unknown = [key for key in state if key not in target]
    shapes = [
        f"{key} {tuple(state[key].shape)} for {tuple(target[key].shape)}"
        for key in target
        if key in state and state[key].shape != target[key].shape
    ]
    parts = (("lacks", missing), ("has unknown", unknown), ("has other shapes:", shapes))
    if found := [f"{what} {_some(keys)}" for what, keys in parts if keys]:
        raise WeightsLayoutError(
            f"{path} does not fit the architecture: it {'; it '.join(found)}. Name the "
            "architecture these weights were made for"
        )


def _some(keys: Iterable[str]) -> str:
    keys = list(keys)
    more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    return f"{', '.join(keys[:_NAMED])}{more}"
