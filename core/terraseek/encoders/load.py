"""Load the encoder of a model name."""

import os
from collections.abc import Mapping
from typing import cast, get_args

from terraseek.encoders.base import Encoder, Precision
from terraseek.encoders.fake import FakeEncoder
from terraseek.encoders.registry import DEFAULT_MODEL, ModelCard, get_card, save_card
from terraseek.errors import ConfigError

__all__ = ["PRECISION", "add_ensemble", "load_encoder"]

PRECISION = "TERRASEEK_PRECISION"
"""Environment variable with the precision of encoders: float32 (default) or bfloat16."""


def load_encoder(name: str = DEFAULT_MODEL, device: str = "auto") -> Encoder:
    """Load the encoder of a registered model; `fake` gives the encoder without a network.

    The environment variable `TERRASEEK_PRECISION` sets the precision, see `OpenClipEncoder`.

    Args:
        name: of a model card.
        device: `auto` is CUDA if available, else the CPU; or `cpu`, `cuda`, `cuda:1`.

    Raises:
        UnknownModelError: no card has this name.
        ModelError: its weights are missing, damaged or do not fit.
        ConfigError: no such device, or the precision is unknown or not supported by it.
    """
    if name == "fake":
        return FakeEncoder()
    from terraseek.encoders.nets.open_clip_encoder import OpenClipEncoder

    card = get_card(name)
    if card.ensemble:
        from terraseek.encoders.nets.ensemble_encoder import EnsembleEncoder

        return EnsembleEncoder(
            card, [load_encoder(member.model, device) for member in card.ensemble]
        )
    return OpenClipEncoder(card, device, _precision())


def add_ensemble(name: str, members: Mapping[str, float], *, replace: bool = False) -> ModelCard:
    """Register an ensemble of registered models on this machine, after loading each of them.

    Args:
        name: of the new model.
        members: names of at least two models, and their weights relative to each other.
        replace: whether a model the user added under this name may be replaced.

    Raises:
        ModelError: the weights of a member are missing or do not fit; nothing is registered.
        ConfigError: the name is taken, or the members cannot form an ensemble.
    """
    from terraseek.encoders.nets.ensemble_encoder import ensemble_card

    loaded = [(load_encoder(model, "cpu"), weight) for model, weight in members.items()]
    card = ensemble_card(name, loaded)
    save_card(card, replace=replace)
    return card


def _precision() -> Precision:
    wanted = os.environ.get(PRECISION) or "float32"
    if wanted not in (known := get_args(Precision)):
        raise ConfigError(f"{PRECISION} {wanted!r} is unknown; use {' or '.join(known)}")
    return cast(Precision, wanted)
