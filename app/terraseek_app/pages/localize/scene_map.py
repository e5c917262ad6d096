"""Map data of the Localize page: overlays, markers, outlines and view of a scene."""

from functools import lru_cache
from typing import Any

from terraseek.localization import HeatMap, regions_geojson
from terraseek.localization.output.numbers import HEAT_SIDE
from terraseek.localization.output.regions import default_threshold
from terraseek.scenes import Georef
from terraseek_app.map import Overlay, heat_overlay, scene_overlay
from terraseek_app.pages.localize.scene_choice import SceneFacts
from terraseek_app.server import state

__all__ = [
    "colour_threshold",
    "map_overlays",
    "map_view",
    "peak_markers",
    "region_outlines",
    "region_threshold",
]


def map_overlays(facts: SceneFacts, heat: HeatMap | None, heat_id: str | None) -> list[Overlay]:
    """Overlays of the scene and, if there is one, of the heat map above it."""
    overlays = [scene_overlay(facts.scene_id, facts.corners)]
    if heat is not None and heat_id is not None:
        corners = _heat_corners(heat_id)
        overlays.append(heat_overlay(heat_id, corners, heat.low, heat.high, heat.question))
    return overlays


@lru_cache(maxsize=64)
def _heat_corners(heat_id: str) -> list[list[float]] | None:
    """Corners of the heat map's image, from the same warp that the overlay route draws."""
    return state.heat(heat_id).preview(HEAT_SIDE)[2]


def peak_markers(heat: HeatMap | None) -> list[dict[str, Any]]:
    """Marker of the peak: lon and lat in degrees, or column and row without a CRS."""
    if heat is None:
        return []
    peak = heat.peak
    x, y = (peak.col, peak.row) if peak.lon is None else (peak.lon, peak.lat)
    return [{"x": x, "y": y, "label": f"best: {peak.score:.3f}"}]


def region_threshold(heat: HeatMap, chosen: float | None) -> float:
    """The lowest cosine of a region: of colours, outlines, count, table and files alike.

    Args:
        heat: the heat map.
        chosen: where the user set the threshold, 0-1 of the display range; None: halfway between
            median and highest score, but at most the end of the display range.
    """
    if chosen is None:
        return min(default_threshold(heat), heat.high)
    return heat.low + chosen * (heat.high - heat.low)


def colour_threshold(heat: HeatMap, threshold: float) -> float:
    """A threshold as 0-1 of the heat map's display range."""
    return min(max((threshold - heat.low) / (heat.high - heat.low), 0.0), 1.0)


def region_outlines(heat_id: str | None, threshold: float | None = None) -> dict[str, Any] | None:
    """Regions of a heat map as GeoJSON; None without a heat map."""
    return None if heat_id is None else _regions(heat_id, threshold)


@lru_cache(maxsize=64)
def _regions(heat_id: str, threshold: float | None) -> dict[str, Any]:
    geojson: dict[str, Any] = regions_geojson(state.heat(heat_id), threshold=threshold)
    return geojson


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
