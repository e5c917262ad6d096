"""Which client stored which upload, for the quota of each."""

import threading
from pathlib import Path

__all__ = ["UploadOwners"]


class UploadOwners:
    """Clients by file; an upload that several clients stored counts for each."""

    def __init__(self) -> None:
        self._clients: dict[Path, set[str]] = {}
        self._lock = threading.Lock()

    def add(self, path: Path, client: str) -> None:
        """Record that a client stored a file; removed files are forgotten."""
        with self._lock:
            self._clients = {known: c for known, c in self._clients.items() if known.exists()}
            self._clients.setdefault(path, set()).add(client)

    def is_of(self, path: Path, client: str) -> bool:
        """Whether this client stored the file."""
        with self._lock:
            return client in self._clients.get(path, ())
