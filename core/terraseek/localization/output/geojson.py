"""Regions of heat maps as GeoJSON (RFC 7946)."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terraseek.files import output_errors, write_json
from terraseek.localization.heatmap import HeatMap
from terraseek.localization.output.outlines import split_at_antimeridian, to_lonlat
from terraseek.localization.output.provenance import provenance
from terraseek.localization.output.regions import Region, regions

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["regions_geojson", "write_regions"]


def regions_geojson(
    heat: HeatMap | Sequence[HeatMap],
    found: Sequence[Region] | None = None,
    threshold: float | None = None,
    percentile: float | None = None,
) -> dict[str, Any]:
    """Regions as a GeoJSON FeatureCollection (RFC 7946, longitude and latitude).

    The properties of each feature hold outline and peak in pixels, and the collection's member
    `request` the `provenance` of each heat map. In pixel space the geometry
    itself is in pixels (column, row), and the collection has `"crs": null, "space": "pixel"`. A
    region that is not on the globe, as beside a full disk, has no geometry.

    Args:
        heat: one heat map, or several of one scene.
        found: regions of a single heat map; default: computed here.
        threshold: see `regions`.
        percentile: see `regions`.

    Raises:
        ConfigError: see `regions`.
    """
    heats = [heat] if isinstance(heat, HeatMap) else list(heat)
    features = []
    for one in heats:
        listed = found if found is not None else regions(one, threshold, percentile)
        features += [_feature(one, rank, region) for rank, region in enumerate(listed, 1)]
    collection: dict[str, Any] = {"type": "FeatureCollection"}
    if not heats[0].georef.located:
        collection |= {"crs": None, "space": "pixel"}
    asked = [provenance(one, threshold, percentile) for one in heats]
    return collection | {"request": asked, "features": features}


def _feature(heat: HeatMap, rank: int, region: Region) -> dict[str, Any]:
    from shapely.geometry import mapping

    geometry: BaseGeometry | None = region.polygon
    if heat.georef.located:
        lonlat = to_lonlat(region.polygon, heat.georef)
        geometry = None if lonlat is None else split_at_antimeridian(lonlat)
    peak, gsd = region.peak, heat.georef.gsd_m
    outline = [[round(c, 2), round(r, 2)] for c, r in region.polygon.exterior.coords]
    return {
        "type": "Feature",
        "geometry": None if geometry is None else mapping(geometry),
        "properties": {
            "query": heat.query,
            "minus": list(heat.minus),
            "rank": rank,
            "score": round(peak.score, 6),
            "significance": heat.level_at(peak.score),
            "mean_score": round(region.mean_score, 6),
            "peak_lon": peak.lon,
            "peak_lat": peak.lat,
            "peak_col": peak.col,
            "peak_row": peak.row,
            "area_m2": None if region.area_m2 is None else round(region.area_m2, 2),
            "area_px": round(region.area_px, 1),
            "window_px": region.window_px,
            "window_m": None if gsd is None else round(region.window_px * gsd, 3),
            "outline_px": outline,
            "scene": heat.scene_name,
            "encoder": heat.encoder_id,
            "method": heat.method,
            "scales": list(heat.scales),
        },
    }


def write_regions(
    heat: HeatMap | Sequence[HeatMap],
    path: Path,
    threshold: float | None = None,
    percentile: float | None = None,
) -> Path:
    """Write `regions_geojson`, completely or not at all.

    Args:
        heat: one heat map, or several of one scene.
        path: file to write.
        threshold: see `regions`.
        percentile: see `regions`.

    Returns:
        `path`.

    Raises:
        ConfigError: see `regions`.
        OutputError: the disk is full or the folder cannot be written to.
    """
    collection = regions_geojson(heat, threshold=threshold, percentile=percentile)
    with output_errors(path):
        write_json(path, collection)
    return path
