"""The items table: its columns, their types, and its file, which appears whole or not at all.

`items.parquet` is GeoParquet 1.1 (https://geoparquet.org/releases/v1.1.0): one row an item and a
WKB point, null where the place is unknown. The list of sources travels in the metadata of the same
file, so that one rename changes both; `catalogue.json` beside it is a copy for people.
"""

import json
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from terraseek.catalogue.columns import SORTED, drop_others, map_columns, table_of, write_columns
from terraseek.errors import CatalogueError
from terraseek.files import atomic_path

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = [
    "COLUMNS",
    "DELETED",
    "FILE_COLUMNS",
    "HIDDEN",
    "ITEMS_FILE",
    "build_frame",
    "combine",
    "open_items",
    "read_items",
    "read_sources",
    "write_items",
]

ITEMS_FILE = "items.parquet"
COLUMNS = (
    "item_id",
    "image",
    "caption",
    "lon",
    "lat",
    "location_precision",
    "captured_at",
    "gsd_m",
    "source",
    "label",
)
"""Columns every catalogue has, in this order. Text is never missing but may be empty; numbers may
be NaN. `lon`, `lat`: degrees EPSG:4326; `gsd_m`: metres a pixel; `captured_at`: ISO 8601."""
FILE_COLUMNS = ("_file", "_offset", "_size")
"""Where the bytes are: absolute path, first byte, length in bytes (-1: to the end)."""

DELETED = "_deleted"
"""1 in rows that were deleted; they keep their place, and with it their vectors, until the
catalogue is compacted. The column is there only while there are such rows."""
HIDDEN = (*FILE_COLUMNS, DELETED, SORTED)
"""Columns nobody is shown."""

_log = logging.getLogger(__name__)
_FLOATS = ("lon", "lat", "gsd_m")
_INTEGERS = ("month", "width", "height", "_offset", "_size")
_KEY = b"terraseek"
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d+)?")


def build_frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """A typed table out of rows that may have different columns; unknown columns are kept."""
    frame = pd.DataFrame.from_records(rows)
    for column in (*COLUMNS, *FILE_COLUMNS):
        if column not in frame:
            frame[column] = None
    return _typed(frame)


def combine(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """`new` below `old`; a column that is numeric in one and text in the other becomes text."""
    if old.empty:
        return new
    return _typed(pd.concat([old.astype(object), new.astype(object)], ignore_index=True))


def _typed(frame: pd.DataFrame, written: bool = False) -> pd.DataFrame:
    """Columns in their order, each of one type; `written`: types are right, empty text is null."""
    others = [c for c in frame.columns if c not in COLUMNS and c not in HIDDEN]
    column = _written_column if written else _column
    typed = {c: column(c, frame[c]) for c in (*COLUMNS, *others, *FILE_COLUMNS)}
    if DELETED in frame:
        typed[DELETED] = frame[DELETED].fillna(0).astype("int8")
    return pd.DataFrame(typed)


def _column(name: str, values: pd.Series) -> pd.Series:
    if name in _FLOATS:
        return pd.to_numeric(values, errors="coerce").astype("float64")
    if name in _INTEGERS:
        numbers = pd.to_numeric(values, errors="coerce").replace([np.inf, -np.inf], np.nan)
        return numbers.round().astype("Int64")
    if name in COLUMNS or name == "_file":
        return _text(values)
    present = values.dropna()
    present = present[present.astype("str") != ""]
    if len(present) and present.map(_is_number).all():
        numbers = pd.to_numeric(values, errors="coerce").astype("float64")
        whole = numbers.dropna()
        exact = (whole == whole.round()) & (whole.abs() < 2**53)
        return numbers.astype("Int64") if exact.all() else numbers
    return _text(values)


def _written_column(name: str, values: pd.Series) -> pd.Series:
    """Text and numbers as they were typed once; only what has no type of its own is looked at."""
    if isinstance(values.dtype, pd.StringDtype):
        return values.fillna("")
    return values if pd.api.types.is_numeric_dtype(values) else _column(name, values)


def _is_number(value: object) -> bool:
    """Numbers, and text that is written like one; `0012` and `32U` are names."""
    if isinstance(value, bool):
        return False
    if isinstance(value, (int, float, np.number)):
        return True
    return isinstance(value, str) and _NUMBER.fullmatch(value) is not None


def _text(values: pd.Series) -> pd.Series:
    plain = values.map(_as_text, na_action="ignore")
    return plain.astype("str").where(values.notna(), "")


def _as_text(value: object) -> str:
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def write_items(folder: Path, frame: pd.DataFrame, sources: dict[str, Any]) -> None:
    """Replace the items table of a catalogue, whole or not at all.

    Parts that a killed process left behind are removed, so the caller must hold the lock.

    Args:
        folder: the catalogue.
        frame: a table `build_frame` or `combine` made.
        sources: name of each source to what is known about it (JSON values).
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    for left in folder.glob(f".{ITEMS_FILE}.*"):
        left.unlink()
    digest = write_columns(folder, frame)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    for index, column in enumerate(table.schema.names):
        if column != "caption" and pd.api.types.is_string_dtype(frame[column]):
            empty = frame[column] == ""
            cells = pa.array(frame[column].mask(empty, None), table.schema.field(index).type)
            table = table.set_column(index, column, cells)
    table = table.append_column("geometry", pa.array(_points(frame), pa.binary()))
    metadata = {
        **(table.schema.metadata or {}),
        b"geo": json.dumps(_geo(frame)).encode(),
        _KEY: json.dumps({"sources": sources, "columns": digest}, ensure_ascii=False).encode(),
    }
    with atomic_path(folder / ITEMS_FILE) as part:
        pq.write_table(table.replace_schema_metadata(metadata), part, compression="zstd")
    drop_others(folder, digest)


def _points(frame: pd.DataFrame) -> list[bytes | None]:
    import shapely

    lon, lat = frame["lon"].to_numpy(), frame["lat"].to_numpy()
    known = np.isfinite(lon) & np.isfinite(lat)
    cells: list[bytes | None] = [None] * len(frame)
    wkb = shapely.to_wkb(shapely.points(lon[known], lat[known]))
    for row, value in zip(np.flatnonzero(known), wkb, strict=True):
        cells[row] = value
    return cells


def _geo(frame: pd.DataFrame) -> dict[str, Any]:
    """GeoParquet's file metadata; without `crs` the CRS is OGC:CRS84, longitude first."""
    column: dict[str, Any] = {"encoding": "WKB", "geometry_types": ["Point"]}
    known = frame.loc[frame["lon"].notna() & frame["lat"].notna(), ["lon", "lat"]]
    if len(known):
        low, high = known.min(), known.max()
        column["bbox"] = [*map(float, low), *map(float, high)]
    return {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}


def read_items(folder: Path) -> pd.DataFrame:
    """The items table without its geometry; row order is the order of import.

    Raises:
        CatalogueError: the file is damaged or lacks a column.
    """
    with _opened(folder) as file:
        return _read(file, folder)


def open_items(folder: Path) -> "tuple[pa.Table, dict[str, Any]]":
    """The items as mapped columns, `SORTED` among them, and what is known about the sources.

    Raises:
        CatalogueError: the file is damaged or lacks a column.
    """
    with _opened(folder) as file:
        known = _known(file)
        digest = known.get("columns")
        table = None if digest is None else map_columns(folder, digest, file.metadata.num_rows)
        if table is None:
            table = _made_again(folder, _read(file, folder), digest)
    return table, known.get("sources", {})


def read_sources(folder: Path) -> dict[str, Any]:
    """What was imported, by source name, out of the metadata of the items file."""
    with _opened(folder) as file:
        sources: dict[str, Any] = _known(file).get("sources", {})
        return sources


def _opened(folder: Path) -> "pq.ParquetFile":
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(folder / ITEMS_FILE)
    except pa.ArrowException as error:
        raise _damaged(folder, error) from error


def _read(file: "pq.ParquetFile", folder: Path) -> pd.DataFrame:
    import pyarrow as pa

    names = [n for n in file.schema_arrow.names if n != "geometry"]
    try:
        frame = file.read(columns=names).to_pandas()
    except pa.ArrowException as error:
        raise _damaged(folder, error) from error
    missing = [c for c in (*COLUMNS, *FILE_COLUMNS) if c not in frame]
    if missing:
        raise CatalogueError(
            f"{folder / ITEMS_FILE} lacks the columns {missing}; it was not made by TerraSeek"
        )
    return _typed(frame, written=True)


def _damaged(folder: Path, error: Exception) -> CatalogueError:
    return CatalogueError(f"{folder / ITEMS_FILE} is damaged ({error}); import the sources again")


def _known(file: "pq.ParquetFile") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((file.schema_arrow.metadata or {}).get(_KEY, b"{}"))
    return found


def _made_again(folder: Path, frame: pd.DataFrame, digest: str | None) -> "pa.Table":
    """Columns of a catalogue that has none: written for the next time, where that is possible."""
    if digest is not None:
        try:
            write_columns(folder, frame, digest)
        except OSError as error:
            _log.info("the columns of %s stay in memory: %s", folder, error)
        table = map_columns(folder, digest, len(frame))
        if table is not None:
            return table
    return table_of(frame)
