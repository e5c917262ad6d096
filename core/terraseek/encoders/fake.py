"""A deterministic encoder without a network, for tests and for trying out the software.

The words "red", "green", "blue", "bright" and "dark" find images of that colour or brightness.
Every other word is hashed to one of the remaining axes.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, UInt8

from terraseek.encoders.base import Encoder

__all__ = ["FakeEncoder"]

_AXES = ("red", "green", "blue", "bright", "dark")


class FakeEncoder(Encoder):
    """Encoder with mean colour and brightness on the first axes, weak texture on the others."""

    def __init__(self, dim: int = 16, image_size: int = 32) -> None:
        """Create an encoder of vectors of length `dim` (6 or more)."""
        if dim <= len(_AXES):
            raise ValueError(f"dim {dim} must be above {len(_AXES)}, the number of colour axes")
        self.name = "fake"
        self.dim = dim
        self.image_size = image_size
        self.encoder_id = f"fake@{hashlib.sha256(f'{dim},{image_size}'.encode()).hexdigest()[:12]}"

    def _encode_image_batch(
        self, batch: UInt8[np.ndarray, "n side side 3"]
    ) -> Float32[np.ndarray, "n dim"]:
        pixels = batch.astype(np.float32) / 255
        colour = pixels.mean(axis=(1, 2))
        brightness = colour.mean(axis=1, keepdims=True)
        tint = colour - brightness
        out = np.zeros((len(batch), self.dim), np.float32)
        out[:, :3] = 4 * tint
        out[:, 3:4] = brightness - 0.5
        out[:, 4:5] = 0.5 - brightness
        grey = pixels.mean(axis=3).reshape(len(batch), -1)
        for axis in range(len(_AXES), self.dim):
            out[:, axis] = 0.05 * grey[:, axis :: self.dim].mean(axis=1)
        return out

    def _encode_text_batch(self, texts: Sequence[str]) -> Float32[np.ndarray, "n dim"]:
        out = np.zeros((len(texts), self.dim), np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                if word in _AXES:
                    out[row, _AXES.index(word)] += 1
                else:
                    free = self.dim - len(_AXES)
                    digest = int(hashlib.sha256(word.encode()).hexdigest(), 16)
                    out[row, len(_AXES) + digest % free] += 0.1
        return out
