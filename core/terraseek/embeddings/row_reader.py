"""A few rows of a mapped `.npy` file, read instead of mapped.

Touching a mapped row for the first time makes the system find its page, which takes longer than
reading the row into memory of one's own; and what is read need not be given back.
"""

import os
import weakref
from pathlib import Path

import numpy as np
from jaxtyping import Int64, Shaped

__all__ = ["RowReader", "map_rows"]


class RowReader:
    """Reads rows of the file a mapped array is of, whatever becomes of the file's name."""

    def __init__(self, descriptor: int, mapped: np.memmap) -> None:
        """Read `mapped`'s rows from its open file, which is closed with this."""
        self._file = descriptor
        weakref.finalize(self, os.close, descriptor)
        self._offset, self._dtype = int(mapped.offset), mapped.dtype
        self._width = int(np.prod(mapped.shape[1:]))

    def rows(self, rows: Int64[np.ndarray, " m"]) -> Shaped[np.ndarray, "m dim"]:
        """Copies of some rows."""
        size = self._width * self._dtype.itemsize
        parts = [os.pread(self._file, size, self._offset + size * row) for row in rows.tolist()]
        return np.frombuffer(b"".join(parts), self._dtype).reshape(len(rows), self._width)


def map_rows(path: Path) -> tuple[np.ndarray, RowReader | None]:
    """A mapped array of rows, and what reads some of them; None where the system cannot do so.

    Raises:
        OSError: there is no such file.
        ValueError: it is no `.npy` file.
    """
    with path.open("rb") as file:
        mapped: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
        # a file that took the name in between would be another one than the map's
        same = os.path.samestat(os.fstat(file.fileno()), path.stat())
        readable = same and mapped.flags.c_contiguous and hasattr(os, "pread")
        if readable and isinstance(mapped, np.memmap):
            return mapped, RowReader(os.dup(file.fileno()), mapped)
    return mapped, None
