"""From a model's name to an encoder that works."""

import os
from typing import cast, get_args

from terraseek.encoders.base import Encoder
from terraseek.encoders.fake import FakeEncoder
from terraseek.encoders.open_clip_encoder import OpenClipEncoder, Precision
from terraseek.encoders.registry import DEFAULT_MODEL, get_card
from terraseek.errors import ConfigError

__all__ = ["PRECISION", "load_encoder"]

PRECISION = "TERRASEEK_PRECISION"
"""Setting of the precision encoders compute in: float32 (default) or bfloat16."""


def load_encoder(name: str = DEFAULT_MODEL, device: str = "auto") -> Encoder:
    """The encoder of a registered model; `fake` gives the one without a network.

    It computes in what the setting `TERRASEEK_PRECISION` says, see `OpenClipEncoder`.

    Args:
        name: of a model card.
        device: `auto` takes CUDA where there is one, else the CPU; or `cpu`, `cuda`, `cuda:1`.

    Raises:
        UnknownModelError: no card has this name.
        ModelError: its weights are absent, damaged or do not fit.
        ConfigError: no such device, or the precision is unknown or not to be had there.
    """
    if name == "fake":
        return FakeEncoder()
    return OpenClipEncoder(get_card(name), device, _precision())


def _precision() -> Precision:
    wanted = os.environ.get(PRECISION) or "float32"
    if wanted not in (known := get_args(Precision)):
        raise ConfigError(f"{PRECISION} {wanted!r} is unknown; use {' or '.join(known)}")
    return cast(Precision, wanted)
