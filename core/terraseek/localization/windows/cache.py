"""Cache of window vectors: files in `home()/scenes` up to a size limit, and a memory cache.

When the limit is exceeded, the least recently used entries are removed first. The most recently
used ones also stay in memory, so that the next query on a scene reads no file.
"""

import logging
import os
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from terraseek.errors import ConfigError
from terraseek.localization.windows.vector_files import CHUNKS_SUFFIX, Arrays

__all__ = ["SETTING", "MemoryCache", "limit_bytes", "mark_used", "prune"]

_logger = logging.getLogger(__name__)

SETTING = "TERRASEEK_SCENE_CACHE_GB"
"""Environment variable with the size limit in units of 10^9 bytes; 0 switches the cache off."""
_DEFAULT_GB = 2.0
_ACTIVE_S = 600
"""A folder of chunks written to within this many seconds may belong to a run in progress."""


class MemoryCache:
    """Contents of recently read files up to a size limit; a replaced file is read again."""

    def __init__(self, limit: int) -> None:
        """Keep at most `limit` bytes."""
        self._limit = limit
        self._lock = threading.Lock()
        self._entries: OrderedDict[tuple[Path, int, int], Arrays] = OrderedDict()

    def get(self, path: Path, load: Callable[[Path], Arrays | None]) -> Arrays | None:
        """Contents of a file, from memory or through `load`; None where there is none.

        Args:
            path: the file; whoever changes it replaces it as a whole.
            load: reads the file; None where it cannot be used.
        """
        try:
            state = path.stat()
        except FileNotFoundError:
            return None
        key = (path, state.st_ino, state.st_size)
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key]
        found = load(path)
        if found is not None:
            with self._lock:
                self._entries[key] = found
                while len(self._entries) > 1 and self._size() > self._limit:
                    self._entries.popitem(last=False)
                if _memory_bytes(found) > self._limit:
                    self._entries.clear()
        return found

    def _size(self) -> int:
        return sum(map(_memory_bytes, self._entries.values()))


def _memory_bytes(arrays: Arrays) -> int:
    """Memory the arrays hold; memory-mapped arrays stay in their file and do not count."""
    return sum(a.nbytes for a in arrays.values() if not isinstance(a, np.memmap))


def limit_bytes() -> int:
    """Size limit of the file cache in bytes, from the setting `TERRASEEK_SCENE_CACHE_GB`.

    Raises:
        ConfigError: the setting is not a number of at least 0.
    """
    text = os.environ.get(SETTING, "").strip()
    try:
        value = float(text) if text else _DEFAULT_GB
    except ValueError as error:
        raise ConfigError(f"{SETTING} {text!r} must be a number of gigabytes like 2") from error
    if not 0 <= value < float("inf"):
        raise ConfigError(f"{SETTING} {text!r} must be at least 0 gigabytes")
    return int(value * 1e9)


def mark_used(path: Path) -> None:
    """Set a file's modification time to now; a read-only cache stays usable."""
    try:
        os.utime(path)
    except OSError as error:
        _logger.debug("time of %s cannot be set: %s", path, error)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A vectors file, or a folder of chunks."""

    path: Path
    size: int
    """Bytes."""
    used: float
    """Modification time, seconds since the epoch."""


def prune(folder: Path, keep: Path | None = None, limit: int | None = None) -> list[Path]:
    """Remove the least recently used entries until the rest is within the limit.

    Args:
        folder: holds `.npz` files, and `.parts` folders of interrupted runs.
        keep: entry just written; it stays even if it exceeds the limit.
        limit: bytes; default `limit_bytes`.

    Returns:
        The entries that were removed.

    Raises:
        ConfigError: the setting is not a number.
    """
    limit = limit_bytes() if limit is None else limit
    entries = _entries(folder)
    total = sum(entry.size for entry in entries)
    removed = []
    for entry in sorted(entries, key=lambda entry: entry.used):
        if total <= limit:
            break
        if entry.path == keep or not _remove(entry):
            continue
        total -= entry.size
        removed.append(entry.path)
    return removed


def _entries(folder: Path) -> list[_Entry]:
    paths = [*folder.glob("*.npz"), *folder.glob(f"*{CHUNKS_SUFFIX}")]
    return [entry for entry in map(_entry, paths) if entry is not None]


def _entry(path: Path) -> _Entry | None:
    """None where another process has removed it in the meantime."""
    try:
        files = list(path.iterdir()) if path.is_dir() else [path]
        stats = [file.stat() for file in files]
        used = max((stat.st_mtime for stat in stats), default=path.stat().st_mtime)
    except FileNotFoundError:
        return None
    return _Entry(path, sum(stat.st_size for stat in stats), used)


def _remove(entry: _Entry) -> bool:
    """Whether the entry was removed; chunks of a run in progress are not."""
    try:
        if not entry.path.is_dir():
            entry.path.unlink(missing_ok=True)
        elif time.time() - entry.used < _ACTIVE_S:
            return False
        else:
            shutil.rmtree(entry.path)
    except OSError as error:
        _logger.warning("%s cannot be removed from the scene cache: %s", entry.path, error)
        return False
    return True
