"""Ages of uploads by the monotonic clock: a jump of the computer's clock makes no file old."""

import threading
from pathlib import Path

__all__ = ["UploadAges"]


class UploadAges:
    """Time since each file was last used, as far as this process saw it.

    A use sets the file's modification time. Only its change is looked at, never its value. Files of
    an earlier run count as used when they are first seen.
    """

    def __init__(self) -> None:
        self._seen: dict[Path, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def age(self, path: Path, now: float) -> float:
        """Seconds since the file was used.

        Args:
            path: an existing file.
            now: current time of the monotonic clock in seconds.
        """
        modified = path.stat().st_mtime_ns
        with self._lock:
            known = self._seen.get(path)
            if known is None or known[0] != modified:
                self._seen[path] = known = (modified, now)
        return now - known[1]

    def forget(self, path: Path) -> None:
        """Forget a file that was removed."""
        with self._lock:
            self._seen.pop(path, None)
