"""The items table written again with another column or without some rows, and not read into memory.

Columns that stay as they are keep their memory-mapped file. Others are copied to files of the
catalogue's folder first: text block by block, numbers a column at a time.
"""

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int64

from terraseek.catalogue.columns import ROW_ORDER
from terraseek.catalogue.importing.writing.column_files import TextColumn
from terraseek.catalogue.importing.writing.item_spool import pandas_metadata
from terraseek.catalogue.items import DELETED, FILE_COLUMNS
from terraseek.catalogue.items_file import open_items, write_items

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["keep_rows", "replace_column", "text_of_rows"]

_PREFIX = ".import.rewrite."
"""Leftovers of a killed process are removed by the next import, too."""
_BLOCK = 1 << 16


def replace_column(folder: Path, name: str, values: "pa.Array | None") -> None:
    """Write the items with one column replaced, added before those of the files, or removed.

    The caller holds the lock of the catalogue. One rename replaces the table.

    Args:
        folder: folder of the catalogue.
        name: name of the column.
        values: one per row, in the order of the rows, deleted ones too; None removes the column.
    """
    table, sources = open_items(folder)
    place = table.column_names.index(FILE_COLUMNS[0])
    if name in table.column_names:
        place = table.column_names.index(name)
        table = table.drop_columns(name)
    if values is not None:
        table = table.add_column(place, name, values)
    _write(folder, table, sources, np.ones(table.num_rows, bool))


def keep_rows(folder: Path, kept: Bool[np.ndarray, " rows"]) -> None:
    """Write the items without some rows and without deletion marks; see `replace_column`."""
    table, sources = open_items(folder)
    if DELETED in table.column_names:
        table = table.drop_columns(DELETED)
    _write(folder, table, sources, kept)


def text_of_rows(
    texts: "np.ndarray", rows: Int64[np.ndarray, " m"], values: Int64[np.ndarray, " m"]
) -> "pa.LargeStringArray":
    """A column of text that is empty but for some rows.

    Args:
        texts: ids as `S12`, of all rows.
        rows: rows that get a text, in ascending order.
        values: for each of them the row whose id it gets.
    """
    import pyarrow as pa

    lengths = np.zeros(len(texts) + 1, np.int64)
    lengths[1 + rows] = texts.itemsize
    data = np.ascontiguousarray(texts[values]).tobytes()
    offsets = pa.py_buffer(np.cumsum(lengths).tobytes())
    return pa.LargeStringArray.from_buffers(len(texts), offsets, pa.py_buffer(data))


def _write(
    folder: Path, table: "pa.Table", sources: dict[str, object], kept: Bool[np.ndarray, " rows"]
) -> None:
    import pyarrow as pa

    for stale in folder.glob(f"{_PREFIX}*"):  # of a killed process
        shutil.rmtree(stale, ignore_errors=True)
    with tempfile.TemporaryDirectory(
        prefix=_PREFIX, dir=folder, ignore_cleanup_errors=True
    ) as temporary:
        whole = bool(kept.all())
        arrays = {}
        for number, name in enumerate(table.column_names):
            cells = table[name]
            if name == ROW_ORDER:
                continue
            if not (whole and cells.num_chunks == 1):
                cells = _copied(cells, kept, Path(temporary) / str(number))
            arrays[name] = cells
        rewritten = pa.table(arrays)
        write_items(folder, rewritten.replace_schema_metadata(pandas_metadata(rewritten)), sources)


def _copied(
    cells: "pa.ChunkedArray", kept: Bool[np.ndarray, " rows"], path: Path
) -> "pa.Array | pa.ChunkedArray":
    """The kept cells as one mapped array."""
    import pyarrow as pa

    if pa.types.is_large_string(cells.type):
        column = TextColumn(path)
        for start in range(0, len(cells), _BLOCK):
            block = cells.slice(start, _BLOCK).combine_chunks()
            column.append(block.filter(pa.array(kept[start : start + _BLOCK])))
        return column.array()
    chosen = cells.filter(pa.array(kept)).combine_chunks()
    batch = pa.record_batch([chosen], ["cells"])
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, batch.schema) as out:
        out.write_batch(batch)
    mapped: pa.ChunkedArray = pa.ipc.open_file(pa.memory_map(str(path), "r")).read_all()["cells"]
    return mapped
