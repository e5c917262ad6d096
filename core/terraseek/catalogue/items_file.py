"""The file of the items table, which is replaced as a whole or not at all.

`items.parquet` is GeoParquet 1.1 (https://geoparquet.org/releases/v1.1.0) with one row per item and
a WKB point, null where the location is unknown. The list of sources is stored in the metadata of
the same file, so that one rename replaces both; `catalogue.json` beside it is a copy for people.
"""

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from terraseek.catalogue.columns import (
    arrow_table,
    items_checksum_file,
    map_columns,
    remove_stale,
    write_columns,
)
from terraseek.catalogue.items import COLUMNS, FILE_COLUMNS, set_types
from terraseek.checksums import block_checksums, damaged_block
from terraseek.errors import CatalogueError
from terraseek.files import atomic_path, read_json, write_json

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = ["ITEMS_FILE", "open_items", "read_items", "read_sources", "verify_items", "write_items"]

ITEMS_FILE = "items.parquet"
FORMAT = 1
"""Version of the items table; tables before it was written count as 1."""

ROW_GROUP = 1 << 17
"""Rows of a row group of the file, which are in memory at a time while it is written."""

_log = logging.getLogger(__name__)
_METADATA_KEY = b"terraseek"


def write_items(folder: Path, items: "pd.DataFrame | pa.Table", sources: dict[str, Any]) -> None:
    """Replace the items table of a catalogue as a whole.

    Temporary files of a killed process are removed, so the caller must hold the lock.

    Args:
        folder: folder of the catalogue.
        items: a typed table, as `items.build_frame` or `read_items` returns it, or in Arrow, as
            `importing.writing.item_spool.ItemSpool.table` does.
        sources: source name to its description (JSON values).
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    for temporary in folder.glob(f".{ITEMS_FILE}.*"):
        temporary.unlink()
    is_arrow = isinstance(items, pa.Table)
    table: pa.Table = items if is_arrow else pa.Table.from_pandas(items, preserve_index=False)
    digest = write_columns(folder, table)
    described = json.dumps(
        {"format": FORMAT, "sources": sources, "columns": digest}, ensure_ascii=False
    )
    lonlat = [table[name].to_numpy() for name in ("lon", "lat")]
    metadata = {
        **(table.schema.metadata or {}),
        b"geo": json.dumps(_geo(*lonlat)).encode(),
        _METADATA_KEY: described.encode(),
    }
    schema = _file_part(table.slice(0, 0), metadata).schema
    with atomic_path(folder / ITEMS_FILE) as part:
        with pq.ParquetWriter(part, schema, compression="zstd", write_page_checksum=True) as writer:
            for start in range(0, max(1, len(table)), ROW_GROUP):
                block = table.slice(start, ROW_GROUP)
                writer.write_table(_file_part(block, metadata), row_group_size=ROW_GROUP)
        # before the rename: a killed process leaves at most a file that belongs to no table
        write_json(items_checksum_file(folder, digest), block_checksums(part))
    remove_stale(folder, digest)


def _file_part(table: "pa.Table", metadata: dict[bytes, bytes]) -> "pa.Table":
    """Rows as they are in the file: empty text as null, but in captions, and the geometry."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for index, column in enumerate(table.schema.names):
        cells = table[column]
        if column != "caption" and pa.types.is_large_string(cells.type):
            filled = pc.if_else(pc.equal(cells, ""), pa.scalar(None, cells.type), cells)
            table = table.set_column(index, column, filled)
    lon, lat = (table[name].to_numpy() for name in ("lon", "lat"))
    table = table.append_column("geometry", pa.array(_points(lon, lat), pa.binary()))
    return table.replace_schema_metadata(metadata)


def verify_items(folder: Path) -> None:
    """Compare the file of the items with its checksums, if it has any.

    Raises:
        CatalogueError: it is damaged.
    """
    with _open(folder) as file:
        digest = _metadata(file).get("columns")
    path = items_checksum_file(folder, str(digest))
    if path.is_file():
        block = damaged_block(block_checksums(folder / ITEMS_FILE), read_json(path))
        if block is not None:
            raise _damaged(folder, ValueError(f"block {block} has changed since it was written"))


def _points(lon: np.ndarray, lat: np.ndarray) -> list[bytes | None]:
    import shapely

    known = np.isfinite(lon) & np.isfinite(lat)
    cells: list[bytes | None] = [None] * len(lon)
    wkb = shapely.to_wkb(shapely.points(lon[known], lat[known]))
    for row, value in zip(np.flatnonzero(known), wkb, strict=True):
        cells[row] = value
    return cells


def _geo(lon: np.ndarray, lat: np.ndarray) -> dict[str, Any]:
    """File metadata of GeoParquet; without `crs` the CRS is OGC:CRS84, longitude first."""
    column: dict[str, Any] = {"encoding": "WKB", "geometry_types": ["Point"]}
    known = np.isfinite(lon) & np.isfinite(lat)
    if known.any():
        x, y = lon[known], lat[known]
        column["bbox"] = [float(v) for v in (x.min(), y.min(), x.max(), y.max())]
    return {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}


def read_items(folder: Path) -> pd.DataFrame:
    """Read the items table without its geometry; rows are in the order of import.

    Raises:
        CatalogueError: the file is damaged or lacks a column.
    """
    with _open(folder) as file:
        return _read(file, folder)


def open_items(folder: Path) -> "tuple[pa.Table, dict[str, Any]]":
    """Memory-map the columns of the items and read the descriptions of the sources.

    The columns include `columns.ROW_ORDER`.

    Raises:
        CatalogueError: the file is damaged or lacks a column.
    """
    with _open(folder) as file:
        metadata = _metadata(file)
        digest = metadata.get("columns")
        table = None if digest is None else map_columns(folder, digest, file.metadata.num_rows)
        if table is None:
            table = _rebuild_columns(folder, _read(file, folder), digest)
    return table, metadata.get("sources", {})


def read_sources(folder: Path) -> dict[str, Any]:
    """Read the descriptions of the imported sources, by source name."""
    with _open(folder) as file:
        sources: dict[str, Any] = _metadata(file).get("sources", {})
        return sources


def _open(folder: Path) -> "pq.ParquetFile":
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(folder / ITEMS_FILE, page_checksum_verification=True)
        found = _metadata(file).get("format", FORMAT)
    except (FileNotFoundError, PermissionError):
        raise
    except (OSError, ValueError, AttributeError, pa.ArrowException) as error:
        raise _damaged(folder, error) from error
    if found != FORMAT:
        file.close()
        raise CatalogueError(
            f"{folder / ITEMS_FILE} has format {found!r}, this TerraSeek reads {FORMAT}; update "
            "TerraSeek"
        )
    return file


def _read(file: "pq.ParquetFile", folder: Path) -> pd.DataFrame:
    import pyarrow as pa

    names = [n for n in file.schema_arrow.names if n != "geometry"]
    try:
        frame = file.read(columns=names).to_pandas()
    except (
        OSError,
        ValueError,
        pa.ArrowException,
    ) as error:  # OSError: a page with a wrong checksum
        raise _damaged(folder, error) from error
    missing = [c for c in (*COLUMNS, *FILE_COLUMNS) if c not in frame]
    if missing:
        raise CatalogueError(
            f"{folder / ITEMS_FILE} lacks the columns {missing}; it was not made by TerraSeek"
        )
    return set_types(frame, written=True)


def _damaged(folder: Path, error: Exception) -> CatalogueError:
    return CatalogueError(f"{folder / ITEMS_FILE} is damaged ({error}); import the sources again")


def _metadata(file: "pq.ParquetFile") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((file.schema_arrow.metadata or {}).get(_METADATA_KEY, b"{}"))
    return found


def _rebuild_columns(folder: Path, frame: pd.DataFrame, digest: str | None) -> "pa.Table":
    """Make the missing columns file again; keep the columns in memory if it cannot be written."""
    if digest is not None:
        try:
            write_columns(folder, frame, digest)
        except OSError as error:
            _log.info("the columns of %s stay in memory: %s", folder, error)
        table = map_columns(folder, digest, len(frame))
        if table is not None:
            return table
    return arrow_table(frame)
