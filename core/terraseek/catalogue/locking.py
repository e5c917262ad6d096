"""One process at a time changes a catalogue or a store; the lock ends with the process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from terraseek.errors import CatalogueError

__all__ = ["exclusive"]


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; a folder made for it goes again if nothing was put in.

    Raises:
        CatalogueError: another process holds it.
    """
    made = not folder.exists()
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
            if made and {p.name for p in folder.iterdir()} <= {".lock"}:
                path.unlink()
                folder.rmdir()
