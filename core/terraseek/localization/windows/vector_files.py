"""Files of window vectors: written whole or not at all, read back, and mapped where they are large.

They are plain `.npz` files without compression, so that a large array in one is a stretch of bytes
which can stay in the file: only the rows a question is compared with come into memory.
"""

import logging
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from terraseek.files import atomic_path

__all__ = ["load_arrays", "save_arrays"]

_logger = logging.getLogger(__name__)
_MAPPED_BYTES = 128 << 20
"""Vectors up to this size are read; above it they are mapped."""
_LOCAL_HEADER = 30
"""Bytes before the name of a zip member, of which 26 to 29 hold the lengths of name and extra."""


def load_arrays(path: Path) -> dict[str, np.ndarray] | None:
    """What `save_arrays` kept; None where there is nothing, or nothing readable."""
    if not path.is_file():
        return None
    try:
        # opened here, because np.load leaves a damaged file open
        with path.open("rb") as source, np.load(source, allow_pickle=False) as arrays:
            mapped = _mapped(path, source, arrays.zip)
            found = {name: arrays[name] for name in arrays.files if name not in mapped} | mapped
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        _logger.warning("%s is unreadable and is computed again: %s", path, error)
        return None
    return found if {"vectors", "known"} <= set(found) else None


def _mapped(path: Path, source: BinaryIO, archive: zipfile.ZipFile) -> dict[str, np.ndarray]:
    """The vectors as a view of the file, if they are large and stored as they are."""
    member = archive.getinfo("vectors.npy") if "vectors.npy" in archive.namelist() else None
    if member is None or member.file_size <= _MAPPED_BYTES:
        return {}
    if member.compress_type != zipfile.ZIP_STORED:
        return {}
    source.seek(member.header_offset)
    header = source.read(_LOCAL_HEADER)
    name, extra = (int.from_bytes(header[at : at + 2], "little") for at in (26, 28))
    source.seek(member.header_offset + _LOCAL_HEADER + name + extra)
    if np.lib.format.read_magic(source) != (1, 0):
        return {}
    shape, by_column, dtype = np.lib.format.read_array_header_1_0(source)
    if by_column or dtype.hasobject:
        return {}
    return {"vectors": np.memmap(path, dtype, "r", source.tell(), shape)}


def save_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Keep the vectors; a full disk costs the next call time, it does not fail this one."""
    try:
        with atomic_path(path) as part:
            np.savez(part, allow_pickle=False, **arrays)
    except OSError as error:
        _logger.warning("scene vectors were not kept in %s: %s", path.parent, error)
        return
    folder = path.with_suffix(".parts")
    if folder.is_dir():
        for finished in folder.iterdir():
            finished.unlink(missing_ok=True)
        folder.rmdir()
