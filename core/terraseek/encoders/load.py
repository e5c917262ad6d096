"""From a model's name to an encoder that works."""

from terraseek.encoders.base import Encoder
from terraseek.encoders.fake import FakeEncoder
from terraseek.encoders.registry import DEFAULT_MODEL, get_card

__all__ = ["load_encoder"]


def load_encoder(name: str = DEFAULT_MODEL, device: str = "auto") -> Encoder:
    """The encoder of a registered model; `fake` gives the one without a network.

    Args:
        name: of a model card.
        device: `auto` takes CUDA where there is one, else the CPU; or `cpu`, `cuda`, `cuda:1`.

    Raises:
        UnknownModelError: no card has this name.
        ModelError: its weights are absent, damaged or do not fit.
        ConfigError: no such device.
    """
    if name == "fake":
        return FakeEncoder()
    card = get_card(name)
    from terraseek.encoders.open_clip_encoder import OpenClipEncoder

    return OpenClipEncoder(card, device)
