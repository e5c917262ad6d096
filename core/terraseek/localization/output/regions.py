"""Places that stand out, as polygons with their peak."""

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
_DEFAULT_SHARE = 0.5
_SMALLEST_SHARE = 1 / 16
"""Of the smallest window's area: below that a region is a ripple of the interpolation."""


@dataclass(frozen=True, eq=False)
class Region:
    """A connected area whose score is at least the threshold."""

    polygon: "Polygon"
    """Outline in pixels of the scene, (col, row)."""
    peak: Peak
    mean_score: float
    area_px: float
    """Area in scene pixels."""
    area_m2: float | None
    """Area on the ellipsoid in square metres; None in pixel space."""
    window_px: int
    """Side in pixels of the smallest windows the score comes from."""


def default_threshold(heat: HeatMap) -> float:
    """Halfway between the scene's median score and its best."""
    return heat.low + _DEFAULT_SHARE * (float(heat.score[heat.valid].max()) - heat.low)


def regions(
    heat: HeatMap, threshold: float | None = None, percentile: float | None = None
) -> list[Region]:
    """Areas above a threshold, best first; windows that overlap make one area.

    Args:
        heat: the map.
        threshold: lowest score that counts; default halfway between median and best.
        percentile: the same as a share of the scene, 0-100, instead.

    Raises:
        ConfigError: both are given, the percentile is out of range or the threshold no number.
    """
    cut = _cut(heat, threshold, percentile)
    mask = np.nan_to_num(heat.score, nan=-np.inf) >= cut
    found = [_region(heat, label, labels, shape) for label, labels, shape in _shapes(mask)]
    smallest = heat.window_px**2 * _SMALLEST_SHARE
    kept = [region for region in found if region.area_px >= smallest] or found[:1]
    return sorted(kept, key=lambda region: -region.peak.score)[:MAX_REGIONS]


def _cut(heat: HeatMap, threshold: float | None, percentile: float | None) -> float:
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
    """Label, all labels, and outline in cells of each connected area."""
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
    part = np.where(labels[row0:row1, col0:col1] == label, heat.score[row0:row1, col0:col1], np.nan)
    row, col = np.unravel_index(int(np.nanargmax(part)), part.shape)
    across, down = heat.width / width, heat.height / height
    # the staircase of cells is an artefact of the grid; one cell of tolerance removes it
    smooth = outline.simplify(1.0)
    polygon = cast("Polygon", scale(smooth, across, down, origin=(0, 0)))
    return Region(
        polygon=polygon,
        peak=heat.peak_at(row0 + int(row), col0 + int(col)),
        mean_score=float(np.nanmean(part)),
        area_px=float(polygon.area),
        area_m2=_area_m2(polygon, heat.georef),
        window_px=heat.window_px,
    )


def _area_m2(polygon: "Polygon", georef: "Georef") -> float | None:
    from pyproj import Geod

    ground = _on_globe(polygon, georef)
    if ground is None:
        return None
    return abs(float(Geod(ellps="WGS84").geometry_area_perimeter(ground)[0]))


def _on_globe(polygon: "Polygon", georef: "Georef") -> "Polygon | None":
    """The outline in lon/lat, counter-clockwise; longitudes run on across the antimeridian."""
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


def _split(ground: "Polygon") -> "BaseGeometry":
    """Cut at the antimeridian, as RFC 7946 section 3.1.9 asks."""
    from shapely import MultiPolygon, box
    from shapely.affinity import translate

    west, _, east, _ = ground.bounds
    if west >= -180 and east <= 180:
        return ground
    parts: list[Polygon] = []
    for turn in range(math.floor((west + 180) / 360), math.floor((east + 180) / 360) + 1):
        cut = ground.intersection(box(-180 + 360 * turn, -90, 180 + 360 * turn, 90))
        pieces = getattr(cut, "geoms", [cut])
        parts += [translate(p, -360 * turn) for p in pieces if p.geom_type == "Polygon"]
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


def regions_geojson(
    heat: HeatMap | Sequence[HeatMap],
    found: Sequence[Region] | None = None,
    threshold: float | None = None,
    percentile: float | None = None,
) -> dict[str, Any]:
    """Regions as a GeoJSON FeatureCollection (RFC 7946, longitude and latitude).

    Outline and peak in pixels are in each feature's properties. In pixel space the geometry itself
    is in pixels (column, row), and the collection says so: `"crs": null, "space": "pixel"`.
    """
    heats = [heat] if isinstance(heat, HeatMap) else list(heat)
    features = []
    for one in heats:
        mine = found if found is not None else regions(one, threshold, percentile)
        features += [_feature(one, rank, region) for rank, region in enumerate(mine, 1)]
    collection: dict[str, Any] = {"type": "FeatureCollection"}
    if not heats[0].georef.located:
        collection |= {"crs": None, "space": "pixel"}
    return collection | {"features": features}


def _feature(heat: HeatMap, rank: int, region: Region) -> dict[str, Any]:
    from shapely.geometry import mapping

    ground = _on_globe(region.polygon, heat.georef)
    peak, gsd = region.peak, heat.georef.gsd_m
    outline = [[round(c, 2), round(r, 2)] for c, r in region.polygon.exterior.coords]
    return {
        "type": "Feature",
        "geometry": mapping(region.polygon if ground is None else _split(ground)),
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
    """Write `regions_geojson`, whole or not at all.

    Raises:
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
