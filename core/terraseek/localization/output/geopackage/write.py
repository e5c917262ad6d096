"""Write the regions and peaks of heat maps as GeoPackage."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terraseek.files import atomic_path, output_errors
from terraseek.localization.heatmap import HeatMap
from terraseek.localization.output.geojson import regions_geojson
from terraseek.localization.output.geopackage.qgis_style import peaks_qml, regions_qml
from terraseek.localization.output.geopackage.tables import (
    PIXEL_SPACE,
    WGS84,
    Layer,
    add_layer,
    add_metadata,
    create_tables,
)

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["write_geopackage"]

_COLUMNS: dict[str, type] = {
    "question": str,
    "query": str,
    "minus": str,
    "rank": int,
    "score": float,
    "significance": str,
    "mean_score": float,
    "peak_lon": float,
    "peak_lat": float,
    "peak_col": int,
    "peak_row": int,
    "area_m2": float,
    "area_px": float,
    "window_px": int,
    "window_m": float,
    "scene": str,
    "encoder": str,
    "method": str,
    "scales": str,
}
_PIXELS = "; columns and rows of the scene in pixels, rows counted downwards"


def write_geopackage(
    heat: HeatMap | Sequence[HeatMap],
    path: Path,
    threshold: float | None = None,
    percentile: float | None = None,
) -> Path:
    """Write layers `regions` and `peaks` in EPSG:4326, completely or not at all.

    The columns are the properties of `regions_geojson`. Both layers have a style for QGIS in the
    table `layer_styles`, which colours them by `significance`. The metadata holds the request of
    each heat map as JSON. A scene that is not located gives columns and rows in pixels, in an
    undefined reference system.

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
    heats = [heat] if isinstance(heat, HeatMap) else list(heat)
    collection = regions_geojson(heats, threshold=threshold, percentile=percentile)
    located = heats[0].georef.located
    with (
        output_errors(path, sqlite3.Error),
        atomic_path(path) as part,
        closing(sqlite3.connect(part)) as connection,
    ):
        create_tables(connection)
        for layer in _layers(collection["features"], located):
            add_layer(connection, layer, WGS84 if located else PIXEL_SPACE)
        add_metadata(connection, {"request": collection["request"]})
        connection.commit()
    return path


def _layers(features: Sequence[dict[str, Any]], located: bool) -> list[Layer]:
    rows = [_row(feature["properties"]) for feature in features]
    space = "" if located else _PIXELS
    regions = Layer(
        "regions",
        "MULTIPOLYGON",
        f"areas with scores above the threshold{space}",
        _COLUMNS,
        rows,
        [_multipolygon(feature["geometry"]) for feature in features],
        regions_qml(),
    )
    peaks = Layer(
        "peaks",
        "POINT",
        f"place of the highest score of each region{space}",
        _COLUMNS,
        rows,
        [_peak(row, located) for row in rows],
        peaks_qml(),
    )
    return [regions, peaks]


def _row(properties: dict[str, Any]) -> dict[str, Any]:
    return properties | {
        "question": " minus ".join((properties["query"], *properties["minus"])),
        "minus": json.dumps(properties["minus"], ensure_ascii=False),
        "scales": ",".join(map(str, properties["scales"])),
        "significance": properties["significance"] or "",
    }


def _multipolygon(geometry: dict[str, Any] | None) -> "BaseGeometry | None":
    from shapely import MultiPolygon, Polygon
    from shapely.geometry import shape

    found = None if geometry is None else shape(geometry)
    return MultiPolygon([found]) if isinstance(found, Polygon) else found


def _peak(row: dict[str, Any], located: bool) -> "BaseGeometry | None":
    """The centre of the peak's pixel; None where a located scene has none on the globe."""
    from shapely import Point

    if not located:
        return Point(row["peak_col"] + 0.5, row["peak_row"] + 0.5)
    return None if row["peak_lon"] is None else Point(row["peak_lon"], row["peak_lat"])
