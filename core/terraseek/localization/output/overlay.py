"""An image of a heat map drawn over its scene."""

import numpy as np
from jaxtyping import UInt8

from terraseek.localization.heatmap import HeatMap
from terraseek.localization.output.colour.palette import blend, draw_ring
from terraseek.scenes import Scene

__all__ = ["overlay"]

_MIN_RADIUS = 6


def overlay(
    scene: Scene, heat: HeatMap, max_side: int = 1024, stretch: bool = False
) -> UInt8[np.ndarray, "h w 3"]:
    """The scene with high scores in warm colours and a ring of one window around the peak.

    Places without evidence are nearly transparent; invalid pixels are white.

    Args:
        scene: the open scene of the heat map.
        heat: the heat map.
        max_side: longest side of the image in pixels.
        stretch: see `HeatMap.colour_scale`.

    Raises:
        SceneError: the pixels cannot be decoded.
    """
    rgb, valid = scene.preview(max_side)
    scale = heat.colour_scale(stretch)
    out = blend(rgb, valid, scale.values(heat.score), scale.table)
    peak, factor = heat.peak, rgb.shape[1] / heat.width
    centre = int((peak.col + 0.5) * factor), int((peak.row + 0.5) * factor)
    draw_ring(out, centre, max(_MIN_RADIUS, round(heat.window_px * factor / 2)))
    return out
