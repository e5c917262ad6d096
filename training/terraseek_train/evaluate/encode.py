"""Encode the images of a source batch by batch, so that memory stays small."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from terraseek.encoders.base import Encoder
from terraseek.progress import Progress, silent
from terraseek_train.data.sources.images import ImageBytes

__all__ = ["encode_named"]


def encode_named(
    encoder: Encoder, images: ImageBytes, names: Sequence[str], progress: Progress = silent
) -> Float32[np.ndarray, "n dim"]:
    """Compute the unit vectors of images by stored name, in that order.

    Raises:
        NotAnImageError: an image cannot be decoded.
    """
    out = np.empty((len(names), encoder.dim), np.float32)
    for start in range(0, len(names), encoder.batch_size):
        batch = names[start : start + encoder.batch_size]
        out[start : start + len(batch)] = encoder.encode_images([images.image(n) for n in batch])
        progress("encode images", start + len(batch), len(names))
    return out
