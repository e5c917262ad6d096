"""Checksums of the blocks of large files, which show where a disk or a copy has changed a byte."""

import os
import sys
import threading
import time
import weakref
import zlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache
from pathlib import Path
from queue import SimpleQueue

__all__ = [
    "MAX_CHECKED_AT_ONCE",
    "BlockCheck",
    "block_checksums",
    "damaged_block",
    "small_enough",
]

BLOCK_BYTES = 16 << 20
"""Bytes of a block; the last one of a file may be shorter."""
MAX_CHECKED_AT_ONCE = 256 << 20
"""Larger files are not read when they are opened; `BlockCheck` checks them while they are used."""
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


class BlockCheck:
    """Compares each block of an open file with its checksum once, without a wait for all of them.

    Blocks that a result depends on are compared by `check`, at once; all others by a thread of
    lowest priority, after `start`. The file stays open, so that a new file of the same name is not
    taken for it.
    """

    def __init__(
        self, path: Path, expected: Sequence[str], start: int = 0, stop: int | None = None
    ) -> None:
        """Open the file; nothing is read yet.

        Args:
            path: the file.
            expected: checksums of its blocks, see `block_checksums`.
            start: first byte.
            stop: byte after the last; None for the end of the file.

        Raises:
            OSError: the file cannot be opened.
        """
        self.path = path
        """The file."""
        self._expected, self._start = expected, start
        self._file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        weakref.finalize(self, os.close, self._file)
        self._stop = os.fstat(self._file).st_size if stop is None else stop
        self._left = set(range(len(expected)))
        self._damaged: int | None = None

    @property
    def damaged(self) -> int | None:
        """Number of a block whose checksum differs, as far as blocks were compared."""
        return self._damaged

    @property
    def is_complete(self) -> bool:
        """Whether all blocks were compared."""
        return not self._left

    def start(self) -> None:
        """Compare the remaining blocks in the background, after the files started before it."""
        _background().put(weakref.ref(self))

    def check(self, first_bytes: Iterable[int], most: int) -> None:
        """Compare the blocks of some places at once, unless they were.

        Args:
            first_bytes: positions in the range of bytes, the most important first.
            most: maximum number of blocks; the background compares the others.
        """
        wanted = list(dict.fromkeys(byte // BLOCK_BYTES for byte in first_bytes))[:most]
        wanted = [block for block in wanted if block in self._left]
        if len(wanted) > 1:
            with ThreadPoolExecutor(min(len(wanted), os.cpu_count() or 1)) as pool:
                list(pool.map(self._compare, wanted))
        elif wanted:
            self._compare(wanted[0])

    def check_next(self) -> bool:
        """Compare the first remaining block; False if there is none, or one is damaged."""
        if self._damaged is not None or not self._left:
            return False
        self._compare(min(self._left.copy()))
        return True

    def _compare(self, block: int) -> None:
        first = self._start + block * BLOCK_BYTES
        left, value = min(BLOCK_BYTES, self._stop - first), 0
        try:
            while left > 0 and (chunk := self._read(first, min(_CHUNK, left))):
                value = zlib.crc32(chunk, value)
                first, left = first + len(chunk), left - len(chunk)
        except OSError:
            left = 1  # the disk cannot read it
        if left != 0 or f"{value:08x}" != self._expected[block]:
            self._damaged = block
        self._left.discard(block)

    def _read(self, first: int, size: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._file, size, first)
        with self.path.open("rb") as file:  # Windows, which does not replace a mapped file
            file.seek(first)
            return file.read(size)


@cache
def _background() -> "SimpleQueue[weakref.ref[BlockCheck]]":
    """Queue of files for the thread that compares blocks; the first call starts it."""
    files: SimpleQueue[weakref.ref[BlockCheck]] = SimpleQueue()
    threading.Thread(target=_check_files, args=(files,), name="checksums", daemon=True).start()
    return files


def _check_files(files: "SimpleQueue[weakref.ref[BlockCheck]]") -> None:
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)  # of this thread only
    while True:
        reference = files.get()
        # a file that nobody uses any more is not read to its end
        while (check := reference()) is not None:
            began = time.perf_counter()
            more = check.check_next()
            del check
            if not more:
                break
            time.sleep(time.perf_counter() - began)  # leaves the disk and a core to searches
