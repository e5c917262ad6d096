"""Checksums of the blocks of large files, which show where a disk or a copy has changed a byte."""

import os
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

__all__ = ["MAX_CHECKED_AT_ONCE", "block_checksums", "damaged_block", "small_enough"]

BLOCK_BYTES = 16 << 20
"""Bytes of a block; the last one of a file may be shorter."""
MAX_CHECKED_AT_ONCE = 256 << 20
"""Larger files are checked by `terraseek doctor --deep`, not when they are opened."""
_CHUNK = 1 << 20


def block_checksums(path: Path, start: int = 0, stop: int | None = None) -> list[str]:
    """Compute the CRC-32 (8 hex digits) of each block of a range of bytes of a file.

    Args:
        path: the file.
        start: first byte.
        stop: byte after the last; None for the end of the file.
    """
    status = path.stat()
    stop = status.st_size if stop is None else stop
    return list(_checksums(path, start, stop, status.st_ino, status.st_size, status.st_mtime_ns))


@lru_cache(maxsize=256)
def _checksums(
    path: Path, start: int, stop: int, inode: int, size: int, modified_ns: int
) -> tuple[str, ...]:
    """Checksums, cached for the state of the file."""
    found = []
    with path.open("rb") as file:
        file.seek(start)
        for first in range(start, stop, BLOCK_BYTES):
            left, value = min(BLOCK_BYTES, stop - first), 0
            while left > 0 and (chunk := file.read(min(_CHUNK, left))):
                value = zlib.crc32(chunk, value)
                left -= len(chunk)
            found.append(f"{value:08x}" if left == 0 else "cut short")
    return tuple(found)


def damaged_block(found: Sequence[str], expected: Sequence[str]) -> int | None:
    """Number of the first block whose checksum differs; None if all are equal."""
    pairs = zip(found, expected, strict=False)
    first = next((i for i, (a, b) in enumerate(pairs) if a != b), None)
    if first is None and len(found) != len(expected):
        return min(len(found), len(expected))
    return first


def small_enough(path: Path) -> bool:
    """Whether a file is checked when it is opened."""
    return os.path.getsize(path) <= MAX_CHECKED_AT_ONCE
