"""Read weights files in all layouts in which remote-sensing CLIP models are published.

Supported are `.safetensors` and torch pickles (restricted loader, `weights_only=True`) with a flat
state dict, one wrapped as `{"state_dict": ...}`, `module.` prefixes of data-parallel training, the
`text_backbone.` / `image_backbone.` of ITRA (GeoRSCLIP and RemoteCLIP), the two position tables of
LongCLIP (LRSCLIP, FarSLIP), and the checkpoints of TerraSeek's training, which also contain
training heads.
"""

import pickle
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from terraseek.encoders.nets.int8_storage import dequantize_state
from terraseek.encoders.nets.published.long_clip import merge_position_tables, stretch_positions
from terraseek.encoders.nets.text_tower import stretched_from, text_tower
from terraseek.errors import WeightsLayoutError

__all__ = ["clip_state", "fit_state", "load_weights", "read_state"]

_WRAPPERS = ("state_dict", "model_state_dict", "model")
_IGNORED_KEYS = frozenset(
    {
        "attn_mask",  # a constant; some versions store it
        "text.attn_mask",
        "input_resolution",  # this and the next two: constants in OpenAI's files
        "context_length",
        "vocab_size",
        "text.transformer.embeddings.position_ids",  # dropped by transformers 4.31
    }
)
_TEXT_PREFIXES = (
    "text_projection",
    "positional_embedding",
    "token_embedding",
    "transformer",
    "ln_final",
)
_CLIP_PREFIX = "clip."
_POSITIONS = ("positional_embedding", "text.positional_embedding")
_MAX_LISTED = 4
"""Number of keys listed in an error message."""


def load_weights(model: nn.Module, path: Path) -> None:
    """Load a weights file into an open_clip network as float32; all keys must match.

    Raises:
        WeightsLayoutError: keys are missing, unknown or of another shape; the message lists them.
    """
    fit_state(model, clip_state(read_state(path)), path)


def fit_state(model: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Load tensors of `read_state` into an open_clip network; all keys must match.

    Args:
        model: converted to float32.
        state: in open_clip's layout, with the text tower at the top level or under `text.`.
        path: of the file, for error messages.

    Raises:
        WeightsLayoutError: keys are missing, unknown or of another shape; the message lists them.
    """
    target = model.state_dict()
    state = merge_position_tables(state)
    if any(key.startswith("text.") for key in target):
        state = _with_text_prefix(state)
    state = _with_stretched_positions(state, target, stretched_from(text_tower(model)))
    state = {
        key: value for key, value in state.items() if key not in _IGNORED_KEYS or key in target
    }
    for scalar in ("logit_scale", "logit_bias"):  # stored with shape [] or [1]
        if scalar in state and scalar in target:
            state[scalar] = state[scalar].reshape(target[scalar].shape)
    _check(state, target, path)
    model.load_state_dict(state, strict=True)
    model.float()


def read_state(path: Path) -> dict[str, Tensor]:
    """Read tensors by name in open_clip's layout, without wrappers and prefixes of training code.

    Raises:
        WeightsLayoutError: the file holds no state dict, or one that would run code when loaded.
    """
    state = dequantize_state(_unwrap(_read(path), path))
    while state and all(key.startswith("module.") for key in state):
        state = {key.removeprefix("module."): value for key, value in state.items()}
    return {_open_clip_key(key): value for key, value in state.items()}


def clip_state(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of the CLIP model, without the heads of a training checkpoint."""
    towers = {
        k.removeprefix(_CLIP_PREFIX): v for k, v in state.items() if k.startswith(_CLIP_PREFIX)
    }
    return towers or state


def _read(path: Path) -> object:
    if path.suffix == ".safetensors":
        try:
            return safetensors.torch.load_file(path)
        except safetensors.SafetensorError as error:
            raise WeightsLayoutError(
                f"{path} is not a complete safetensors file: {error}"
            ) from error
    return _read_pickle(path)


def _read_pickle(path: Path) -> object:
    if _is_torchscript(path):
        raise WeightsLayoutError(
            f"{path} is a TorchScript archive, which contains code; save its state dict instead: "
            "torch.save(torch.jit.load(FILE).state_dict(), NEW)"
        )
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsLayoutError(
            f"{path} contains more than tensors and is not loaded, because that could run code; "
            "save only its state dict, preferably as .safetensors"
        ) from error
    except (RuntimeError, EOFError, ValueError) as error:
        raise WeightsLayoutError(f"{path} is not a complete torch file: {error}") from error


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("constants.pkl") for name in archive.namelist())


def _unwrap(value: object, path: Path) -> dict[str, Tensor]:
    if isinstance(value, Mapping):
        for wrapper in _WRAPPERS:
            if isinstance(inner := value.get(wrapper), Mapping):
                return _unwrap(inner, path)
        state = {str(k): v for k, v in value.items() if isinstance(v, Tensor)}
        if state:
            return state
    raise WeightsLayoutError(f"{path} contains no named tensors; a state dict is expected")


def _open_clip_key(key: str) -> str:
    """Rename keys of ITRA: image tower to `visual.`, text tower to the top level."""
    if key.startswith("image_backbone."):
        return "visual." + key.removeprefix("image_backbone.")
    return key.removeprefix("text_backbone.")


def _with_text_prefix(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Move text tower keys from the top level under `text.`, for networks with such a module."""
    if any(key.startswith("text.") for key in state):
        return state
    return {f"text.{k}" if k.startswith(_TEXT_PREFIXES) else k: v for k, v in state.items()}


def _with_stretched_positions(
    state: dict[str, Tensor], target: Mapping[str, Tensor], rows: int | None
) -> dict[str, Tensor]:
    """Stretch position embeddings of `rows` rows to those of the network; leave others alone."""
    key = next((key for key in _POSITIONS if key in target and key in state), None)
    if key is None or rows is None or len(state[key]) != rows:
        return state
    return state | {key: stretch_positions(state[key].float(), len(target[key]))}


def _check(state: Mapping[str, Any], target: Mapping[str, Any], path: Path) -> None:
    missing = [key for key in target if key not in state]
    unknown = [key for key in state if key not in target]
    shapes = [
        f"{key} {tuple(state[key].shape)} for {tuple(target[key].shape)}"
        for key in target
        if key in state and state[key].shape != target[key].shape
    ]
    parts = (("lacks", missing), ("has unknown", unknown), ("has other shapes:", shapes))
    if found := [f"{what} {_shortened_list(keys)}" for what, keys in parts if keys]:
        raise WeightsLayoutError(
            f"{path} does not fit the architecture: it {'; it '.join(found)}. "
            f"{_context_hint(state, target)}Name the architecture these weights were made for"
        )


def _context_hint(state: Mapping[str, Any], target: Mapping[str, Any]) -> str:
    """Say in words that the text towers differ in the tokens they read, or nothing."""
    for key in _POSITIONS:
        if key in state and key in target and len(state[key]) != len(target[key]):
            return (
                f"Its text tower reads {len(state[key])} tokens, that of the architecture "
                f"{len(target[key])}. "
            )
    return ""


def _shortened_list(keys: Iterable[str]) -> str:
    keys = list(keys)
    more = f" and {len(keys) - _MAX_LISTED} more" if len(keys) > _MAX_LISTED else ""
    return f"{', '.join(keys[:_MAX_LISTED])}{more}"
