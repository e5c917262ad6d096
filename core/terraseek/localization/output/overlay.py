"""An image of a heat map drawn over its scene."""

import numpy as np
from jaxtyping import UInt8

from terraseek.localization.heatmap import HeatMap
from terraseek.localization.output.colours import blend, draw_ring
from terraseek.scenes import Scene

__all__ = ["overlay"]

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
    rgb, valid = scene.preview(max_side)
    out = blend(rgb, valid, heat.display_values())
    peak, factor = heat.peak, rgb.shape[1] / heat.width
    centre = int((peak.col + 0.5) * factor), int((peak.row + 0.5) * factor)
    draw_ring(out, centre, max(_MIN_RADIUS, round(heat.window_px * factor / 2)))
    return out
