"""Adapters: a few megabytes trained on top of a model, listed and used like a model of their own.

How they are put onto a network is the training's knowledge, which core does not import: it is asked
through the entry point `terraseek.adapters`.
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

__all__ = ["adapters_folder", "find_adapter", "keep_adapter", "propose_adapter", "put_on"]

_JSON, _WEIGHTS = "adapter.json", "adapter.safetensors"


def adapters_folder() -> Path:
    """Where copies of adapters are kept; it need not exist."""
    return home() / "models" / "adapters"


def find_adapter(adapter: AdapterFile) -> Path | None:
    """Its folder, or None if it is not on this machine."""
    named = Path(adapter.folder)
    folder = named if named.is_absolute() else adapters_folder() / named
    return folder if (folder / _WEIGHTS).is_file() else None


def propose_adapter(name: str, base: ModelCard, folder: Path) -> ModelCard:
    """The card of an adapter on this machine, before anybody checked that it fits.

    Args:
        name: of the new model.
        base: model it was trained on.
        folder: with `adapter.json` and `adapter.safetensors`.

    Raises:
        WeightsNotFoundError: one of the two files is missing.
        ConfigError: the JSON file is no adapter's, or the base carries an adapter itself.
    """
    check_name(name)
    if base.adapter is not None:
        raise ConfigError(
            f"{base.name!r} is an adapter on {base.adapter.base!r} already; an adapter goes onto "
            "a model without one"
        )
    for part in (_JSON, _WEIGHTS):
        if not (folder / part).is_file():
            raise WeightsNotFoundError(f"no {part} in {folder}; an adapter is a folder with both")
    try:
        record = read_json(folder / _JSON)
        kind, parameters = str(record["config"]["kind"]), int(record["parameters"])
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{folder / _JSON} describes no adapter ({error!r})") from error
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
    # figures measured on the base are not the adapter's
    return replace(base, name=name, title=title, scores={}, calibration=None, adapter=adapter)


def keep_adapter(card: ModelCard) -> ModelCard:
    """The card of a copy of its adapter in the user's folder, named after the model."""
    assert card.adapter is not None
    target = adapters_folder() / card.name
    for part in (_JSON, _WEIGHTS):
        with atomic_path(target / part) as beside:
            shutil.copyfile(Path(card.adapter.folder) / part, beside)
    return replace(card, adapter=replace(card.adapter, folder=card.name))


def put_on(model: "torch.nn.Module", card: ModelCard) -> None:
    """Put a card's adapter, if it has one, onto the loaded network of its base.

    Raises:
        WeightsNotFoundError: the adapter is gone.
        WeightsChecksumError: it is not the one the card describes.
        WeightsLayoutError: it does not fit the network.
        MissingExtraError: the training part, which knows adapters, is not installed.
    """
    if card.adapter is None:
        return
    folder = find_adapter(card.adapter)
    if folder is None:
        raise WeightsNotFoundError(
            f"the adapter of {card.name!r} is gone from {card.adapter.folder}; put it back, or "
            "remove the model"
        )
    if sha256_of(folder / _WEIGHTS) != card.adapter.sha256:
        raise WeightsChecksumError(
            f"the adapter of {card.name!r} in {folder} is not the one that was registered; "
            "register it anew with --replace"
        )
    _attach()(model, folder)


def _attach() -> Callable[[Any, Path], None]:
    found = list(entry_points(group="terraseek.adapters"))
    if not found:
        raise MissingExtraError(
            "adapters need terraseek_train, which is not installed; reinstall terraseek"
        )
    attach: Callable[[Any, Path], None] = found[0].load()
    return attach
