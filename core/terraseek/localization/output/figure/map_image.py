"""The map of a figure: scene, heat map, outlines of regions and a ring around the best place."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, UInt8

from terraseek.localization.heatmap import HeatMap
from terraseek.localization.output.colour.palette import blend, colour_of_level, draw_ring
from terraseek.localization.output.regions import Region

__all__ = ["SceneImage", "draw_map"]

SceneImage: TypeAlias = tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]
"""RGB of a whole scene and the mask of its valid pixels."""

_MIN_RADIUS = 8
_SUBPIXEL_BITS = 4
_WHITE = (255, 255, 255)


def draw_map(
    heat: HeatMap,
    found: Sequence[Region],
    size: tuple[int, int],
    image: SceneImage | None = None,
    stretch: bool = False,
) -> UInt8[np.ndarray, "h w 3"]:
    """Draw the map with any number of pixels; the scene is white where its file is gone.

    Args:
        heat: the heat map.
        found: its regions.
        size: (height, width) of the image, in the proportions of the scene.
        image: the scene in any resolution; default: read from its file.
        stretch: see `HeatMap.colour_scale`.
    """
    import cv2

    height, width = size
    scale = heat.colour_scale(stretch)
    down, across = heat.height / height, heat.width / width
    score = heat.sample((np.arange(height) + 0.5) * down, (np.arange(width) + 0.5) * across)
    image = image or heat.scene_image(max(size))
    if image is None:
        rgb, valid = np.full((height, width, 3), 255, np.uint8), np.isfinite(score)
    else:
        rgb = np.asarray(cv2.resize(image[0], (width, height), interpolation=cv2.INTER_CUBIC))
        mask = image[1].astype(np.uint8)
        valid = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST) > 0
    out = np.ascontiguousarray(blend(rgb, valid, scale.values(score), scale.table))
    factors = np.array([1 / across, 1 / down])
    line = max(2, round(max(size) / 350))
    for region in found:
        rings = [
            np.round(np.asarray(ring.coords) * factors * (1 << _SUBPIXEL_BITS)).astype(np.int32)
            for ring in (region.polygon.exterior, *region.polygon.interiors)
        ]
        own = colour_of_level(heat.level_at(region.peak.score))
        for colour, thickness in ((_WHITE, line + line // 2 + 1), (own, line)):
            cv2.polylines(out, rings, True, colour, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)
    peak = heat.peak
    centre = int((peak.col + 0.5) / across), int((peak.row + 0.5) / down)
    draw_ring(out, centre, max(_MIN_RADIUS, round(heat.window_px / across / 2)))
    return out
