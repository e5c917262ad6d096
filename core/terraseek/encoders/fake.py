"""An encoder without a network: colours and words it can count, the same on every machine.

It is part of the product for tests and for trying the plumbing: "red", "green", "blue", "bright"
and "dark" really find such images, every other word is a fixed direction of its own.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, UInt8

from terraseek.encoders.base import Encoder

__all__ = ["FakeEncoder"]

_AXES = ("red", "green", "blue", "bright", "dark")


class FakeEncoder(Encoder):
    """Deterministic towers: mean colour on the first axes, faint texture on the others."""

    def __init__(self, dim: int = 16, image_size: int = 32) -> None:
        if dim <= len(_AXES):
            raise ValueError(f"dim {dim} must be above {len(_AXES)}, the axes that mean something")
        self.name = "fake"
        self.dim = dim
        self.image_size = image_size
        self.encoder_id = f"fake@{hashlib.sha256(f'{dim},{image_size}'.encode()).hexdigest()[:12]}"

    def _encode_image_batch(
        self, batch: UInt8[np.ndarray, "n side side 3"]
    ) -> Float32[np.ndarray, "n dim"]:
        pixels = batch.astype(np.float32) / 255
        colour = pixels.mean(axis=(1, 2))
        light = colour.mean(axis=1, keepdims=True)
        tint = colour - light
        out = np.zeros((len(batch), self.dim), np.float32)
        out[:, :3] = 4 * tint
        out[:, 3:4] = light - 0.5
        out[:, 4:5] = 0.5 - light
        cells = pixels.mean(axis=3).reshape(len(batch), -1)
        for axis in range(len(_AXES), self.dim):
            out[:, axis] = 0.05 * cells[:, axis :: self.dim].mean(axis=1)
        return out

    def _encode_text_batch(self, texts: Sequence[str]) -> Float32[np.ndarray, "n dim"]:
        out = np.zeros((len(texts), self.dim), np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                if word in _AXES:
                    out[row, _AXES.index(word)] += 1
                else:
                    spread = self.dim - len(_AXES)
                    seed = int(hashlib.sha256(word.encode()).hexdigest(), 16)
                    out[row, len(_AXES) + seed % spread] += 0.1
        return out
