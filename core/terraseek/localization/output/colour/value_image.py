"""The scores of a heat map as an image that a browser colours: 16 bits, so that any scale fits."""

import numpy as np
from jaxtyping import UInt8

from terraseek.localization.heatmap import HeatMap
from terraseek.scenes.web_mercator import to_mercator

__all__ = ["value_image", "value_range"]

_HIGHEST_CODE = 65535
_MIN_RANGE = 1e-3


def value_range(heat: HeatMap) -> tuple[float, float]:
    """Lowest and highest score of a heat map, which the codes 0 and 65535 stand for."""
    scores = heat.score[heat.valid]
    low, high = float(scores.min()), float(scores.max())
    return low, max(high, low + _MIN_RANGE)


def value_image(heat: HeatMap, max_side: int) -> UInt8[np.ndarray, "h w 3"]:
    """Red is the high byte of the score, blue the low byte, green 255 where it is valid.

    The image is placed like that of `HeatMap.preview`. It has no alpha channel, because the
    browser's canvas multiplies it into the values.

    Args:
        heat: the heat map.
        max_side: longest side of the image in pixels.
    """
    low, high = value_range(heat)
    codes = np.nan_to_num((heat.score - low) * (_HIGHEST_CODE / (high - low)), nan=0.0)
    codes = codes.clip(0, _HIGHEST_CODE).round().astype(np.uint16)
    image, valid, _ = to_mercator(codes[..., None], heat.valid, heat.grid, max_side)
    code = image[..., 0]
    green = np.where(valid, np.uint8(255), np.uint8(0))
    return np.dstack([(code >> 8).astype(np.uint8), green, (code & 255).astype(np.uint8)])
