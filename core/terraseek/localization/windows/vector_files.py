"""Files of window vectors: written whole or not at all, and memory-mapped where they are large.

They are uncompressed `.npz` files, so a large array in one is a contiguous range of bytes that can
stay in the file: only the rows that a query is compared with are loaded into memory.
"""

import logging
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from terraseek.files import ARRAY_ERRORS, atomic_path

__all__ = ["CHUNKS_SUFFIX", "Arrays", "load_arrays", "save_arrays"]

_logger = logging.getLogger(__name__)

Arrays = dict[str, np.ndarray]
"""Arrays of one file by name; `vectors` and `known` are always there."""
CHUNKS_SUFFIX = ".parts"
"""Suffix of the folder beside a vectors file where an unfinished run keeps its finished chunks."""
_MAX_LOADED_BYTES = 128 << 20
"""Vectors up to this size are loaded; larger ones are memory-mapped."""
_LOCAL_HEADER = 30
"""Bytes before the name of a zip member, of which 26 to 29 hold the lengths of name and extra."""


def load_arrays(path: Path) -> Arrays | None:
    """Arrays that `save_arrays` wrote; None where the file is missing or unreadable."""
    if not path.is_file():
        return None
    try:
        # opened here, because np.load leaves a damaged file open
        with path.open("rb") as source, np.load(source, allow_pickle=False) as arrays:
            mapped = _map_vectors(path, source, arrays.zip)
            found = {name: arrays[name] for name in arrays.files if name not in mapped} | mapped
    except ARRAY_ERRORS as error:
        _logger.warning("%s is unreadable and is computed again: %s", path, error)
        return None
    return found if {"vectors", "known"} <= set(found) else None


def _map_vectors(path: Path, source: BinaryIO, archive: zipfile.ZipFile) -> Arrays:
    """The vectors as a memory map of the file, if they are large and uncompressed; else empty."""
    member = archive.getinfo("vectors.npy") if "vectors.npy" in archive.namelist() else None
    if member is None or member.file_size <= _MAX_LOADED_BYTES:
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


def save_arrays(path: Path, arrays: Arrays) -> None:
    """Write the arrays and remove the chunks beside the file.

    A full disk is logged and not raised: the next call computes the vectors again.
    """
    try:
        with atomic_path(path) as temporary:
            np.savez(temporary, allow_pickle=False, **arrays)
    except OSError as error:
        _logger.warning("scene vectors were not kept in %s: %s", path.parent, error)
        return
    folder = path.with_suffix(CHUNKS_SUFFIX)
    if folder.is_dir():
        for chunk in folder.iterdir():
            chunk.unlink(missing_ok=True)
        folder.rmdir()
