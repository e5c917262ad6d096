"""Regions of high score in a heat map, as polygons with their peak.

A region is an area above a threshold. Whether the heat map is significant is decided elsewhere, see
`localization.significance`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from jaxtyping import Bool, Int32

from terraseek.errors import ConfigError
from terraseek.localization.heatmap import HeatMap, Peak
from terraseek.localization.output.contours import contour_polygon
from terraseek.localization.output.outlines import area_m2

if TYPE_CHECKING:
    from shapely import Polygon

__all__ = ["Region", "default_threshold", "lowest_score", "regions"]

MAX_REGIONS = 200
"""Most regions of a heat map; the best are kept."""
_THRESHOLD_POSITION = 0.5
"""Position of the default threshold between median (0) and highest score (1)."""
_MIN_AREA = 1 / 16
"""Smallest area of a region, in areas of the smallest window: smaller ones are artefacts of the
interpolation."""


@dataclass(frozen=True, eq=False)
class Region:
    """A connected area with scores of at least the threshold."""

    polygon: "Polygon"
    """Contour line of the scores in pixels of the scene, (col, row); see `contours`."""
    peak: Peak
    """Place of its highest score."""
    mean_score: float
    """Mean cosine."""
    area_px: float
    """Area in scene pixels."""
    area_m2: float | None
    """Area on the ellipsoid in square metres; None in pixel space."""
    window_px: int
    """Side in pixels of the smallest windows the score comes from."""


def default_threshold(heat: HeatMap) -> float:
    """Halfway between the median and the highest score of the scene."""
    highest = float(heat.score[heat.valid].max())
    return heat.low + _THRESHOLD_POSITION * (highest - heat.low)


def regions(
    heat: HeatMap, threshold: float | None = None, percentile: float | None = None
) -> list[Region]:
    """Connected areas with scores of at least a threshold, highest peak first.

    Args:
        heat: the heat map.
        threshold: lowest cosine of a region; default `default_threshold`.
        percentile: threshold as a percentile of the scene's scores, 0-100, instead.

    Raises:
        ConfigError: both are given, the percentile is out of range or the threshold is not finite.
    """
    lowest = lowest_score(heat, threshold, percentile)
    mask = np.nan_to_num(heat.score, nan=-np.inf) >= lowest
    found = [_region(heat, lowest, label, labels, shape) for label, labels, shape in _shapes(mask)]
    min_area = heat.window_px**2 * _MIN_AREA
    kept = [region for region in found if region.area_px >= min_area] or found[:1]
    return sorted(kept, key=lambda region: -region.peak.score)[:MAX_REGIONS]


def lowest_score(
    heat: HeatMap, threshold: float | None = None, percentile: float | None = None
) -> float:
    """The lowest cosine of a region; see `regions` for arguments and errors."""
    if threshold is not None and percentile is not None:
        raise ConfigError("give a threshold as a score or as a percentile, not both")
    if percentile is not None:
        if not 0 <= percentile <= 100:
            raise ConfigError(f"percentile {percentile:g} must lie in 0..100")
        return float(np.percentile(heat.score[heat.valid], percentile))
    if threshold is None:
        return default_threshold(heat)
    if not math.isfinite(threshold):
        raise ConfigError(f"threshold {threshold:g} must be a score like 0.25")
    return threshold


def _shapes(
    mask: Bool[np.ndarray, "h w"],
) -> Iterator[tuple[int, Int32[np.ndarray, "h w"], "Polygon"]]:
    """Label, all labels, and outline in grid cells of each connected area."""
    import scipy.ndimage
    from rasterio.features import shapes
    from shapely.geometry import shape

    labels = np.zeros(mask.shape, np.int32)
    scipy.ndimage.label(mask, output=labels)
    for outline, label in shapes(labels, mask=mask, connectivity=4):
        yield int(label), labels, cast("Polygon", shape(outline))


def _region(
    heat: HeatMap, lowest: float, label: int, labels: Int32[np.ndarray, "h w"], outline: "Polygon"
) -> Region:
    from shapely.affinity import scale

    height, width = heat.score.shape
    col0, row0, col1, row1 = (int(v) for v in outline.bounds)
    box = slice(row0, row1), slice(col0, col1)
    scores = np.where(labels[box] == label, heat.score[box], np.nan)
    row, col = np.unravel_index(int(np.nanargmax(scores)), scores.shape)
    scale_x, scale_y = heat.width / width, heat.height / height
    smooth = contour_polygon(outline, heat.score, lowest)
    polygon = scale(smooth, scale_x, scale_y, origin=(0, 0))
    return Region(
        polygon=polygon,
        peak=heat.peak_at(row0 + int(row), col0 + int(col)),
        mean_score=float(np.nanmean(scores)),
        area_px=float(polygon.area),
        area_m2=area_m2(polygon, heat.georef),
        window_px=heat.window_px,
    )
