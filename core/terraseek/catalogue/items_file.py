"""The file of the items table, which is replaced as a whole or not at all.

`items.parquet` is GeoParquet 1.1 (https://geoparquet.org/releases/v1.1.0) with one row per item and
a WKB point, null where the location is unknown. The list of sources is stored in the metadata of
the same file, so that one rename replaces both; `catalogue.json` beside it is a copy for people.

Rows that were added to a large catalogue are in further files of this format, see `parts`.
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
from terraseek.catalogue.items import COLUMNS, DELETED, FILE_COLUMNS, set_types
from terraseek.catalogue.parts.manifest import (
    PARTS_FILE,
    Part,
    Parts,
    read_deleted,
    read_parts,
    remove_unlisted,
)
from terraseek.checksums import block_checksums, damaged_block
from terraseek.errors import CatalogueError
from terraseek.files import atomic_path, read_json, write_json

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = [
    "ITEMS_FILE",
    "fitted",
    "items_digest",
    "open_items",
    "read_items",
    "read_sources",
    "verify_items",
    "write_items",
    "write_table",
]

ITEMS_FILE = "items.parquet"
FORMAT = 1
"""Version of the items table; tables before it was written count as 1."""

ROW_GROUP = 1 << 17
"""Rows of a row group of the file, which are in memory at a time while it is written."""

_log = logging.getLogger(__name__)
_METADATA_KEY = b"terraseek"
_ATTEMPTS = 3
_EMPTY = {"large_string": "", "int8": 0}
"""Value of a cell that a part lacks, by type; null for numbers."""


def write_items(folder: Path, items: "pd.DataFrame | pa.Table", sources: dict[str, Any]) -> None:
    """Replace the items table of a catalogue as a whole.

    Temporary files of a killed process are removed, so the caller must hold the lock.

    Args:
        folder: folder of the catalogue.
        items: a typed table, as `items.build_frame` or `read_items` returns it, or in Arrow, as
            `importing.writing.item_spool.ItemSpool.table` does.
        sources: source name to its description (JSON values).
    """
    for temporary in folder.glob(f".{ITEMS_FILE}.*"):
        temporary.unlink()
    digest = write_table(folder, ITEMS_FILE, items, sources)
    remove_unlisted(folder, None)  # void, because the new file has all rows
    remove_stale(folder, digest)


def write_table(
    folder: Path, name: str, items: "pd.DataFrame | pa.Table", sources: dict[str, Any]
) -> str:
    """Write a table of items as Parquet, with its columns file and checksums.

    Returns:
        Digest of the columns.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    is_arrow = isinstance(items, pa.Table)
    table: pa.Table = items if is_arrow else pa.Table.from_pandas(items, preserve_index=False)
    digest = write_columns(folder, table)
    described = json.dumps(
        {"format": FORMAT, "sources": sources, "columns": digest}, ensure_ascii=False
    )
    lonlat = [table[axis].to_numpy() for axis in ("lon", "lat")]
    metadata = {
        **(table.schema.metadata or {}),
        b"geo": json.dumps(_geo(*lonlat)).encode(),
        _METADATA_KEY: described.encode(),
    }
    schema = _file_part(table.slice(0, 0), metadata).schema
    with atomic_path(folder / name) as part:
        with pq.ParquetWriter(part, schema, compression="zstd", write_page_checksum=True) as writer:
            for start in range(0, max(1, len(table)), ROW_GROUP):
                block = table.slice(start, ROW_GROUP)
                writer.write_table(_file_part(block, metadata), row_group_size=ROW_GROUP)
        # before the rename: a killed process leaves at most a file that belongs to no table
        write_json(items_checksum_file(folder, digest), block_checksums(part))
    return digest


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
        digest = str(_metadata(file).get("columns"))
    parts = read_parts(folder, digest)
    files = {ITEMS_FILE: digest} | {part.file: part.columns for part in _listed(parts)}
    for name, columns in files.items():
        path = items_checksum_file(folder, columns)
        if path.is_file():
            block = damaged_block(block_checksums(folder / name), read_json(path))
            if block is not None:
                why = ValueError(f"block {block} has changed since it was written")
                raise _damaged(folder, why, name)


def _listed(parts: Parts | None) -> tuple[Part, ...]:
    return () if parts is None else parts.parts


def items_digest(folder: Path) -> str | None:
    """Digest of the columns of `items.parquet`; None for catalogues made before there was one."""
    with _open(folder) as file:
        digest: str | None = _metadata(file).get("columns")
        return digest


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
        frame = _read(file, folder)
        parts = read_parts(folder, _metadata(file).get("columns"))
    if parts is None:
        return frame
    frames = [frame]
    for part in parts.parts:
        with _open(folder, part.file) as file:
            frames.append(_read(file, folder, part.file))
    whole = set_types(pd.concat(frames, ignore_index=True), written=True)
    marks = read_deleted(folder, parts, len(whole))
    if marks is not None:
        whole = whole.drop(columns=DELETED, errors="ignore")
        if marks.any():
            whole[DELETED] = marks.astype("int8")
    return whole


def open_items(folder: Path) -> "tuple[pa.Table, dict[str, Any]]":
    """Memory-map the columns of the items and read the descriptions of the sources.

    The columns include `columns.ROW_ORDER`, in each chunk the order of its rows.

    Raises:
        CatalogueError: the file is damaged or lacks a column.
    """
    for _ in range(_ATTEMPTS):
        with _open(folder) as file:
            metadata = _metadata(file)
            parts = read_parts(folder, metadata.get("columns"))
            table = _mapped_or_read(folder, file, ITEMS_FILE)
        if parts is None:
            return table, metadata.get("sources", {})
        try:
            return _with_parts(folder, table, parts), parts.sources
        except FileNotFoundError:  # replaced by a list of other parts since it was read
            continue
    raise _damaged(folder, FileNotFoundError("a file of its parts is missing"), PARTS_FILE)


def _mapped_or_read(folder: Path, file: "pq.ParquetFile", name: str) -> "pa.Table":
    digest = _metadata(file).get("columns")
    table = None if digest is None else map_columns(folder, digest, file.metadata.num_rows)
    if table is None:
        return _rebuild_columns(folder, _read(file, folder, name), digest)
    return table


def _with_parts(folder: Path, table: "pa.Table", parts: Parts) -> "pa.Table":
    """Append the parts to the mapped columns, without a copy, and add the deletion marks."""
    import pyarrow as pa

    tables = [table]
    for part in parts.parts:
        with _open(folder, part.file) as file:
            found = _mapped_or_read(folder, file, part.file)
        part_table = fitted(found, table.schema)
        if part_table is None:
            raise _damaged(folder, ValueError("its columns are not those of the table"), part.file)
        tables.append(part_table)
    whole = pa.concat_tables(tables)
    marks = read_deleted(folder, parts, whole.num_rows)
    if marks is None:
        return whole
    if DELETED in whole.column_names:
        whole = whole.drop_columns(DELETED)
    return whole.append_column(DELETED, pa.array(marks.astype(np.int8))) if marks.any() else whole


def fitted(table: "pa.Table", schema: "pa.Schema") -> "pa.Table | None":
    """Give a table the columns of another one, empty where it lacks them.

    Returns:
        The table, or None if a column is not in the schema or has values of another type.
    """
    import pyarrow as pa

    if set(table.column_names) - set(schema.names):
        return None
    columns = []
    for field in schema:
        cells = table[field.name] if field.name in table.column_names else None
        if cells is None or (cells.type != field.type and _is_empty(cells)):
            one = pa.array([_EMPTY.get(str(field.type))], field.type)
            cells = one.take(pa.array(np.zeros(len(table), np.int64)))
        elif pa.types.is_float64(field.type) and pa.types.is_int64(cells.type):
            cells = cells.cast(field.type)
        elif cells.type != field.type:
            return None
        columns.append(cells)
    return pa.table(columns, schema=schema)


def _is_empty(cells: "pa.ChunkedArray") -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_large_string(cells.type):
        return not pc.any(pc.not_equal(cells, "")).as_py()
    return bool(cells.null_count == len(cells))


def read_sources(folder: Path) -> dict[str, Any]:
    """Read the descriptions of the imported sources, by source name."""
    with _open(folder) as file:
        metadata = _metadata(file)
    parts = read_parts(folder, metadata.get("columns"))
    sources: dict[str, Any] = metadata.get("sources", {}) if parts is None else parts.sources
    return sources


def _open(folder: Path, name: str = ITEMS_FILE) -> "pq.ParquetFile":
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(folder / name, page_checksum_verification=True)
        found = _metadata(file).get("format", FORMAT)
    except (FileNotFoundError, PermissionError):
        raise
    except (OSError, ValueError, AttributeError, pa.ArrowException) as error:
        raise _damaged(folder, error, name) from error
    if found != FORMAT:
        file.close()
        raise CatalogueError(
            f"{folder / name} has format {found!r}, this TerraSeek reads {FORMAT}; update TerraSeek"
        )
    return file


def _read(file: "pq.ParquetFile", folder: Path, name: str = ITEMS_FILE) -> pd.DataFrame:
    import pyarrow as pa

    names = [n for n in file.schema_arrow.names if n != "geometry"]
    try:
        frame = file.read(columns=names).to_pandas()
    except (
        OSError,
        ValueError,
        pa.ArrowException,
    ) as error:  # OSError: a page with a wrong checksum
        raise _damaged(folder, error, name) from error
    missing = [c for c in (*COLUMNS, *FILE_COLUMNS) if c not in frame]
    if missing:
        raise CatalogueError(
            f"{folder / name} lacks the columns {missing}; it was not made by TerraSeek"
        )
    return set_types(frame, written=True)


def _damaged(folder: Path, error: Exception, name: str = ITEMS_FILE) -> CatalogueError:
    return CatalogueError(f"{folder / name} is damaged ({error}); import the sources again")


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
