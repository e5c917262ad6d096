"""The items once more as uncompressed columns, mapped: opened at once, read where they are asked.

`.items.DIGEST.arrow` beside `items.parquet` is an Arrow file of one batch, so that a column is one
stretch of the file and a row costs a few pages of it. The digest is that of its first writing and
stands in the metadata of the Parquet file, which stays the only truth: a file whose name fits holds
these very items, and where there is none it is made again, or, where nothing can be written, held
in memory.
"""

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

from terraseek.files import atomic_path, sha256_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = [
    "SORTED",
    "columns_file",
    "drop_others",
    "ids_of",
    "map_columns",
    "table_of",
    "write_columns",
]

SORTED = "_sorted"
"""Column of the numbers of the rows in the order of their ids, by which an id is looked up."""
_DIGITS = 16
_UNNAMED = "new"


def table_of(frame: "pd.DataFrame") -> "pa.Table":
    """A typed items table with the order of its ids, every column in one piece."""
    import pyarrow as pa

    table: pa.Table = pa.Table.from_pandas(frame, preserve_index=False)
    order = _order(frame["item_id"].to_numpy(dtype="S12"))
    return table.append_column(SORTED, pa.array(order.astype(np.int32))).combine_chunks()


def _order(ids: np.ndarray) -> Int64[np.ndarray, " rows"]:
    """Rows by rising id; two integers of an id are sorted several times as fast as its letters."""
    words = np.zeros((len(ids), 16), np.uint8)
    words[:, :12] = np.ascontiguousarray(ids).view(np.uint8).reshape(len(ids), 12)
    high, low = words.view(">u8").astype(np.uint64).T
    order: Int64[np.ndarray, " rows"] = np.lexsort((low, high)).astype(np.int64)
    return order


def columns_file(folder: Path, digest: str) -> Path:
    """Where the columns of these items are, or would be; hidden, since nobody need keep it."""
    return folder / f".items.{digest}.arrow"


def write_columns(folder: Path, frame: "pd.DataFrame", digest: str | None = None) -> str:
    """Write the columns of a typed table, whole or not at all, and return their digest.

    Args:
        folder: the catalogue.
        frame: as `items.read_items` gives it.
        digest: what the Parquet file calls them, if they are made again.
    """
    import pyarrow as pa

    table = table_of(frame)
    first = columns_file(folder, digest or _UNNAMED)
    with (
        atomic_path(first) as part,
        pa.OSFile(str(part), "wb") as file,
        pa.ipc.new_file(file, table.schema) as out,
    ):
        out.write_table(table)
    if digest is None:
        digest = sha256_of(first)[:_DIGITS]
        os.replace(first, columns_file(folder, digest))
    return digest


def map_columns(folder: Path, digest: str, rows: int) -> "pa.Table | None":
    """The columns, mapped; None if they are not there, not readable, or not of so many rows."""
    import pyarrow as pa

    try:
        # the table holds the map; a file that is replaced or removed stays as it was for it
        mapped = pa.memory_map(str(columns_file(folder, digest)), "r")
        table = pa.ipc.open_file(mapped).read_all()
    except (OSError, pa.ArrowException):
        return None
    return table if table.num_rows == rows else None


def drop_others(folder: Path, digest: str) -> None:
    """Remove the columns of earlier items; whoever has them mapped goes on with them."""
    for path in (*folder.glob(".items.*.arrow"), *folder.glob("..items.*.arrow")):
        if path != columns_file(folder, digest):
            with contextlib.suppress(OSError):  # Windows keeps what is mapped
                path.unlink()


def ids_of(column: "pa.ChunkedArray") -> np.ndarray:
    """Ids as `S12`; where each has twelve letters, as all of ours, their memory is not copied."""
    import pyarrow as pa

    if column.num_chunks == 1 and pa.types.is_large_string(column.type):
        ids = column.chunk(0)
        _, offsets, letters = ids.buffers()
        ends = np.frombuffer(offsets, np.int64, len(ids) + 1, 8 * ids.offset)
        if letters is not None and (np.diff(ends) == 12).all():
            return np.frombuffer(letters, "S12", len(ids), int(ends[0]))
    return np.array(column.to_pylist(), "S12")
