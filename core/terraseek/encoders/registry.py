"""Which encoders there are: cards shipped with TerraSeek and cards the user added.

Shipped cards lie in `encoders/cards/`, the user's in `home()/models/`; a user's card of the same
name wins. A `Registry` is a value: adding a card gives a new one.
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
    from terraseek.encoders.user_cards import Wishes

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
    "is_users",
    "list_models",
    "remove_card",
    "save_card",
    "user_folder",
]

DEFAULT_MODEL = "terraseek-tiny"
"""The encoder that comes with TerraSeek, weights included."""

_SHIPPED = Path(__file__).parent / "cards"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Registry:
    """Cards by name."""

    cards: Mapping[str, ModelCard]

    @classmethod
    def load(cls) -> "Registry":
        """Shipped and user's cards as they are on disk now.

        A user's card that cannot be read is left out with a warning in the log, so that one bad
        file does not make the other models unusable; asking for it by name tells what is wrong.
        """
        cards = {path.stem: read_card(path) for path in sorted(_SHIPPED.glob("*.json"))}
        for path in sorted(user_folder().glob("[!.]*.json")):
            try:
                cards[path.stem] = read_card(path)
            except ConfigError as error:
                _log.warning("%s", error)
        return cls(MappingProxyType(cards))

    def adding(self, card: ModelCard) -> "Registry":
        """A registry that has `card` too; this one stays as it is."""
        return Registry(MappingProxyType({**self.cards, card.name: card}))

    def get(self, name: str) -> ModelCard:
        """The card of this name.

        Raises:
            UnknownModelError: there is none; the message lists those there are.
        """
        if name not in self.cards:
            known = ", ".join(sorted([*self.cards, RESERVED]))
            raise UnknownModelError(
                f"no model is named {name!r}; known are {known} "
                "(`terraseek models add` registers another)"
            )
        return self.cards[name]


def user_folder() -> Path:
    """Where the user's cards lie; it need not exist."""
    return home() / "models"


def list_models() -> list[ModelCard]:
    """All cards, the default first, then by name."""
    cards = Registry.load().cards.values()
    return sorted(cards, key=lambda card: (card.name != DEFAULT_MODEL, card.name.lower()))


def get_card(name: str) -> ModelCard:
    """The card of this name.

    Raises:
        UnknownModelError: there is none; the message lists those there are.
        ConfigError: there is one and it cannot be read.
    """
    if is_users(name):
        return read_card(_users_path(name))
    return Registry.load().get(name)


def is_users(name: str) -> bool:
    """Whether the user added this model, so that it can be removed or replaced."""
    try:
        return _users_path(name).is_file()
    except ConfigError:  # a name no model can have
        return False


def add_model(
    name: str,
    architecture: str | Mapping[str, Any],
    weights: Path,
    wishes: "Wishes | None" = None,
    *,
    replace: bool = False,
    copy: bool = False,
) -> ModelCard:
    """Register weights on this machine, after building the network and running it once.

    Args:
        name: of the new model.
        architecture: open_clip name, model config, or path of a JSON file with one.
        weights: `.safetensors` or a torch file.
        wishes: preprocessing, activation and descriptions beyond what the architecture says.
        replace: whether a model the user added under this name may be replaced.
        copy: keep a copy of the file in the user's folder; else it stays where it is, and the
            model is refused once the file changes.

    Raises:
        ModelError: the weights are absent, unreadable or do not fit; nothing is registered.
        ConfigError: the name is taken, or a setting cannot be used.
    """
    from terraseek.encoders.open_clip_encoder import OpenClipEncoder
    from terraseek.encoders.user_cards import Wishes, propose_card
    from terraseek.encoders.weight_files import keep_copy

    _check_free(name, replace=replace)
    card = propose_card(name, architecture, weights, wishes or Wishes())
    OpenClipEncoder(card, "cpu").encode_texts(["a satellite image"])
    if copy:
        card = keep_copy(card)
    save_card(card, replace=replace)
    return card


def add_adapter(
    name: str, base: str, folder: Path, *, replace: bool = False, copy: bool = False
) -> ModelCard:
    """Register an adapter on this machine as a model, after putting it on and running it once.

    Args:
        name: of the new model.
        base: model it was trained on.
        folder: with `adapter.json` and `adapter.safetensors`.
        replace: whether a model the user added under this name may be replaced.
        copy: keep a copy in the user's folder; else it stays where it is, and the model is refused
            once the adapter changes.

    Raises:
        ModelError: adapter or base weights are absent or do not fit; nothing is registered.
        ConfigError: the name is taken, or the folder holds no adapter.
    """
    from terraseek.encoders.adapters import keep_adapter, propose_adapter
    from terraseek.encoders.open_clip_encoder import OpenClipEncoder

    _check_free(name, replace=replace)
    card = propose_adapter(name, get_card(base), folder)
    OpenClipEncoder(card, "cpu").encode_texts(["a satellite image"])
    if copy:
        card = keep_adapter(card)
    save_card(card, replace=replace)
    return card


def save_card(card: ModelCard, *, replace: bool = False) -> Registry:
    """Keep a card in the user's folder and return the registry that has it.

    Raises:
        ConfigError: the name is taken by a shipped card, or by a user's one and not `replace`.
    """
    _check_free(card.name, replace=replace)
    write_json(_users_path(card.name), card.to_json())
    return Registry.load().adding(card)


def remove_card(name: str) -> None:
    """Forget a model the user added; its weights file stays where it is.

    Raises:
        UnknownModelError: there is no such model.
        ConfigError: it is one that TerraSeek brings.
    """
    if is_users(name):
        _users_path(name).unlink()
        return
    get_card(name)
    raise ConfigError(f"{name!r} is a model that TerraSeek brings; only added ones can be removed")


def _check_free(name: str, *, replace: bool) -> None:
    check_name(name)
    if is_users(name):
        if not replace:
            raise ConfigError(
                f"a model {name!r} is registered already; take another name, replace it "
                "(--replace) or remove it first"
            )
    elif name in Registry.load().cards:
        raise ConfigError(f"{name!r} is a model that TerraSeek brings; take another name")


def _users_path(name: str) -> Path:
    return user_folder() / f"{check_name(name)}.json"
