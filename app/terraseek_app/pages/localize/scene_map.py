"""A scene and its heat map as the map component wants them."""

from functools import lru_cache
from typing import Any

from terraseek.localization import HeatMap, regions_geojson
from terraseek.localization.output.numbers import HEAT_SIDE
from terraseek.scenes import Georef
from terraseek_app.map import Overlay, heat_overlay, scene_overlay
from terraseek_app.pages.localize.scene_choice import SceneFacts
from terraseek_app.server import state

__all__ = ["outlines", "overlays", "peaks", "view"]


def overlays(facts: SceneFacts, heat: HeatMap | None, heat_id: str | None) -> list[Overlay]:
    """The scene, and the heat map above it when there is one."""
    found = [scene_overlay(facts.scene_id, facts.corners)]
    if heat is not None and heat_id is not None:
        found.append(heat_overlay(heat_id, _corners(heat_id), heat.low, heat.high, heat.query))
    return found


@lru_cache(maxsize=64)
def _corners(heat_id: str) -> list[list[float]] | None:
    """Where the image of a heat map lies; the warp that tells is the one the route draws."""
    return state.heat(heat_id).preview(HEAT_SIDE)[2]


def peaks(heat: HeatMap | None) -> list[dict[str, Any]]:
    """The best place as a mark on the map."""
    if heat is None:
        return []
    peak = heat.peak
    x, y = (peak.col, peak.row) if peak.lon is None else (peak.lon, peak.lat)
    return [{"x": x, "y": y, "label": f"best: {peak.score:.3f}"}]


def outlines(heat: HeatMap | None, heat_id: str | None) -> dict[str, Any] | None:
    """The regions as GeoJSON for the map; None when there are none."""
    if heat is None or heat_id is None:
        return None
    return _outlines(heat_id)


@lru_cache(maxsize=64)
def _outlines(heat_id: str) -> dict[str, Any]:
    found: dict[str, Any] = regions_geojson(state.heat(heat_id))
    return found


def view(
    facts: SceneFacts, heat: HeatMap | None, fly: dict[str, Any] | None
) -> dict[str, Any] | None:
    """Where to look: at the scene when it is new, at a place when that was asked for.

    Args:
        facts: the scene.
        heat: its heat map, which knows where pixels lie.
        fly: {"pixels": (col0, row0, col1, row1), "turn": n} of a wish to see a place.
    """
    if not fly or heat is None:
        return {"fit": "overlays", "scene": facts.scene_id}
    box = fly["pixels"]
    bounds = box if facts.corners is None else _lonlat_bounds(heat.georef, box)
    return {"bounds": list(bounds), "turn": fly["turn"]}


def _lonlat_bounds(
    georef: Georef, box: tuple[float, float, float, float]
) -> tuple[float, float, float, float]:
    """West, south, east, north of a pixel box, over all four corners: scenes may be rotated."""
    col0, row0, col1, row1 = box
    corners = [(col0, row0), (col1, row0), (col1, row1), (col0, row1)]
    places = [p for p in (georef.pixel_to_lonlat(col, row) for col, row in corners) if p]
    lons, lats = zip(*places, strict=True)
    return min(lons), min(lats), max(lons), max(lats)
