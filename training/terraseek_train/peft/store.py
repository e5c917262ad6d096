"""Adapters on disk: a folder with `adapter.json` and `adapter.safetensors`, nothing of the base."""

from json import JSONDecodeError
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from terraseek.errors import (
    ConfigError,
    WeightsChecksumError,
    WeightsLayoutError,
    WeightsNotFoundError,
)
from terraseek.files import atomic_path, read_json, sha256_of, write_json
from terraseek_train.peft.apply import apply, peft_state, remove, settle
from terraseek_train.peft.config import PeftConfig
from terraseek_train.peft.pointwise import pointwise_layers
from terraseek_train.peft.towers import find_tower, foreign_visual

__all__ = [
    "FORMAT",
    "JSON",
    "PRIOR",
    "WEIGHTS",
    "attach",
    "count",
    "kept_values",
    "load",
    "mismatch",
    "save",
]

FORMAT = 1
JSON, WEIGHTS = "adapter.json", "adapter.safetensors"
PRIOR = "prior-"
"""Kinds that begin so bring a guided image tower (`terraseek_train.methods.prior.store`)."""


def save(model: nn.Module, path: Path) -> None:
    """Write the trained parameters of `model` and their config into the folder `path`.

    The JSON file is written last and holds the SHA-256 of the weights, so that an interrupted save
    is noticed by `load`.

    Raises:
        ConfigError: the model carries no adapter.
    """
    from safetensors.torch import save_file

    trained = kept_values(model)
    kept = {name: value.detach().cpu().contiguous() for name, value in trained.items()}
    with atomic_path(path / WEIGHTS) as part:
        save_file(kept, part)
    state = peft_state(model)
    assert state is not None
    config = state.config
    record = {
        "format": FORMAT,
        "config": config.to_json(),
        "towers": _towers(model, config),
        "parameters": count(trained),
        "sha256": sha256_of(path / WEIGHTS),
    }
    write_json(path / JSON, record)


def load(model: nn.Module, path: Path) -> list[str]:
    """Apply the adapter in the folder `path` to the base `model`, values included.

    Returns:
        Names of the parameters that would be trained further.

    Raises:
        WeightsNotFoundError: one of the two files is missing.
        WeightsChecksumError: the weights are not those the JSON file describes.
        WeightsLayoutError: names or shapes do not fit this base; the model is left as it was.
        ConfigError: the JSON file is damaged, or the model already carries an adapter.
    """
    from safetensors.torch import load_file

    record = _read(path)
    config = PeftConfig.from_json(record["config"])
    if record["towers"] != _towers(model, config):
        raise WeightsLayoutError(
            f"the adapter {path} was made for towers {record['towers']}, this model has "
            f"{_towers(model, config)}; load it onto the base it was trained on"
        )
    values = load_file(path / WEIGHTS)
    names = apply(model, config)
    targets = kept_values(model)
    problem = mismatch(values, targets)
    if problem:
        remove(model)
        raise WeightsLayoutError(f"the adapter {path} does not fit this model: {problem}")
    with torch.no_grad():
        for name, target in targets.items():
            target.copy_(values[name])
    return names


def attach(model: nn.Module, path: Path) -> None:
    """Put the adapter in the folder `path` onto the base `model` for use, in the cheapest form.

    What can be folded into the weights is folded, prefixes are made flat, and nothing requires
    gradients afterwards. A folder of PIR or PriorCLIP also replaces the image tower by a guided
    one. Core reaches this through the entry point `terraseek.adapters`.

    Raises:
        TerraSeekError: as `load`.
    """
    record = _read(path)
    if str(record["config"].get("kind", "")).startswith(PRIOR):
        from terraseek_train.methods.prior.store import attach_guided

        attach_guided(model, record, path)
        return
    load(model, path)
    settle(model)
    model.requires_grad_(False).eval()


def kept_values(model: nn.Module) -> dict[str, Tensor]:
    """What an adapter holds: the trained parameters, and statistics of batch norms among them.

    Raises:
        ConfigError: the model carries no adapter.
    """
    state = peft_state(model)
    if state is None:
        raise ConfigError("the model carries no adapter, so there is none to save; apply one first")
    values = dict(model.named_parameters())
    kept: dict[str, Tensor] = {name: values[name] for name in state.trainable}
    for place, module in model.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and f"{place}.weight" in kept:
            kept |= {f"{place}.{name}": buffer for name, buffer in module.named_buffers()}
    return kept


def _read(path: Path) -> dict[str, Any]:
    for name in (JSON, WEIGHTS):
        if not (path / name).is_file():
            raise WeightsNotFoundError(f"{path} has no {name}; an adapter is a folder with both")
    try:
        record = read_json(path / JSON)
    except JSONDecodeError as error:
        raise ConfigError(f"{path / JSON} is no JSON: {error}") from error
    keys = {"format", "config", "towers", "parameters", "sha256"}
    if not isinstance(record, dict) or set(record) != keys or record["format"] != FORMAT:
        raise ConfigError(f"{path / JSON} is no adapter description of format {FORMAT}")
    if sha256_of(path / WEIGHTS) != record["sha256"]:
        raise WeightsChecksumError(f"{path / WEIGHTS} is not what {JSON} describes; save again")
    return record


def _towers(model: nn.Module, config: PeftConfig) -> dict[str, list[int]]:
    """Layers and width of each tower that has adapters, of timm's the widths of all its layers."""
    if not config.adds_modules:
        return {}
    found: dict[str, list[int]] = {}
    other = foreign_visual(model) if config.kind == "lora" else None
    for name in config.towers:
        if name == "image" and other is not None:
            layers = pointwise_layers(other)
            found["image"] = [len(layers), sum(sum(layer.weight.shape[:2]) for layer in layers)]
            continue
        tower = find_tower(model, name)
        found[name] = [len(tower.blocks), tower.width]
    return found


def count(values: dict[str, Tensor]) -> int:
    """Numbers among them that are trained, statistics left out."""
    return sum(value.numel() for value in values.values() if isinstance(value, nn.Parameter))


def mismatch(values: dict[str, Tensor], targets: dict[str, Tensor]) -> str | None:
    """The first name or shape that differs, in words; None if all fit."""
    missing, unexpected = sorted(set(targets) - set(values)), sorted(set(values) - set(targets))
    if missing:
        return f"it lacks {missing[0]}"
    if unexpected:
        return f"it has {unexpected[0]}, which the model does not know"
    for name, parameter in targets.items():
        if values[name].shape != parameter.shape:
            return f"{name} is {list(values[name].shape)}, not {list(parameter.shape)}"
    return None
