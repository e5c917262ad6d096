"""Registry of encoders: cards shipped with TerraSeek and cards the user added.

Shipped cards are in `encoders/cards/`, the user's in `home()/models/`; a user's card overrides a
shipped one of the same name. A `Registry` is immutable: adding a card returns a new registry.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from terraseek.encoders.cards import (
    RESERVED,
    HubFile,
    ModelCard,
    Preprocess,
    WeightsFile,
    check_name,
    read_card,
)
from terraseek.errors import ConfigError, UnknownModelError
from terraseek.files import home, write_json

if TYPE_CHECKING:
    from terraseek.encoders.user_cards import CardOptions

__all__ = [
    "DEFAULT_MODEL",
    "HubFile",
    "ModelCard",
    "Preprocess",
    "Registry",
    "WeightsFile",
    "add_adapter",
    "add_model",
    "get_card",
    "is_user_model",
    "list_models",
    "remove_card",
    "save_card",
    "user_folder",
]

DEFAULT_MODEL = "terraseek-pair"
"""Encoder that is used where none is named; the weights of its members are part of TerraSeek."""

_SHIPPED = Path(__file__).parent / "cards"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Registry:
    """Model cards by name."""

    cards: Mapping[str, ModelCard]

    @classmethod
    def load(cls) -> "Registry":
        """Read all shipped and user's cards from disk.

        A user's card that cannot be read is skipped with a warning in the log, so that one bad
        file does not make the other models unusable; `get_card` raises the error.
        """
        cards = {path.stem: read_card(path) for path in sorted(_SHIPPED.glob("*.json"))}
        for path in sorted(user_folder().glob("[!.]*.json")):
            try:
                cards[path.stem] = read_card(path)
            except ConfigError as error:
                _log.warning("%s", error)
        return cls(MappingProxyType(cards))

    def adding(self, card: ModelCard) -> "Registry":
        """Return a registry that also has `card`."""
        return Registry(MappingProxyType({**self.cards, card.name: card}))

    def get(self, name: str) -> ModelCard:
        """Return the card of this name.

        Raises:
            UnknownModelError: there is none; the message lists the known names.
        """
        if name not in self.cards:
            known = ", ".join(sorted([*self.cards, RESERVED]))
            raise UnknownModelError(
                f"no model is named {name!r}; known are {known} "
                "(`terraseek models add` registers another)"
            )
        return self.cards[name]


def user_folder() -> Path:
    """Return the folder of the user's cards; it may not exist yet."""
    return home() / "models"


def list_models() -> list[ModelCard]:
    """Return all cards: the default first, the others by name."""
    cards = Registry.load().cards.values()
    return sorted(cards, key=lambda card: (card.name != DEFAULT_MODEL, card.name.lower()))


def get_card(name: str) -> ModelCard:
    """Return the card of this name.

    Raises:
        UnknownModelError: there is none; the message lists the known names.
        ConfigError: the card cannot be read.
    """
    if is_user_model(name):
        return read_card(_user_path(name))
    shipped = {path.stem: path for path in _SHIPPED.glob("*.json")}
    # pages ask for a card whenever they are drawn: only this one is read
    return read_card(shipped[name]) if name in shipped else Registry.load().get(name)


def is_user_model(name: str) -> bool:
    """Return whether the user added this model, so that it can be removed or replaced."""
    try:
        return _user_path(name).is_file()
    except ConfigError:  # not a valid name
        return False


def add_model(
    name: str,
    architecture: str | Mapping[str, Any],
    weights: Path,
    options: "CardOptions | None" = None,
    *,
    replace: bool = False,
    copy: bool = False,
) -> ModelCard:
    """Register weights on this machine, after loading the network and running it once.

    Args:
        name: of the new model.
        architecture: open_clip name, model config, or path of a JSON file with one.
        weights: `.safetensors` or a torch file.
        options: preprocessing, activation and descriptions; defaults come from the architecture.
        replace: whether a model the user added under this name may be replaced.
        copy: copy the file to the user's folder. Otherwise the model refers to the original file,
            and refuses to load if that changes.

    Raises:
        ModelError: the weights are missing, unreadable or do not fit; nothing is registered.
        ConfigError: the name is taken, or a setting cannot be used.
    """
    from terraseek.encoders.nets.open_clip_encoder import OpenClipEncoder
    from terraseek.encoders.user_cards import CardOptions, user_card
    from terraseek.encoders.weight_files import copy_weights

    _check_free(name, replace=replace)
    card = user_card(name, architecture, weights, options or CardOptions())
    OpenClipEncoder(card, "cpu").encode_texts(["a satellite image"])
    if copy:
        card = copy_weights(card)
    save_card(card, replace=replace)
    return card


def add_adapter(
    name: str, base: str, folder: Path, *, replace: bool = False, copy: bool = False
) -> ModelCard:
    """Register an adapter on this machine as a model, after attaching it and running it once.

    Args:
        name: of the new model.
        base: model it was trained on.
        folder: with `adapter.json` and `adapter.safetensors`.
        replace: whether a model the user added under this name may be replaced.
        copy: copy it to the user's folder. Otherwise the model refers to the original folder, and
            refuses to load if the adapter changes.

    Raises:
        ModelError: adapter or base weights are missing or do not fit; nothing is registered.
        ConfigError: the name is taken, or the folder holds no adapter.
    """
    from terraseek.encoders.adapters import adapter_card, copy_adapter
    from terraseek.encoders.nets.open_clip_encoder import OpenClipEncoder

    _check_free(name, replace=replace)
    card = adapter_card(name, get_card(base), folder)
    OpenClipEncoder(card, "cpu").encode_texts(["a satellite image"])
    if copy:
        card = copy_adapter(card)
    save_card(card, replace=replace)
    return card


def save_card(card: ModelCard, *, replace: bool = False) -> Registry:
    """Write a card to the user's folder and return the registry with it.

    Raises:
        ConfigError: a shipped card has this name, or a user's card has it and `replace` is false.
    """
    _check_free(card.name, replace=replace)
    write_json(_user_path(card.name), card.to_json())
    return Registry.load().adding(card)


def remove_card(name: str) -> None:
    """Remove a model the user added; its weights file is kept.

    Raises:
        UnknownModelError: there is no such model.
        ConfigError: it is a shipped model.
    """
    if is_user_model(name):
        _user_path(name).unlink()
        return
    get_card(name)
    raise ConfigError(f"{name!r} is shipped with TerraSeek; only added models can be removed")


def _check_free(name: str, *, replace: bool) -> None:
    check_name(name)
    if is_user_model(name):
        if not replace:
            raise ConfigError(
                f"a model {name!r} is registered already; take another name, replace it "
                "(--replace) or remove it first"
            )
    elif name in Registry.load().cards:
        raise ConfigError(f"{name!r} is shipped with TerraSeek; take another name")


def _user_path(name: str) -> Path:
    return user_folder() / f"{check_name(name)}.json"
