"""The numbers of a heat map as JSON values: what the command line, the HTTP API and pages give."""

from typing import Any

from terraseek.localization.heatmap import HeatMap
from terraseek.localization.output.geojson import regions_geojson
from terraseek.localization.output.provenance import provenance
from terraseek.localization.output.regions import lowest_score

__all__ = ["HEAT_SIDE", "map_numbers", "summary"]

HEAT_SIDE = 1536
"""Longest side in pixels of a heat map that a browser shows as one image; `HeatMap.preview`."""


def summary(heat: HeatMap) -> dict[str, Any]:
    """Query, size, timing, peak and CRS of a heat map: what `terraseek localize --json` prints."""
    peak = heat.peak
    return provenance(heat) | {
        "windows": heat.n_windows,
        "encode_s": round(heat.encode_s, 4),
        "query_s": round(heat.query_s, 4),
        "peak": {
            "lon": peak.lon,
            "lat": peak.lat,
            "col": peak.col,
            "row": peak.row,
            "score": peak.score,
        },
        "significance": heat.significance,
        "probability": heat.probability,
        "crs": None if heat.crs is None else heat.crs.to_string(),
    }


def map_numbers(
    heat: HeatMap, threshold: float | None = None, percentile: float | None = None
) -> dict[str, Any]:
    """`summary` with display range, levels, threshold, significance, warnings and regions.

    `possible_from` and `likely_from` are the scores from which places have these levels.

    Args:
        heat: the heat map.
        threshold: lowest cosine of a region; default halfway between median and maximum.
        percentile: the same as a percentile of the scene's scores, 0-100.

    Raises:
        ConfigError: both are given, or one is out of range.
    """
    scale = heat.colour_scale()
    return summary(heat) | {
        "parameters": provenance(heat, threshold, percentile)["parameters"],
        "threshold": lowest_score(heat, threshold, percentile),
        "possible_from": scale.possible_from,
        "likely_from": scale.likely_from,
        "low": heat.low,
        "high": heat.high,
        "convincing": heat.significant,
        "warnings": list(heat.warnings),
        "regions": regions_geojson(heat, threshold=threshold, percentile=percentile),
    }
