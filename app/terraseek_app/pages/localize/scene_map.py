"""Map data of the Localize page: overlays, markers, outlines and view of a scene."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from terraseek.display import shortened
from terraseek.localization import HeatMap
from terraseek.localization.output.colour.value_image import value_range
from terraseek.localization.output.numbers import HEAT_SIDE
from terraseek.scenes import Georef
from terraseek.significance.words import WORDS
from terraseek_app.map import Overlay, heat_overlay, level_positions, scene_overlay
from terraseek_app.pages.localize.regions.comparison import colour_of
from terraseek_app.pages.localize.scene_choice import SceneFacts
from terraseek_app.server import state

__all__ = ["map_overlays", "map_view", "peak_markers"]

_LABEL_LENGTH = 24
"""Letters of a sentence beside its peak."""


def map_overlays(
    facts: SceneFacts, heats: Sequence[HeatMap], heat_ids: Sequence[str]
) -> list[Overlay]:
    """Overlays of the scene and of the heat maps above it."""
    overlays = [scene_overlay(facts.scene_id, facts.corners)]
    for index, (heat, heat_id) in enumerate(zip(heats, heat_ids, strict=True)):
        level = "" if heat.significance is None else WORDS[heat.significance]
        overlays.append(
            heat_overlay(
                heat_id,
                _heat_corners(heat_id),
                heat.low,
                heat.high,
                heat.question,
                colour=colour_of(index, len(heats)),
                level=level,
                value_range=value_range(heat),
                levels=level_positions(heat.colour_scale()),
                candidate=heat.significance != "none",
                window=heat.window_px / math.sqrt(heat.width * heat.height),
            )
        )
    return overlays


@lru_cache(maxsize=64)
def _heat_corners(heat_id: str) -> list[list[float]] | None:
    """Corners of the heat map's image, from the same warp that the overlay route draws."""
    return state.heat(heat_id).preview(HEAT_SIDE)[2]


def peak_markers(heats: Sequence[HeatMap]) -> list[dict[str, Any]]:
    """Markers of the peaks: lon and lat in degrees, or column and row without a CRS."""
    markers = []
    for heat in heats:
        peak = heat.peak
        x, y = (peak.col, peak.row) if peak.lon is None else (peak.lon, peak.lat)
        name = "best" if len(heats) == 1 else shortened(heat.query, _LABEL_LENGTH)
        markers.append({"x": x, "y": y, "label": f"{name}: {peak.score:.3f}"})
    return markers


def map_view(
    facts: SceneFacts, heat: HeatMap | None, fly: dict[str, Any] | None
) -> dict[str, Any] | None:
    """The view to move the map to: a new scene, or a place that the user asked to see.

    Args:
        facts: the scene.
        heat: its heat map, which converts pixels to coordinates.
        fly: {"pixels": (col0, row0, col1, row1), "turn": n}, the place to show; a new `turn` shows
            the same place again.
    """
    if not fly or heat is None:
        return {"fit": "overlays", "scene": facts.scene_id}
    box = fly["pixels"]
    bounds = box if facts.corners is None else _lonlat_bounds(heat.georef, box)
    return {"bounds": list(bounds), "turn": fly["turn"]}


def _lonlat_bounds(
    georef: Georef, box: tuple[float, float, float, float]
) -> tuple[float, float, float, float]:
    """West, south, east, north in degrees of a pixel box, from all four corners (scenes rotate)."""
    col0, row0, col1, row1 = box
    corners = [(col0, row0), (col1, row0), (col1, row1), (col0, row1)]
    places = [p for p in (georef.pixel_to_lonlat(col, row) for col, row in corners) if p]
    lons, lats = zip(*places, strict=True)
    return min(lons), min(lats), max(lons), max(lats)
