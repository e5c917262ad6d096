"""The heat maps shown together: their colours, one threshold for all, and their comparison."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from terraseek.localization import Comparison, HeatMap, compare, regions_geojson
from terraseek.localization.comparison import ComparedRegion
from terraseek.localization.output.colour.palette import SENTENCE_COLOURS
from terraseek.localization.output.outlines import area_text
from terraseek.localization.output.regions import default_threshold
from terraseek.significance.words import WORDS
from terraseek_app.server import state
from terraseek_app.widgets.metadata import coordinates

__all__ = [
    "COLOURS",
    "colour_of",
    "colour_threshold",
    "compared",
    "outlines",
    "region_at",
    "region_threshold",
    "table_rows",
    "thresholds",
]

COLOURS = tuple(f"#{r:02X}{g:02X}{b:02X}" for r, g, b in SENTENCE_COLOURS)
"""Colours of sentences in CSS, which colour-blind people tell apart."""


def colour_of(index: int, count: int) -> str:
    """Colour of one of `count` heat maps; empty for a single one, which has a ramp."""
    return COLOURS[index % len(COLOURS)] if count > 1 else ""


def region_threshold(heat: HeatMap, chosen: float | None) -> float:
    """The lowest cosine of a region: of colours, outlines, count, table and files alike.

    Args:
        heat: the heat map.
        chosen: where the threshold is, 0-1 of the display range; None: halfway between median and
            highest score, but at most the end of the display range.
    """
    if chosen is None:
        return min(default_threshold(heat), heat.high)
    return heat.low + chosen * (heat.high - heat.low)


def colour_threshold(heat: HeatMap, threshold: float) -> float:
    """A threshold as 0-1 of the heat map's display range."""
    return min(max((threshold - heat.low) / (heat.high - heat.low), 0.0), 1.0)


def thresholds(heats: Sequence[HeatMap], chosen: float | None) -> list[float]:
    """Lowest cosine of a region of each heat map; the slider has one position for all of them."""
    first = region_threshold(heats[0], chosen)
    if len(heats) == 1:
        return [first]
    position = colour_threshold(heats[0], first)
    return [region_threshold(heat, position) for heat in heats]


@lru_cache(maxsize=4)
def compared(heat_ids: tuple[str, ...], chosen: float | None) -> Comparison:
    """The heat maps compared at a position of the threshold; see `thresholds`.

    Raises:
        SceneError: one of them is no longer kept.
    """
    heats = [state.heat(heat_id) for heat_id in heat_ids]
    return compare(heats, thresholds(heats, chosen))


@lru_cache(maxsize=16)
def outlines(heat_ids: tuple[str, ...], chosen: float | None) -> dict[str, Any]:
    """Regions of the heat maps as GeoJSON, with `sentence` and `colour` where there are several."""
    found = compared(heat_ids, chosen)
    features: list[dict[str, Any]] = []
    document: dict[str, Any] = {}
    for index, (heat, threshold) in enumerate(zip(found.heats, found.thresholds, strict=True)):
        own = [row.region for row in found.rows if row.sentence == index]
        document = regions_geojson(heat, own, threshold)
        colour = colour_of(index, len(heat_ids))
        marks = {"sentence": index, "colour": colour} if colour else {}
        features += [f | {"properties": f["properties"] | marks} for f in document["features"]]
    return document | {"features": features}


def table_rows(found: Comparison) -> list[dict[str, Any]]:
    """Rows of the table of regions, as the browser shows them."""
    return [_table_row(found, row) for row in found.rows]


def _table_row(found: Comparison, row: ComparedRegion) -> dict[str, Any]:
    heat, region = found.heats[row.sentence], row.region
    level = heat.level_at(region.peak.score)
    peak, count = region.peak, len(found.heats)
    where = coordinates(peak.lon, peak.lat, 5) or f"{peak.col:,}, {peak.row:,} px"
    return {
        "sentence": row.sentence,
        "rank": row.rank,
        "query": heat.question,
        "colour": colour_of(row.sentence, count) or None,
        "level": "" if level is None else WORDS[level],
        "score": float(peak.score),
        "share": colour_threshold(heat, peak.score),
        "where": where,
        "size": area_text(region.area_m2) if region.area_m2 else f"{region.area_px:,.0f} px²",
        "won": f"{row.share_won:.0%}" if count > 1 else None,
    }


def region_at(found: Comparison, col: float, row: float) -> tuple[int, int] | None:
    """Sentence and rank of the region at a pixel of the scene, of the winning sentence if it can.

    Args:
        found: the comparison.
        col: column in the scene.
        row: row in the scene.
    """
    from shapely import Point

    here = [one for one in found.rows if one.region.polygon.intersects(Point(col, row))]
    if not here:
        return None
    best = max(here, key=lambda one: (one.share_won, one.region.peak.score))
    return best.sentence, best.rank
