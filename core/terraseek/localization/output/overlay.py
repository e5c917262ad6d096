"""A heat map drawn over its scene, for people."""

import numpy as np
from jaxtyping import UInt8

from terraseek.localization.heatmap import HeatMap
from terraseek.scenes import Scene

__all__ = ["overlay"]

_STRONGEST = 0.65
_RING = (255, 255, 255)


def overlay(scene: Scene, heat: HeatMap, max_side: int = 1024) -> UInt8[np.ndarray, "h w 3"]:
    """The scene in its own pixels with high scores in warm colours and a ring at the peak.

    Scores up to the median are clear; invalid pixels are white.
    """
    import cv2

    rgb, valid = scene.thumbnail(max_side)
    height, width = valid.shape
    values = cv2.resize(heat.display_values(), (width, height), interpolation=cv2.INTER_LINEAR)
    colours = cv2.applyColorMap(values, cv2.COLORMAP_TURBO)[..., ::-1].astype(np.float32)
    share = (values.astype(np.float32) / 255 * _STRONGEST)[..., None]
    mixed = rgb * (1 - share) + colours * share
    out = np.where(valid[..., None], mixed, 255).round().astype(np.uint8)
    peak, factor = heat.peak, width / heat.width
    place = int((peak.col + 0.5) * factor), int((peak.row + 0.5) * factor)
    out = np.ascontiguousarray(out)
    radius = max(6, round(heat.window_px * factor / 2))
    cv2.circle(out, place, radius, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.circle(out, place, radius, _RING, 1, cv2.LINE_AA)
    return out
