"""Window vectors of scenes in `home()/scenes`, kept within a limit: least lately used go first.

Those asked last also stay in memory, so that the next sentence reads no file.
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

__all__ = ["SETTING", "Arrays", "Recent", "limit_bytes", "prune", "touch"]

_logger = logging.getLogger(__name__)

SETTING = "TERRASEEK_SCENE_CACHE_GB"
_DEFAULT_GB = 2.0
_YOUNG_S = 600
"""A folder of parts written to within this time belongs to a run that may still go on."""

Arrays = dict[str, np.ndarray]


class Recent:
    """What was read from files lately, within a limit; read again when the file is another one."""

    def __init__(self, limit: int) -> None:
        """Keep at most `limit` bytes."""
        self._limit = limit
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[Path, int, int], Arrays] = OrderedDict()

    def get(self, path: Path, load: Callable[[Path], Arrays | None]) -> Arrays | None:
        """What `load` gives of the file, which is replaced as a whole whenever it changes."""
        try:
            state = path.stat()
        except FileNotFoundError:
            return None
        key = (path, state.st_ino, state.st_size)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found = load(path)
        if found is not None:
            with self._lock:
                self._kept[key] = found
                while len(self._kept) > 1 and sum(map(_bytes, self._kept.values())) > self._limit:
                    self._kept.popitem(last=False)
                if _bytes(found) > self._limit:
                    self._kept.clear()
        return found


def _bytes(arrays: Arrays) -> int:
    """Memory they hold; what is mapped lies in its file."""
    return sum(a.nbytes for a in arrays.values() if not isinstance(a, np.memmap))


def limit_bytes() -> int:
    """Most bytes kept, from the setting `TERRASEEK_SCENE_CACHE_GB` (10^9 bytes; default 2).

    Raises:
        ConfigError: the setting is no number of at least 0.
    """
    text = os.environ.get(SETTING, "").strip()
    try:
        value = float(text) if text else _DEFAULT_GB
    except ValueError as error:
        raise ConfigError(f"{SETTING} {text!r} must be a number of gigabytes like 2") from error
    if not 0 <= value < float("inf"):
        raise ConfigError(f"{SETTING} {text!r} must be at least 0 gigabytes")
    return int(value * 1e9)


def touch(path: Path) -> None:
    """Note that a file was used now; a read-only cache stays usable."""
    try:
        os.utime(path)
    except OSError as error:
        _logger.debug("time of %s cannot be set: %s", path, error)


@dataclass(frozen=True, slots=True)
class _Entry:
    path: Path
    size: int
    used: float


def prune(folder: Path, keep: Path | None = None, limit: int | None = None) -> list[Path]:
    """Remove the least lately used entries until the rest fits.

    Args:
        folder: holds `.npz` files and `.parts` folders of runs that were interrupted.
        keep: entry just written; it stays even if it is larger than the limit.
        limit: bytes; default `limit_bytes`.

    Returns:
        What was removed.

    Raises:
        ConfigError: the setting is no number.
    """
    limit = limit_bytes() if limit is None else limit
    entries = _entries(folder)
    total = sum(entry.size for entry in entries)
    gone = []
    for entry in sorted(entries, key=lambda entry: entry.used):
        if total <= limit:
            break
        if entry.path == keep or not _removed(entry):
            continue
        total -= entry.size
        gone.append(entry.path)
    return gone


def _entries(folder: Path) -> list[_Entry]:
    found = [*folder.glob("*.npz"), *folder.glob("*.parts")]
    return [entry for entry in map(_entry, found) if entry is not None]


def _entry(path: Path) -> _Entry | None:
    """None where another process removed it meanwhile."""
    try:
        files = list(path.iterdir()) if path.is_dir() else [path]
        stats = [file.stat() for file in files]
        used = max((stat.st_mtime for stat in stats), default=path.stat().st_mtime)
    except FileNotFoundError:
        return None
    return _Entry(path, sum(stat.st_size for stat in stats), used)


def _removed(entry: _Entry) -> bool:
    try:
        if not entry.path.is_dir():
            entry.path.unlink(missing_ok=True)
        elif time.time() - entry.used < _YOUNG_S:
            return False
        else:
            shutil.rmtree(entry.path)
    except OSError as error:
        _logger.warning("%s cannot be removed from the scene cache: %s", entry.path, error)
        return False
    return True
