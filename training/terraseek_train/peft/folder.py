"""Format of an adapter folder: `adapter.json` and `adapter.safetensors`, nothing of the base."""

from collections.abc import Mapping
from json import JSONDecodeError
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from terraseek.errors import ConfigError, WeightsChecksumError, WeightsNotFoundError
from terraseek.files import atomic_path, read_json, sha256_of, write_json

__all__ = ["first_mismatch", "parameter_count", "read_record", "write_adapter"]

FORMAT = 1
RECORD, WEIGHTS = "adapter.json", "adapter.safetensors"


def write_adapter(
    path: Path,
    tensors: Mapping[str, Tensor],
    config: Mapping[str, Any],
    towers: Mapping[str, list[int]],
    parameters: int,
) -> None:
    """Write the adapter folder `path`.

    The JSON file is written last and holds the SHA-256 of the weights, so that `read_record`
    notices an interrupted write.

    Args:
        path: folder; created if absent.
        tensors: values by name.
        config: what the adapter is, in plain values.
        towers: sizes of the adapted towers of the base.
        parameters: number of trained parameters.
    """
    from safetensors.torch import save_file

    stored = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with atomic_path(path / WEIGHTS) as part:
        save_file(stored, part)
    record = {
        "format": FORMAT,
        "config": dict(config),
        "towers": dict(towers),
        "parameters": parameters,
        "sha256": sha256_of(path / WEIGHTS),
    }
    write_json(path / RECORD, record)


def read_record(path: Path) -> dict[str, Any]:
    """Content of the JSON file of the folder `path`, checked against the weights beside it.

    Raises:
        WeightsNotFoundError: one of the two files is missing.
        WeightsChecksumError: the weights are not those that the JSON file describes.
        ConfigError: the JSON file is damaged or of another format.
    """
    for name in (RECORD, WEIGHTS):
        if not (path / name).is_file():
            raise WeightsNotFoundError(f"{path} has no {name}; an adapter is a folder with both")
    try:
        record = read_json(path / RECORD)
    except JSONDecodeError as error:
        raise ConfigError(f"{path / RECORD} is no JSON: {error}") from error
    keys = {"format", "config", "towers", "parameters", "sha256"}
    if not isinstance(record, dict) or set(record) != keys or record["format"] != FORMAT:
        raise ConfigError(f"{path / RECORD} is no adapter description of format {FORMAT}")
    if sha256_of(path / WEIGHTS) != record["sha256"]:
        raise WeightsChecksumError(f"{path / WEIGHTS} is not what {RECORD} describes; save again")
    return record


def parameter_count(tensors: Mapping[str, Tensor]) -> int:
    """Number of trained values among `tensors`; buffers such as batch statistics do not count."""
    return sum(value.numel() for value in tensors.values() if isinstance(value, nn.Parameter))


def first_mismatch(values: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> str | None:
    """First name or shape in `values` that does not fit `targets`, in words; None if all fit."""
    missing, unexpected = sorted(set(targets) - set(values)), sorted(set(values) - set(targets))
    if missing:
        return f"it lacks {missing[0]}"
    if unexpected:
        return f"it has {unexpected[0]}, which the model does not know"
    for name, parameter in targets.items():
        if values[name].shape != parameter.shape:
            return f"{name} is {list(values[name].shape)}, not {list(parameter.shape)}"
    return None
