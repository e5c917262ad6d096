"""Read a few rows of a memory-mapped `.npy` file with `pread`.

The first access to a mapped row causes a page fault, which takes longer than reading the row into
a buffer; and mapped pages would have to be released later.
"""

import os
import weakref
from pathlib import Path

import numpy as np
from jaxtyping import Int64, Shaped

__all__ = ["RowReader", "map_rows"]


class RowReader:
    """Reads rows of a mapped file, even after the file was renamed or replaced."""

    def __init__(self, descriptor: int, mapped: np.memmap) -> None:
        """Wrap the open file of `mapped`; it is closed when this object is garbage-collected."""
        self._file = descriptor
        weakref.finalize(self, os.close, descriptor)
        self._offset, self._dtype = int(mapped.offset), mapped.dtype
        self._width = int(np.prod(mapped.shape[1:]))

    def rows(self, rows: Int64[np.ndarray, " m"]) -> Shaped[np.ndarray, "m dim"]:
        """Read copies of some rows."""
        size = self._width * self._dtype.itemsize
        parts = [os.pread(self._file, size, self._offset + size * row) for row in rows.tolist()]
        return np.frombuffer(b"".join(parts), self._dtype).reshape(len(rows), self._width)


def map_rows(path: Path) -> tuple[np.ndarray, RowReader | None]:
    """Map an array of rows, and return it with a reader; None if the system does not support it.

    Raises:
        OSError: the file does not exist.
        ValueError: the file is not in `.npy` format.
    """
    with path.open("rb") as file:
        mapped: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
        # the file may have been replaced between the two openings
        same = os.path.samestat(os.fstat(file.fileno()), path.stat())
        readable = same and mapped.flags.c_contiguous and hasattr(os, "pread")
        if readable and isinstance(mapped, np.memmap):
            return mapped, RowReader(os.dup(file.fileno()), mapped)
    return mapped, None
