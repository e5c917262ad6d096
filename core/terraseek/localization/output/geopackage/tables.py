"""Tables of a GeoPackage (OGC 12-128r17), written with SQLite alone.

The GDAL of this process may not write GeoPackages, see `terraseek.scenes.gdal_restrictions`.
"""

import json
import sqlite3
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["PIXEL_SPACE", "WGS84", "Layer", "add_layer", "add_metadata", "create_tables"]

WGS84 = 4326
"""Reference system of longitude and latitude."""
PIXEL_SPACE = -1
"""Reference system "undefined cartesian", for columns and rows of a scene without a CRS."""
_APPLICATION_ID = 0x47504B47
_VERSION = 10300
_SCHEMA = """
CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY,
  organization TEXT NOT NULL, organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL,
  description TEXT);
CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL,
  identifier TEXT UNIQUE, description TEXT DEFAULT '',
  last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER,
  CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL,
  geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL, z TINYINT NOT NULL,
  m TINYINT NOT NULL, CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name),
  CONSTRAINT uk_gc_table_name UNIQUE (table_name),
  CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
  CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id));
CREATE TABLE gpkg_extensions (table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL,
  definition TEXT NOT NULL, scope TEXT NOT NULL,
  CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name));
CREATE TABLE gpkg_metadata (id INTEGER CONSTRAINT m_pk PRIMARY KEY ASC NOT NULL,
  md_scope TEXT NOT NULL DEFAULT 'dataset', md_standard_uri TEXT NOT NULL,
  mime_type TEXT NOT NULL DEFAULT 'text/xml', metadata TEXT NOT NULL DEFAULT '');
CREATE TABLE gpkg_metadata_reference (reference_scope TEXT NOT NULL, table_name TEXT,
  column_name TEXT, row_id_value INTEGER,
  timestamp DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  md_file_id INTEGER NOT NULL, md_parent_id INTEGER,
  CONSTRAINT crmr_mfi_fk FOREIGN KEY (md_file_id) REFERENCES gpkg_metadata(id));
CREATE TABLE layer_styles (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  f_table_catalog TEXT, f_table_schema TEXT, f_table_name TEXT, f_geometry_column TEXT,
  styleName TEXT, styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN, description TEXT,
  owner TEXT, ui TEXT, update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')));
INSERT INTO gpkg_contents (table_name, data_type, identifier)
  VALUES ('layer_styles', 'attributes', 'layer_styles');
"""
_METADATA_DEFINITION = "http://www.geopackage.org/spec131/#extension_metadata"
_METADATA_STANDARD = "https://json-schema.org/draft/2020-12/schema"
_SQL_TYPES = {int: "INTEGER", float: "DOUBLE", str: "TEXT"}


@dataclass(frozen=True, slots=True)
class Layer:
    """A table of features with one geometry column, `geom`."""

    name: str
    geometry_type: str
    """`POINT` or `MULTIPOLYGON`."""
    description: str
    columns: Mapping[str, type]
    """Name and type (int, float or str) of each column."""
    rows: Sequence[Mapping[str, Any]]
    """Values by column; None where there is none."""
    geometries: Sequence["BaseGeometry | None"]
    """One for each row."""
    qml: str
    """Style for QGIS."""


def create_tables(connection: sqlite3.Connection) -> None:
    """Create the tables that every GeoPackage has, and that of QGIS's styles."""
    from pyproj import CRS

    connection.executescript(_SCHEMA)
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {_VERSION}")
    undefined = [
        ("Undefined cartesian SRS", PIXEL_SPACE, "NONE", PIXEL_SPACE, "undefined"),
        ("Undefined geographic SRS", 0, "NONE", 0, "undefined"),
    ]
    wgs84 = ("WGS 84", WGS84, "EPSG", WGS84, CRS.from_epsg(WGS84).to_wkt("WKT1_GDAL"))
    connection.executemany(
        "INSERT INTO gpkg_spatial_ref_sys (srs_name, srs_id, organization, "
        "organization_coordsys_id, definition) VALUES (?, ?, ?, ?, ?)",
        [*undefined, wgs84],
    )
    connection.executemany(
        "INSERT INTO gpkg_extensions VALUES (?, NULL, 'gpkg_metadata', ?, 'read-write')",
        [(name, _METADATA_DEFINITION) for name in ("gpkg_metadata", "gpkg_metadata_reference")],
    )


def add_layer(connection: sqlite3.Connection, layer: Layer, srs_id: int) -> None:
    """Add a table of features with its style.

    Args:
        connection: to a file made by `create_tables`.
        layer: the table.
        srs_id: `WGS84` or `PIXEL_SPACE`.
    """
    known = [geometry.bounds for geometry in layer.geometries if geometry is not None]
    west, south, east, north = zip(*known, strict=True) if known else ((), (), (), ())
    extent = (min(west), min(south), max(east), max(north)) if known else (None,) * 4
    connection.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, min_x, min_y, "
        "max_x, max_y, srs_id) VALUES (?, 'features', ?, ?, ?, ?, ?, ?, ?)",
        (layer.name, layer.name, layer.description, *extent, srs_id),
    )
    typed = "".join(f', "{name}" {_SQL_TYPES[kind]}' for name, kind in layer.columns.items())
    connection.execute(
        f'CREATE TABLE "{layer.name}" (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, '
        f"geom {layer.geometry_type}{typed})"
    )
    connection.execute(
        "INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', ?, ?, 0, 0)",
        (layer.name, layer.geometry_type, srs_id),
    )
    marks = ", ".join("?" * (1 + len(layer.columns)))
    names = "".join(f', "{name}"' for name in layer.columns)
    connection.executemany(
        f'INSERT INTO "{layer.name}" (geom{names}) VALUES ({marks})',
        [
            (_blob(geometry, srs_id), *(row[name] for name in layer.columns))
            for row, geometry in zip(layer.rows, layer.geometries, strict=True)
        ],
    )
    connection.execute(
        "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, "
        "f_geometry_column, styleName, styleQML, styleSLD, useAsDefault, description, owner) "
        "VALUES ('', '', ?, 'geom', 'significance', ?, '', 1, 'levels of significance', '')",
        (layer.name, layer.qml),
    )


def add_metadata(connection: sqlite3.Connection, value: Any) -> None:  # noqa: ANN401 - any JSON
    """Add a JSON value as metadata of the whole file."""
    added = connection.execute(
        "INSERT INTO gpkg_metadata (md_scope, md_standard_uri, mime_type, metadata) "
        "VALUES ('dataset', ?, 'application/json', ?)",
        (_METADATA_STANDARD, json.dumps(value, ensure_ascii=False, allow_nan=False)),
    )
    connection.execute(
        "INSERT INTO gpkg_metadata_reference (reference_scope, md_file_id) "
        "VALUES ('geopackage', ?)",
        (added.lastrowid,),
    )


def _blob(geometry: "BaseGeometry | None", srs_id: int) -> bytes | None:
    """A geometry in the binary format of GeoPackages: header, bounding box, little-endian WKB."""
    import shapely

    if geometry is None:
        return None
    west, south, east, north = geometry.bounds
    header = struct.pack("<2sBBi4d", b"GP", 0, 0b011, srs_id, west, east, south, north)
    wkb: bytes = shapely.to_wkb(geometry, byte_order=1, include_srid=False)
    return header + wkb
