"""Enlarge small images smoothly; browsers draw their pixels as blocks."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image

__all__ = ["enlarge"]


def enlarge(image: UInt8[np.ndarray, "h w 3"], side: int) -> UInt8[np.ndarray, "h2 w2 3"]:
    """Resize an image so that its longer side is at least `side` pixels, by bicubic resampling."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    if scale <= 1:
        return image
    size = (round(width * scale), round(height * scale))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
