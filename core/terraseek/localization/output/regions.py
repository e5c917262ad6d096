"""Regions of high score in a heat map, as polygons with their peak and as GeoJSON.

A region is an area above a threshold. Whether the heat map is significant is decided elsewhere, see
`significance.assessment`.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from jaxtyping import Bool, Int32

from terraseek.errors import ConfigError, OutputError
from terraseek.files import write_json
from terraseek.localization.heatmap import HeatMap, Peak

if TYPE_CHECKING:
    from shapely import Polygon
    from shapely.geometry.base import BaseGeometry

    from terraseek.scenes import Georef

__all__ = ["Region", "default_threshold", "regions", "regions_geojson", "write_regions"]

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
    """Outline in pixels of the scene, (col, row)."""
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
    lowest = _lowest_score(heat, threshold, percentile)
    mask = np.nan_to_num(heat.score, nan=-np.inf) >= lowest
    found = [_region(heat, label, labels, shape) for label, labels, shape in _shapes(mask)]
    min_area = heat.window_px**2 * _MIN_AREA
    kept = [region for region in found if region.area_px >= min_area] or found[:1]
    return sorted(kept, key=lambda region: -region.peak.score)[:MAX_REGIONS]


def _lowest_score(heat: HeatMap, threshold: float | None, percentile: float | None) -> float:
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
    heat: HeatMap, label: int, labels: Int32[np.ndarray, "h w"], outline: "Polygon"
) -> Region:
    from shapely.affinity import scale

    height, width = heat.score.shape
    col0, row0, col1, row1 = (int(v) for v in outline.bounds)
    box = slice(row0, row1), slice(col0, col1)
    scores = np.where(labels[box] == label, heat.score[box], np.nan)
    row, col = np.unravel_index(int(np.nanargmax(scores)), scores.shape)
    scale_x, scale_y = heat.width / width, heat.height / height
    # the stair steps of cells are an artefact of the grid; a tolerance of one cell removes them
    smooth = outline.simplify(1.0)
    polygon = cast("Polygon", scale(smooth, scale_x, scale_y, origin=(0, 0)))
    return Region(
        polygon=polygon,
        peak=heat.peak_at(row0 + int(row), col0 + int(col)),
        mean_score=float(np.nanmean(scores)),
        area_px=float(polygon.area),
        area_m2=_area_m2(polygon, heat.georef),
        window_px=heat.window_px,
    )


def _area_m2(polygon: "Polygon", georef: "Georef") -> float | None:
    from pyproj import Geod

    lonlat = _to_lonlat(polygon, georef)
    if lonlat is None:
        return None
    return abs(float(Geod(ellps="WGS84").geometry_area_perimeter(lonlat)[0]))


def _to_lonlat(polygon: "Polygon", georef: "Georef") -> "Polygon | None":
    """The outline in lon/lat, counter-clockwise; longitudes continue beyond the antimeridian.

    None without a location on the globe, or where a vertex cannot be projected.
    """
    from shapely import Polygon
    from shapely.geometry.polygon import orient

    if not georef.located:
        return None
    rings = []
    for ring in (polygon.exterior, *polygon.interiors):
        points = np.asarray(ring.coords, np.float64)
        lon, lat = georef.lonlat(points[:, 0].copy(), points[:, 1].copy())
        if not np.all(np.isfinite(lon)):
            return None
        rings.append(np.stack([np.unwrap(lon, period=360), lat], axis=1))
    return orient(Polygon(rings[0], rings[1:]))


def _split_at_antimeridian(lonlat: "Polygon") -> "BaseGeometry":
    """Cut a polygon at the antimeridian, as RFC 7946 section 3.1.9 requires."""
    from shapely import MultiPolygon, box
    from shapely.affinity import translate

    west, _, east, _ = lonlat.bounds
    if west >= -180 and east <= 180:
        return lonlat
    parts: list[Polygon] = []
    for turn in range(math.floor((west + 180) / 360), math.floor((east + 180) / 360) + 1):
        overlap = lonlat.intersection(box(-180 + 360 * turn, -90, 180 + 360 * turn, 90))
        geometries = getattr(overlap, "geoms", [overlap])
        parts += [translate(g, -360 * turn) for g in geometries if g.geom_type == "Polygon"]
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


def regions_geojson(
    heat: HeatMap | Sequence[HeatMap],
    found: Sequence[Region] | None = None,
    threshold: float | None = None,
    percentile: float | None = None,
) -> dict[str, Any]:
    """Regions as a GeoJSON FeatureCollection (RFC 7946, longitude and latitude).

    The properties of each feature hold outline and peak in pixels. In pixel space the geometry
    itself is in pixels (column, row), and the collection has `"crs": null, "space": "pixel"`.

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
    return collection | {"features": features}


def _feature(heat: HeatMap, rank: int, region: Region) -> dict[str, Any]:
    from shapely.geometry import mapping

    lonlat = _to_lonlat(region.polygon, heat.georef)
    peak, gsd = region.peak, heat.georef.gsd_m
    outline = [[round(c, 2), round(r, 2)] for c, r in region.polygon.exterior.coords]
    return {
        "type": "Feature",
        "geometry": mapping(region.polygon if lonlat is None else _split_at_antimeridian(lonlat)),
        "properties": {
            "query": heat.query,
            "rank": rank,
            "score": round(peak.score, 6),
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
    try:
        write_json(path, collection)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error}); free some disk space or choose another folder"
        ) from error
    return path
