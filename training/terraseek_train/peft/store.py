"""Save trained parameters as an adapter folder, load them onto the base again, or attach them."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from terraseek.errors import ConfigError, WeightsLayoutError
from terraseek_train.peft.apply import apply, fold_for_inference, peft_state, remove
from terraseek_train.peft.config import PeftConfig
from terraseek_train.peft.folder import (
    WEIGHTS,
    first_mismatch,
    parameter_count,
    read_record,
    write_adapter,
)
from terraseek_train.peft.pointwise import pointwise_layers
from terraseek_train.peft.towers import find_tower, timm_visual

__all__ = ["attach", "load", "save", "trained_tensors"]


def save(model: nn.Module, path: Path) -> None:
    """Write the trained parameters of `model` and their config into the folder `path`.

    Raises:
        ConfigError: the model carries no adapter.
    """
    trained = trained_tensors(model)
    state = peft_state(model)
    assert state is not None
    config = state.config
    towers = _tower_sizes(model, config)
    write_adapter(path, trained, config.to_json(), towers, parameter_count(trained))


def load(model: nn.Module, path: Path) -> list[str]:
    """Apply the adapter in the folder `path` to the base `model`, with its values.

    Returns:
        Names of the parameters that further training would change.

    Raises:
        WeightsNotFoundError: one of the two files is missing.
        WeightsChecksumError: the weights are not those that the JSON file describes.
        WeightsLayoutError: names or shapes do not fit this base; the model is left as it was.
        ConfigError: the JSON file is damaged, or the model already carries an adapter.
    """
    return _load(model, path, read_record(path))


def attach(model: nn.Module, path: Path, record: dict[str, Any] | None = None) -> None:
    """Attach the adapter in the folder `path` to the base `model` for inference.

    What can be merged into the weights is merged, prefixes are ejected, and afterwards no parameter
    requires gradients. `terraseek_train.adapters.attach` also takes the guided towers of PIR and
    PriorCLIP.

    Args:
        model: the base.
        path: adapter folder.
        record: its JSON file, if the caller has read it.

    Raises:
        TerraSeekError: as `load`.
    """
    _load(model, path, read_record(path) if record is None else record)
    fold_for_inference(model)
    model.requires_grad_(False).eval()


def trained_tensors(model: nn.Module) -> dict[str, Tensor]:
    """What an adapter stores: the trained parameters, and the statistics of trained batch norms.

    Raises:
        ConfigError: the model carries no adapter.
    """
    state = peft_state(model)
    if state is None:
        raise ConfigError("the model carries no adapter, so there is none to save; apply one first")
    values = dict(model.named_parameters())
    trained: dict[str, Tensor] = {name: values[name] for name in state.trainable}
    for place, module in model.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and f"{place}.weight" in trained:
            trained |= {f"{place}.{name}": buffer for name, buffer in module.named_buffers()}
    return trained


def _load(model: nn.Module, path: Path, record: dict[str, Any]) -> list[str]:
    from safetensors.torch import load_file

    config = PeftConfig.from_json(record["config"])
    sizes = _tower_sizes(model, config)
    if record["towers"] != sizes:
        raise WeightsLayoutError(
            f"the adapter {path} was made for towers {record['towers']}, this model has "
            f"{sizes}; load it onto the base it was trained on"
        )
    values = load_file(path / WEIGHTS)
    names = apply(model, config)
    targets = trained_tensors(model)
    problem = first_mismatch(values, targets)
    if problem:
        remove(model)
        raise WeightsLayoutError(f"the adapter {path} does not fit this model: {problem}")
    with torch.no_grad():
        for name, target in targets.items():
            target.copy_(values[name])
    return names


def _tower_sizes(model: nn.Module, config: PeftConfig) -> dict[str, list[int]]:
    """Number of blocks and width of each adapted tower.

    For a timm tower: number of adapted layers, and the sum of their input and output widths.
    """
    if not config.adds_modules:
        return {}
    sizes: dict[str, list[int]] = {}
    visual = timm_visual(model) if config.kind == "lora" else None
    for name in config.towers:
        if name == "image" and visual is not None:
            layers = pointwise_layers(visual)
            sizes["image"] = [len(layers), sum(sum(layer.weight.shape[:2]) for layer in layers)]
            continue
        tower = find_tower(model, name)
        sizes[name] = [len(tower.blocks), tower.width]
    return sizes
