"""Rows of items on disk while they are imported, and the typed table that they make.

Memory holds one batch of rows at a time. The types of the columns are those of `items.set_types`: a
column is of numbers if every value in it is one.
"""

from collections.abc import Container
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Float64

from terraseek.catalogue.columns import ROW_ORDER
from terraseek.catalogue.importing.writing.column_files import NumberColumn, TextColumn
from terraseek.catalogue.importing.writing.packed_rows import (
    NUMBERS,
    PackedColumn,
    PackedRows,
    as_numbers,
    pack,
    pack_text,
)
from terraseek.catalogue.items import (
    COLUMNS,
    DELETED,
    FILE_COLUMNS,
    INTEGER_COLUMNS,
    NUMBER_COLUMNS,
    NUMBER_PATTERN,
    TEXT_COLUMNS,
)

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ItemSpool", "pandas_metadata"]

_BLOCK = 1 << 16
_EMPTY_OR_NUMBER = f"^({NUMBER_PATTERN})?$"


class ItemSpool:
    """Rows of items in files, one or two for each column."""

    def __init__(self, folder: Path, existing: tuple[str, ...] = ()) -> None:
        """Start an empty table.

        Args:
            folder: for the files; it must not exist.
            existing: columns of the catalogue, which keep their names.
        """
        folder.mkdir()
        self._folder = folder
        self._columns: dict[str, NumberColumn | TextColumn] = {}
        self._is_text: set[str] = set()  # columns with a value that is no number
        self._owners = {name.lower(): name for name in (*COLUMNS, *FILE_COLUMNS, *existing)}
        self._names: dict[str, str] = {}
        self._files = 0
        self.rows = 0
        """Number of rows."""

    @property
    def renamed(self) -> dict[str, str]:
        """New names of columns that differ from another one by case only, which SQL ignores."""
        return {old: new for old, new in self._names.items() if old != new}

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Append rows, which may have different columns."""
        self.append(pack(rows))

    def append(self, packed: PackedRows) -> None:
        """Append packed rows."""
        for name, cells in packed.columns.items():
            column = self._column(self._name_of(name, packed.columns))
            column.pad(self.rows)
            if isinstance(column, NumberColumn):
                column.append(_numbers(cells))
            else:
                column.append(self._texts(self._names[name], cells))
        self.rows += packed.rows

    def _name_of(self, name: str, batch: Container[str]) -> str:
        """Name of a column in the catalogue; SQL ignores case, so that `Name` may be `Name_2`."""
        if name not in self._names:
            unique, number = name, 2
            while self._owners.setdefault(unique.lower(), unique) != unique or (
                unique != name and (unique in batch or unique in self._names.values())
            ):
                unique, number = f"{name}_{number}", number + 1
            self._names[name] = unique
        return self._names[name]

    def _column(self, name: str) -> NumberColumn | TextColumn:
        if name not in self._columns:
            path = self._folder / f"{self._files}"
            self._files += 1
            self._columns[name] = NumberColumn(path) if name in NUMBERS else TextColumn(path)
        return self._columns[name]

    def _texts(self, name: str, packed: PackedColumn) -> "pa.Array":
        import pyarrow as pa
        import pyarrow.compute as pc

        cells, numeric = packed
        if not isinstance(cells, pa.LargeStringArray):  # a column of numbers that was renamed
            values = cells if isinstance(cells, list) else cells.to_pylist()
            cells, numeric = pack_text(values)
            assert isinstance(cells, pa.LargeStringArray)
        if name not in self._is_text:
            if numeric is None:
                numeric = pc.all(pc.match_substring_regex(cells, _EMPTY_OR_NUMBER)).as_py()
            if numeric is False:
                self._is_text.add(name)
        return cells

    def prepend(self, table: "pa.Table", folder: Path) -> "ItemSpool":
        """Copy the rows of a catalogue and then these, to a new folder."""
        import pyarrow as pa
        import pyarrow.compute as pc

        whole = ItemSpool(folder)
        whole._is_text, whole._names = set(self._is_text), self._names
        for name in table.column_names:
            if name == ROW_ORDER:
                continue
            column, cells = whole._column(name), table[name]
            if isinstance(column, NumberColumn):
                column.append(cells.cast(pa.float64()).to_numpy())
                continue
            is_text = pa.types.is_large_string(cells.type) and name not in COLUMNS
            if is_text and pc.any(pc.not_equal(cells, "")).as_py():
                whole._is_text.add(name)
            for start in range(0, len(cells), _BLOCK):
                block = cells.slice(start, _BLOCK).combine_chunks()
                column.append(_as_text(block))
        whole.rows = table.num_rows
        for name, added in self._columns.items():
            column = whole._column(name)
            column.pad(whole.rows)
            column.extend(added)  # type: ignore[arg-type]  # columns of a name are of one kind
        whole.rows += self.rows
        return whole

    def patch(self, changes: "ItemSpool", key: str) -> None:
        """Replace cells of some rows; empty cells of `changes` change nothing.

        Args:
            changes: rows with the columns to replace; of several for a row the last counts.
            key: column of `changes` with the row numbers.
        """
        import pyarrow as pa

        table = changes._mapped()
        if not table.num_rows:
            return
        rows = table[key].cast(pa.int64()).to_numpy()
        for name in table.column_names:
            if name == key:
                continue
            column, cells = self._column(name), table[name]
            column.pad(self.rows)
            if isinstance(column, NumberColumn):
                given = cells.is_valid().to_numpy()
                column.set(rows[given], cells.to_numpy()[given])
            else:
                self._columns[name] = self._patched(column, rows, cells)
                if name in changes._is_text:
                    self._is_text.add(name)

    def _patched(
        self, column: TextColumn, rows: np.ndarray, cells: "pa.ChunkedArray"
    ) -> TextColumn:
        import pyarrow as pa
        import pyarrow.compute as pc

        given = pc.not_equal(cells, "").to_numpy()
        source = np.arange(self.rows)
        source[rows[given]] = self.rows + np.flatnonzero(given)
        both = pa.chunked_array([column.array(), *cells.chunks])
        patched = TextColumn(self._folder / f"{self._files}")
        self._files += 1
        for start in range(0, self.rows, _BLOCK):
            block = both.take(pa.array(source[start : start + _BLOCK])).combine_chunks()
            patched.append(block)
        return patched

    def _mapped(self) -> "pa.Table":
        """The columns without their final types."""
        import pyarrow as pa

        for column in self._columns.values():
            column.pad(self.rows)
        return pa.table({name: column.array() for name, column in self._columns.items()})

    def table(self) -> "pa.Table":
        """The typed items table in the order of `items.set_types`, with mapped text columns."""
        import pyarrow as pa

        for name in (*COLUMNS, *FILE_COLUMNS):
            self._column(name)
        found = self._mapped()
        others = [n for n in found.column_names if n not in (*COLUMNS, *FILE_COLUMNS, DELETED)]
        order = [*COLUMNS, *others, *FILE_COLUMNS, *([DELETED] if DELETED in self._columns else [])]
        arrays = {name: self._typed(name, _single(found[name])) for name in order}
        table = pa.table(arrays)
        return table.replace_schema_metadata(pandas_metadata(table))

    def _typed(self, name: str, cells: "pa.Array") -> "pa.Array":
        import pyarrow as pa
        import pyarrow.compute as pc

        if name == DELETED:
            return pc.fill_null(cells, 0).cast(pa.int8())
        if name in INTEGER_COLUMNS:
            return pc.round(cells).cast(pa.int64())
        if name in self._is_text or name in (*COLUMNS, *TEXT_COLUMNS, *NUMBER_COLUMNS):
            return cells
        numbers = pc.if_else(pc.equal(cells, ""), None, cells).cast(pa.float64())
        if numbers.null_count == len(numbers):
            return cells
        whole = pc.all(
            pc.and_(pc.equal(numbers, pc.round(numbers)), pc.less(pc.abs(numbers), 2.0**53))
        )
        return numbers.cast(pa.int64()) if whole.as_py() else numbers


def pandas_metadata(table: "pa.Table") -> dict[bytes, bytes]:
    """Metadata that a table of items with these columns has when it is made of a pandas frame."""
    import pyarrow as pa

    empty = pd.DataFrame({f.name: pd.Series(dtype=_dtype(f.name, f.type)) for f in table.schema})
    metadata: dict[bytes, bytes] = pa.Table.from_pandas(empty, preserve_index=False).schema.metadata
    return metadata


def _single(cells: "pa.ChunkedArray") -> "pa.Array":
    """The one array of a mapped column; `combine_chunks` would copy it into memory."""
    return cells.chunk(0) if cells.num_chunks == 1 else cells.combine_chunks()


def _as_text(block: "pa.Array") -> "pa.Array":
    """Text of a column of numbers; whole numbers have no decimals."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_large_string(block.type):
        return block
    text = block.cast(pa.large_string())
    return pc.replace_substring_regex(text, r"\.0$", "").fill_null("")


def _numbers(packed: PackedColumn) -> Float64[np.ndarray, " n"]:
    cells = packed.cells
    return as_numbers(cells) if isinstance(cells, list) else cells.to_numpy()


def _dtype(name: str, kind: "pa.DataType") -> str:
    import pyarrow as pa

    if pa.types.is_large_string(kind):
        return "str"
    if name == DELETED:
        return "int8"
    return "Int64" if pa.types.is_integer(kind) else "float64"
