"""Memory-mapped copy of the items, which opens at once and is read only where it is accessed.

`.items.DIGEST.arrow` beside `items.parquet` is an uncompressed Arrow file of one batch, so that a
column is contiguous and reading a row touches a few pages. The digest is the SHA-256 of its first
version and is stored in the metadata of the Parquet file, which is the authoritative copy: a file
with that digest in its name holds the same items. A missing file is written again, or kept in
memory if the folder is read-only.
"""

import contextlib
import os
from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int32, Int64

from terraseek.checksums import BlockCheck, block_checksums, damaged_block, small_enough
from terraseek.errors import CatalogueError
from terraseek.files import atomic_path, read_json, sha256_of, write_json

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = [
    "ROW_ORDER",
    "RowsById",
    "all_rows_by_id",
    "arrow_table",
    "check_large_columns",
    "columns_file",
    "id_array",
    "items_checksum_file",
    "map_columns",
    "raise_if_changed",
    "remove_stale",
    "write_columns",
]

ROW_ORDER = "_sorted"
"""Column of row numbers in ascending order of the item id, for a binary search of an id."""
_DIGEST_LENGTH = 16
_TEMPORARY = "new"


def arrow_table(items: "pd.DataFrame | pa.Table") -> "pa.Table":
    """Convert a typed items table to Arrow with one chunk per column, and add `ROW_ORDER`."""
    import pyarrow as pa

    is_arrow = isinstance(items, pa.Table)
    table: pa.Table = items if is_arrow else pa.Table.from_pandas(items, preserve_index=False)
    order = _order(id_array(table["item_id"].combine_chunks()))
    return table.append_column(ROW_ORDER, pa.array(order.astype(np.int32))).combine_chunks()


def _order(ids: np.ndarray) -> Int64[np.ndarray, " rows"]:
    """Rows in ascending order of id; an id as two integers sorts several times faster than text."""
    words = np.zeros((len(ids), 16), np.uint8)
    words[:, :12] = np.ascontiguousarray(ids).view(np.uint8).reshape(len(ids), 12)
    high, low = words.view(">u8").astype(np.uint64).T
    order: Int64[np.ndarray, " rows"] = np.lexsort((low, high)).astype(np.int64)
    return order


class RowsById:
    """Binary search of an item id, in each chunk of a table."""

    def __init__(self, table: "pa.Table") -> None:
        """Wrap a table with `ROW_ORDER`, whose chunks are each in memory or mapped as a whole."""
        self._chunks: list[tuple[int, np.ndarray, np.ndarray]] = []
        if not table.num_rows:
            return
        ids, orders = table["item_id"].chunks, table[ROW_ORDER].chunks
        first = 0
        for chunk, order in zip(ids, orders, strict=True):
            self._chunks.append((first, id_array(chunk), order.to_numpy()))
            first += len(chunk)

    def row(self, item_id: str) -> int | None:
        """Row of the item with this id; None if there is none."""
        key = item_id.encode(errors="replace")
        for first, ids, order in self._chunks:
            position = bisect_left(order, key, key=ids.__getitem__)
            if position < len(order) and ids[order[position]] == key:
                return first + int(order[position])
        return None


def all_rows_by_id(table: "pa.Table") -> Int32[np.ndarray, " rows"]:
    """Row numbers of a table in ascending order of item id; mapped if it has one chunk."""
    column = table[ROW_ORDER]
    if column.num_chunks <= 1:
        rows: Int32[np.ndarray, " rows"] = column.to_numpy()
        return rows
    return _order(id_array(table["item_id"])).astype(np.int32)


def columns_file(folder: Path, digest: str) -> Path:
    """Path of the columns file with this digest; hidden, because it can always be made again."""
    return folder / f".items.{digest}.arrow"


def write_columns(folder: Path, items: "pd.DataFrame | pa.Table", digest: str | None = None) -> str:
    """Write the columns of a typed table atomically and return their digest.

    Args:
        folder: folder of the catalogue.
        items: the items, as `items_file.read_items` or `open_items` returns them.
        digest: digest stored in the Parquet file, if the columns are written again.
    """
    import pyarrow as pa

    table = arrow_table(items)
    first = columns_file(folder, digest or _TEMPORARY)
    with (
        atomic_path(first) as part,
        pa.OSFile(str(part), "wb") as file,
        pa.ipc.new_file(file, table.schema) as out,
    ):
        out.write_table(table)
    checksums = block_checksums(first)
    if digest is None:
        digest = sha256_of(first)[:_DIGEST_LENGTH]
        os.replace(first, columns_file(folder, digest))
    write_json(_checksum_file(folder, digest), checksums)
    return digest


def _checksum_file(folder: Path, digest: str) -> Path:
    return columns_file(folder, digest).with_suffix(".crc.json")


def items_checksum_file(folder: Path, digest: str) -> Path:
    """Path of the checksums of the items table whose columns have this digest."""
    return columns_file(folder, digest).with_suffix(".parquet.crc.json")


def _is_damaged(folder: Path, digest: str) -> bool:
    """Whether a columns file has changed since it was written; large ones are not read for it."""
    path = columns_file(folder, digest)
    try:
        expected = read_json(_checksum_file(folder, digest))
        return small_enough(path) and damaged_block(block_checksums(path), expected) is not None
    except FileNotFoundError:
        return False  # made before there were checksums
    except (OSError, ValueError, TypeError):
        return True


def check_large_columns(folder: Path) -> list[BlockCheck]:
    """Compare the columns files that are too large for `map_columns` to do it, in the background.

    Args:
        folder: folder of the catalogue.
    """
    checks = []
    for path in folder.glob(".items.*.arrow"):
        with contextlib.suppress(OSError, ValueError):  # replaced meanwhile; without checksums
            if not small_enough(path):
                expected: list[str] = read_json(path.with_suffix(".crc.json"))
                checks.append(BlockCheck(path, expected))
    for check in checks:
        check.start()
    return checks


def raise_if_changed(checks: Iterable[BlockCheck]) -> None:
    """Check that no block of the columns in use was found to have changed.

    Raises:
        CatalogueError: one has; its file is removed, so that it is made again from the table.
    """
    for check in checks:
        if check.damaged is not None:
            with contextlib.suppress(OSError):  # Windows does not remove mapped files
                check.path.unlink(missing_ok=True)
            raise CatalogueError(
                f"{check.path} has changed since it was written (block {check.damaged}); it was "
                "removed, and is made again from items.parquet when the catalogue is opened: start "
                "the program again"
            )


def map_columns(folder: Path, digest: str, rows: int) -> "pa.Table | None":
    """Memory-map the columns; None if the file is missing, damaged or of another row count."""
    import pyarrow as pa

    if _is_damaged(folder, digest):
        return None
    try:
        # the table keeps the mapping open, also after the file is replaced or removed
        mapped = pa.memory_map(str(columns_file(folder, digest)), "r")
        table = pa.ipc.open_file(mapped).read_all()
    except (OSError, pa.ArrowException):
        return None
    return table if table.num_rows == rows else None


def remove_stale(folder: Path, *digests: str) -> None:
    """Remove columns files of earlier versions; processes that have mapped them can go on.

    Args:
        folder: folder of the catalogue.
        digests: of the files to keep.
    """
    kept = {columns_file(folder, digest) for digest in digests}
    for path in (*folder.glob(".items.*.arrow"), *folder.glob("..items.*.arrow")):
        if path not in kept:
            with contextlib.suppress(OSError):  # Windows does not remove mapped files
                path.unlink()
    kept = {_checksum_file(folder, digest) for digest in digests}
    kept |= {items_checksum_file(folder, digest) for digest in digests}
    for path in folder.glob(".items.*.crc.json"):
        if path not in kept:
            path.unlink(missing_ok=True)


def id_array(column: "pa.ChunkedArray | pa.Array") -> np.ndarray:
    """Item ids as `S12`; without a copy if all have twelve letters, as those of `item_id` have."""
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        if column.num_chunks > 1:
            return np.concatenate([id_array(chunk) for chunk in column.chunks])
        if column.num_chunks == 1:
            column = column.chunk(0)
    if isinstance(column, pa.LargeStringArray):
        ids = column
        _, offsets, text = ids.buffers()
        ends = np.frombuffer(offsets, np.int64, len(ids) + 1, 8 * ids.offset)
        if text is not None and (np.diff(ends) == 12).all():
            return np.frombuffer(text, "S12", len(ids), int(ends[0]))
    return np.array(column.to_pylist(), "S12")
