"""Adapters: a few megabytes trained on top of a model, registered and used like a model.

Only the training package, which core does not import, can attach an adapter to a network. It is
found through the entry point `terraseek.adapters`.
"""

import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terraseek.encoders.cards import AdapterFile, ModelCard, check_name
from terraseek.errors import (
    ConfigError,
    MissingExtraError,
    WeightsChecksumError,
    WeightsNotFoundError,
)
from terraseek.files import atomic_path, home, read_json, sha256_of

if TYPE_CHECKING:
    import torch

__all__ = ["adapter_card", "adapters_folder", "attach_adapter", "copy_adapter", "find_adapter"]

_JSON, _WEIGHTS = "adapter.json", "adapter.safetensors"


def adapters_folder() -> Path:
    """Return the folder for copies of adapters; it may not exist yet."""
    return home() / "models" / "adapters"


def find_adapter(adapter: AdapterFile) -> Path | None:
    """Return the folder of an adapter, or None if it is not on this machine."""
    named = Path(adapter.folder)
    folder = named if named.is_absolute() else adapters_folder() / named
    return folder if (folder / _WEIGHTS).is_file() else None


def adapter_card(name: str, base: ModelCard, folder: Path) -> ModelCard:
    """Create the card of an adapter on this machine, without checking that it fits the model.

    Args:
        name: of the new model.
        base: card of the model it was trained on.
        folder: with `adapter.json` and `adapter.safetensors`.

    Raises:
        WeightsNotFoundError: one of the two files is missing.
        ConfigError: the JSON file describes no adapter, or the base is not a single model.
    """
    check_name(name)
    if base.adapter is not None:
        raise ConfigError(
            f"{base.name!r} is an adapter on {base.adapter.base!r} already; an adapter goes onto "
            "a model without one"
        )
    if base.ensemble:
        raise ConfigError(f"{base.name!r} is an ensemble; an adapter goes onto a single model")
    for part in (_JSON, _WEIGHTS):
        if not (folder / part).is_file():
            raise WeightsNotFoundError(f"no {part} in {folder}; an adapter is a folder with both")
    try:
        record = read_json(folder / _JSON)
        kind, parameters = str(record["config"]["kind"]), int(record["parameters"])
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{folder / _JSON} does not describe an adapter ({error!r})") from error
    weights = folder / _WEIGHTS
    adapter = AdapterFile(
        base=base.name,
        folder=str(folder.resolve()),
        sha256=sha256_of(weights),
        kind=kind,
        parameters=parameters,
        bytes=weights.stat().st_size,
    )
    title = f"{base.title or base.name}, tuned ({kind})"
    # results measured on the base do not hold for the adapter
    return replace(base, name=name, title=title, scores={}, calibration=None, adapter=adapter)


def copy_adapter(card: ModelCard) -> ModelCard:
    """Copy a card's adapter to the user's folder, and return a card that refers to the copy."""
    assert card.adapter is not None
    target = adapters_folder() / card.name
    for part in (_JSON, _WEIGHTS):
        with atomic_path(target / part) as temporary:
            shutil.copyfile(Path(card.adapter.folder) / part, temporary)
    return replace(card, adapter=replace(card.adapter, folder=card.name))


def attach_adapter(model: "torch.nn.Module", card: ModelCard) -> None:
    """Attach a card's adapter, if it has one, to the loaded network of its base model.

    Raises:
        WeightsNotFoundError: the adapter is missing.
        WeightsChecksumError: its checksum is not that of the card.
        WeightsLayoutError: it does not fit the network.
        MissingExtraError: the training package is not installed.
    """
    if card.adapter is None:
        return
    folder = find_adapter(card.adapter)
    if folder is None:
        raise WeightsNotFoundError(
            f"the adapter of {card.name!r} is missing from {card.adapter.folder}; restore it, or "
            "remove the model"
        )
    if sha256_of(folder / _WEIGHTS) != card.adapter.sha256:
        raise WeightsChecksumError(
            f"the adapter of {card.name!r} in {folder} is not the one that was registered; "
            "register it anew with --replace"
        )
    _attach_function()(model, folder)


def _attach_function() -> Callable[[Any, Path], None]:
    found = list(entry_points(group="terraseek.adapters"))
    if not found:
        raise MissingExtraError(
            "adapters need terraseek_train, which is not installed; reinstall terraseek"
        )
    attach: Callable[[Any, Path], None] = found[0].load()
    return attach
