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
    """Reads rows of the file a mapped array is of, whatever became of the file's name."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)
        self._offset, self._size = 0, 0
        self._dtype: np.dtype = np.dtype(np.float16)

    def same_as(self, path: Path, mapped: np.memmap) -> bool:
        """Whether `mapped`, made from `path` after this was opened, is of this very file."""
        self._offset, self._dtype = int(mapped.offset), mapped.dtype
        self._size = mapped.dtype.itemsize * int(np.prod(mapped.shape[1:]))
        return bool(mapped.flags.c_contiguous) and os.path.samestat(
            os.fstat(self._file), path.stat()
        )

    def rows(self, rows: Int64[np.ndarray, " m"]) -> Shaped[np.ndarray, "m dim"]:
        """Copies of some rows."""
        size = self._size
        parts = [os.pread(self._file, size, self._offset + size * row) for row in rows.tolist()]
        width = size // self._dtype.itemsize
        return np.frombuffer(b"".join(parts), self._dtype).reshape(len(rows), width)


def map_rows(path: Path) -> tuple[np.ndarray, RowReader | None]:
    """A mapped array of rows, and what reads some of them; None where the system cannot do so.

    Raises:
        OSError: there is no such file.
        ValueError: it is no `.npy` file.
    """
    reader = RowReader(path) if hasattr(os, "pread") else None
    mapped: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    # a file that took the name in between would be another one than the map's
    if reader is None or not isinstance(mapped, np.memmap) or not reader.same_as(path, mapped):
        return mapped, None
    return mapped, reader
