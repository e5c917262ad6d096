"""An image of a heat map drawn over its scene."""

import numpy as np
from jaxtyping import UInt8

from terraseek.localization.heatmap import HeatMap
from terraseek.scenes import Scene

__all__ = ["overlay"]

_MAX_OPACITY = 0.65
"""Opacity of the colours at the upper end of the display range."""
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_MIN_RADIUS = 6


def overlay(scene: Scene, heat: HeatMap, max_side: int = 1024) -> UInt8[np.ndarray, "h w 3"]:
    """The scene with high scores in warm colours and a ring of one window around the peak.

    Scores up to the median are transparent; invalid pixels are white.

    Args:
        scene: the open scene of the heat map.
        heat: the heat map.
        max_side: longest side of the image in pixels.

    Raises:
        SceneError: the pixels cannot be decoded.
    """
    import cv2

    rgb, valid = scene.thumbnail(max_side)
    height, width = valid.shape
    values = cv2.resize(heat.display_values(), (width, height), interpolation=cv2.INTER_LINEAR)
    colours = cv2.applyColorMap(values, cv2.COLORMAP_TURBO)[..., ::-1].astype(np.float32)
    opacity = (values.astype(np.float32) / 255 * _MAX_OPACITY)[..., None]
    blended = rgb * (1 - opacity) + colours * opacity
    out = np.where(valid[..., None], blended, 255).round().astype(np.uint8)
    peak, factor = heat.peak, width / heat.width
    centre = int((peak.col + 0.5) * factor), int((peak.row + 0.5) * factor)
    out = np.ascontiguousarray(out)
    radius = max(_MIN_RADIUS, round(heat.window_px * factor / 2))
    cv2.circle(out, centre, radius, _BLACK, 3, cv2.LINE_AA)
    cv2.circle(out, centre, radius, _WHITE, 1, cv2.LINE_AA)
    return out
