"""New `.npy` files, mapped for writing, whose disk space is allocated first.

A mapped file without space on the disk ends the process with SIGBUS at the first write to a page
that cannot be stored, without an exception.
"""

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from terraseek.errors import OutputError

__all__ = ["create_array", "remove_dead_temporaries", "require_space"]

_CHUNK = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def create_array(
    path: Path, shape: tuple[int, ...], dtype: type[np.generic] | np.dtype[Any]
) -> Any:  # noqa: ANN401
    """Create a zero-filled `.npy` file, mapped for writing.

    Raises:
        OutputError: the disk, a quota or a limit of the process has no room for it.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    try:
        array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
        size = path.stat().st_size
        with path.open("r+b") as file:
            _allocate(file.fileno(), size)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        free = shutil.disk_usage(path.parent).free
        raise OutputError(
            f"{path.parent} has no room for {size / 1e6:,.1f} MB of vectors "
            f"({os.strerror(error.errno)}, {free / 1e6:,.1f} MB free); make room and try again"
        ) from error
    return array


def _allocate(descriptor: int, size: int) -> None:
    """Reserve disk space for the first `size` bytes of a file that contains only a header."""
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, 0, size)
            return
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
                raise
    # rewriting what is there makes the file system allocate it
    for start in range(0, size, _CHUNK):
        os.lseek(descriptor, start, os.SEEK_SET)
        chunk = os.read(descriptor, min(_CHUNK, size - start))
        os.lseek(descriptor, start, os.SEEK_SET)
        os.write(descriptor, chunk)
    os.fsync(descriptor)


def require_space(folder: Path, size: int, what: str) -> None:
    """Check, before anything is written, that a folder's disk has room.

    Args:
        folder: an existing folder.
        size: bytes to write.
        what: what is written, for the message.

    Raises:
        OutputError: the message says how much is missing.
    """
    free = shutil.disk_usage(folder).free
    if size > free:
        raise OutputError(
            f"{what} needs {size / 1e6:,.1f} MB in {folder}, {free / 1e6:,.1f} MB are free; make "
            f"room for {(size - free) / 1e6:,.1f} MB more and try again"
        )


def remove_dead_temporaries(folder: Path) -> None:
    """Remove temporary files of `atomic_path` that killed processes left in a folder.

    The caller must hold the lock of the folder, so that no other process is writing there.
    """
    for path in folder.glob(".*.*"):
        if path.suffix in (".npy", ".npz", ".faiss", ".json") and path.is_file():
            path.unlink()
