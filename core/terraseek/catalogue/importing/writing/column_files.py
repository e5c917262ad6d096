"""Columns of a table in files that grow: numbers as float64, text as bytes and offsets.

Each append opens and closes the files, because a table may have more columns than a process may
have open files. The finished columns are memory-mapped Arrow arrays without chunks.
"""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64, Int64

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["NumberColumn", "TextColumn"]

_BLOCK = 1 << 16


class NumberColumn:
    """A column of numbers; NaN where a row has none."""

    def __init__(self, path: Path) -> None:
        """Start an empty column in a file that does not exist yet."""
        self.path = path
        self.rows = 0
        path.touch()

    def append(self, values: Float64[np.ndarray, " n"]) -> None:
        """Append values."""
        with self.path.open("ab") as file:
            file.write(np.ascontiguousarray(values, np.float64).data)
        self.rows += len(values)

    def pad(self, rows: int) -> None:
        """Append NaN until there are this many rows."""
        while self.rows < rows:
            self.append(np.full(min(rows - self.rows, _BLOCK), np.nan))

    def extend(self, other: "NumberColumn") -> None:
        """Append another column."""
        with self.path.open("ab") as file, other.path.open("rb") as source:
            shutil.copyfileobj(source, file)
        self.rows += other.rows

    def set(self, rows: Int64[np.ndarray, " m"], values: Float64[np.ndarray, " m"]) -> None:
        """Replace the values of some rows."""
        if len(rows):
            mapped = np.memmap(self.path, np.float64, "r+")
            mapped[rows] = values
            mapped.flush()

    def array(self) -> "pa.Array":
        """The column, mapped; NaN is null."""
        import pyarrow as pa

        if not self.rows:
            return pa.array([], pa.float64())
        # from_pandas: NaN becomes null, without a copy of the values
        return pa.array(np.memmap(self.path, np.float64, "r"), from_pandas=True)


class TextColumn:
    """A column of text; empty where a row has none."""

    def __init__(self, path: Path) -> None:
        """Start an empty column in two files that do not exist yet: `path` and `path.offsets`."""
        self.path = path
        self.offsets_path = path.with_name(f"{path.name}.offsets")
        self.rows = 0
        self._end = 0
        path.touch()
        self.offsets_path.write_bytes(np.zeros(1, np.int64).tobytes())

    def append(self, values: "pa.Array") -> None:
        """Append text of Arrow's type `large_string`; null is empty."""
        import pyarrow as pa

        if values.null_count:
            values = values.fill_null("")
        if not len(values):
            return
        _, offset_buffer, data = values.buffers()
        offsets = np.frombuffer(offset_buffer, np.int64)[values.offset :][: len(values) + 1]
        start, end = int(offsets[0]), int(offsets[-1])
        with self.path.open("ab") as file:
            file.write((data or pa.py_buffer(b""))[start:end])
        self._append_offsets(offsets[1:] - start)
        self._end += end - start
        self.rows += len(values)

    def _append_offsets(self, ends: Int64[np.ndarray, " n"]) -> None:
        with self.offsets_path.open("ab") as file:
            file.write(np.ascontiguousarray(ends + self._end).data)

    def pad(self, rows: int) -> None:
        """Append empty text until there are this many rows."""
        while self.rows < rows:
            count = min(rows - self.rows, _BLOCK)
            self._append_offsets(np.zeros(count, np.int64))
            self.rows += count

    def extend(self, other: "TextColumn") -> None:
        """Append another column."""
        with self.path.open("ab") as file, other.path.open("rb") as source:
            shutil.copyfileobj(source, file)
        ends = np.memmap(other.offsets_path, np.int64, "r")[1:]
        for start in range(0, other.rows, _BLOCK):
            self._append_offsets(np.asarray(ends[start : start + _BLOCK]))
        self._end += other._end
        self.rows += other.rows

    def array(self) -> "pa.Array":
        """The column, mapped."""
        import pyarrow as pa

        data = _mapped(self.path) if self._end else pa.py_buffer(b"")
        offsets = _mapped(self.offsets_path)
        return pa.LargeStringArray.from_buffers(self.rows, offsets, data)


def _mapped(path: Path) -> "pa.Buffer":
    import pyarrow as pa

    with pa.memory_map(str(path), "r") as file:
        return file.read_buffer()
