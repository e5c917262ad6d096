"""Lock by which only one process at a time changes a catalogue or an embedding store."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from terraseek.errors import CatalogueError

__all__ = ["exclusive"]


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder; the operating system releases it when the process ends.

    The folder is created if necessary, and removed again if nothing is written to it.

    Raises:
        CatalogueError: another process holds the lock.
    """
    created = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ".lock"
    with path.open("a") as file:
        if os.name == "posix":
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise CatalogueError(
                    f"{folder} is being changed by another process; try again when it has ended"
                ) from error
        try:
            yield
        finally:
            if created and {p.name for p in folder.iterdir()} <= {".lock"}:
                path.unlink()
                folder.rmdir()
