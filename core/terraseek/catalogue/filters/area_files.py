"""Areas from files of GIS programs: GeoJSON, and GeoPackage without GDAL.

A GeoPackage is an SQLite database whose geometries are WKB behind a short header (OGC 12-128r18,
clause 2.1.3). It is read with `sqlite3`, because nothing restricts what the GDAL of geopandas opens
(see `terraseek.scenes.gdal_restrictions`).
"""

import json
import sqlite3
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from terraseek.catalogue.filters.areas import MAX_VERTICES, Area, polygon_rings
from terraseek.errors import FilterError

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["AREA_SUFFIXES", "NamedRing", "read_rings"]

AREA_SUFFIXES = (".geojson", ".json", ".gpkg")
"""Suffixes of the files that can be read."""
MAX_RINGS = 200
"""Most polygons of a file."""

_NAMES = ("name", "title", "label", "id")
_ENVELOPE_BYTES = (0, 32, 48, 48, 64)
_QUERY_STEPS = 2_000_000  # of SQLite's virtual machine; a sane file needs some per feature


@dataclass(frozen=True, slots=True)
class NamedRing:
    """The outline of one polygon of a file."""

    name: str
    """From the columns `name`, `title`, `label` or `id`; blank without one."""
    corners: tuple[tuple[float, float], ...]
    """(lon, lat) in degrees, EPSG:4326; the first corner is not repeated."""


def read_rings(path: Path) -> list[NamedRing]:
    """Outlines of the polygons of a GeoJSON file or a GeoPackage.

    Args:
        path: the file; its suffix says which of the two it is.

    Raises:
        FilterError: it cannot be read, has no polygon, a polygon with holes, more than 200
            polygons, or more corners than an area may have (10,000).
    """
    suffix = path.suffix.lower()
    if suffix not in AREA_SUFFIXES:
        raise FilterError(
            f"{path.name} is not one of {', '.join(AREA_SUFFIXES)}; save the areas as GeoJSON"
        )
    read = _read_geopackage if suffix == ".gpkg" else _read_geojson
    try:
        rings = [ring for name, geometry in read(path) for ring in _rings(name, geometry)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, sqlite3.Error) as error:
        raise FilterError(f"{path.name} cannot be read as {suffix[1:]}: {error}") from error
    n_corners = sum(len(ring.corners) for ring in rings)
    if not rings:
        raise FilterError(f"{path.name} has no polygon; draw areas in it as polygons")
    if len(rings) > MAX_RINGS or n_corners > MAX_VERTICES:
        raise FilterError(
            f"{path.name} has {len(rings):,} polygons with {n_corners:,} corners, more than "
            f"{MAX_RINGS} or {MAX_VERTICES:,}; simplify them, or keep fewer"
        )
    return rings


def _rings(name: str, geometry: "BaseGeometry") -> Iterator[NamedRing]:
    """The outlines of a feature; points and lines have none."""
    if geometry.geom_type not in ("Polygon", "MultiPolygon") or geometry.is_empty:
        return
    outlines = polygon_rings(geometry)
    if outlines is None:
        raise FilterError(
            f"the area {name or 'without a name'} has holes, which cannot be drawn; fill them"
        )
    Area(geometry)  # refuses coordinates that are no degrees
    for ring in outlines:
        yield NamedRing(name, tuple((round(lon, 6), round(lat, 6)) for lon, lat in ring))


def _read_geojson(path: Path) -> "Iterator[tuple[str, BaseGeometry]]":
    import shapely

    text = path.read_text("utf-8-sig")
    if text.count(",") > 40 * MAX_VERTICES:
        raise FilterError(f"{path.name} is too large; simplify its areas, or keep fewer")
    value = json.loads(text)
    for feature in value["features"] if value["type"] == "FeatureCollection" else [value]:
        geometry = feature["geometry"] if feature["type"] == "Feature" else feature
        if geometry is not None:
            found = shapely.from_geojson(json.dumps(geometry))
            yield _name(feature.get("properties") or {}), found


def _name(values: dict[str, Any]) -> str:
    folded = {str(key).lower(): value for key, value in values.items()}
    return next((str(folded[key])[:80] for key in _NAMES if folded.get(key)), "")


def _read_geopackage(path: Path) -> "Iterator[tuple[str, BaseGeometry]]":
    uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as database:
        database.row_factory = sqlite3.Row
        database.execute("PRAGMA trusted_schema = OFF")
        steps = iter(range(_QUERY_STEPS // 1000))
        database.set_progress_handler(lambda: next(steps, None) is None, 1000)
        tables = database.execute(
            "SELECT g.table_name, g.column_name, s.organization, s.organization_coordsys_id AS code"
            " FROM gpkg_geometry_columns g JOIN gpkg_spatial_ref_sys s USING (srs_id)"
            " JOIN sqlite_master m ON m.name = g.table_name AND m.type = 'table'"
        ).fetchall()
        for table in tables:
            convert = _to_degrees(str(table["organization"]), int(table["code"]))
            quoted = str(table["table_name"]).replace('"', '""')
            for row in database.execute(f'SELECT * FROM "{quoted}" LIMIT {MAX_RINGS + 1}'):
                values = dict(row)
                blob = values.pop(str(table["column_name"]))
                if blob is not None:
                    yield _name(values), convert(_geometry(bytes(blob)))


def _geometry(blob: bytes) -> "BaseGeometry":
    """A geometry from a GeoPackage's binary header and WKB."""
    import shapely

    magic, _, flags = struct.unpack_from("<2sBB", blob)
    envelope = flags >> 1 & 7
    if magic != b"GP" or envelope >= len(_ENVELOPE_BYTES):
        raise ValueError("a geometry is not in the format of GeoPackage")
    return shapely.force_2d(shapely.from_wkb(blob[8 + _ENVELOPE_BYTES[envelope] :]))


def _to_degrees(organization: str, code: int) -> "Callable[[BaseGeometry], BaseGeometry]":
    """Conversion of geometries of a CRS to longitude and latitude, EPSG:4326."""
    import shapely
    from pyproj import Transformer
    from pyproj.exceptions import CRSError

    if organization.upper() != "EPSG":
        raise ValueError(f"the areas have the CRS {organization}:{code}; save them in EPSG:4326")
    try:
        transformer = Transformer.from_crs(code, 4326, always_xy=True)
    except CRSError as error:
        raise ValueError(f"EPSG:{code} is not known") from error

    def degrees(corners: np.ndarray) -> np.ndarray:
        return np.column_stack(transformer.transform(corners[:, 0], corners[:, 1]))

    return lambda geometry: shapely.transform(geometry, degrees)
