"""Backup of a whole catalogue: items, embeddings, indexes and the review log, in a state that fits.

Copied file by file while raters work, the review log lacks what is in its write-ahead log; while an
import or `embed` runs, items and vectors come from different moments.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from terraseek.catalogue import Catalogue
from terraseek.catalogue.locking import exclusive
from terraseek.embeddings.store import store_folder, store_names
from terraseek.errors import OutputError
from terraseek.files import fsync_folder
from terraseek.progress import Progress, silent
from terraseek.review.log import ReviewLog

__all__ = ["backup_catalogue"]

_LOG = "reviews.sqlite"


def backup_catalogue(catalogue: str | Path, target: str | Path, progress: Progress = silent) -> int:
    """Copy a catalogue to a new folder, also while it is served and reviewed.

    The images are not part of a catalogue and not copied. Import, `embed`, `compact` and `delete`
    are refused meanwhile.

    Args:
        catalogue: folder of the catalogue.
        target: the copy, which is complete or not there at all.
        progress: called with the number of files that are copied.

    Returns:
        Bytes of the copy.

    Raises:
        CatalogueError: there is no catalogue, or another process is changing it.
        OutputError: the target exists, or is inside the catalogue.
        ReviewError: the review log cannot be copied.
    """
    source, target = Path(catalogue), Path(target)
    opened = Catalogue.open(source)
    if target.exists():
        raise OutputError(f"{target} exists already; name a new folder for the backup")
    if target.resolve().is_relative_to(source.resolve()):
        raise OutputError(f"{target} is inside the catalogue; name a folder outside of it")
    target.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(exclusive(source))
        for name in store_names(opened):
            stack.enter_context(exclusive(store_folder(opened, name)))
        part = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(
                    prefix=f".{target.name}.", dir=target.parent, ignore_cleanup_errors=True
                )
            )
        )
        copy = part / "copy"
        n_bytes = _copy(source, copy, progress)
        if (source / _LOG).is_file():
            ReviewLog.open(source).backup(copy / _LOG)
            n_bytes += (copy / _LOG).stat().st_size
        os.rename(copy, target)
        fsync_folder(target.parent)
    return n_bytes


def _copy(source: Path, copy: Path, progress: Progress) -> int:
    """Copy all files that cannot be made again, and sync them to disk; returns their bytes."""
    files = list(_files(source))
    n_bytes = 0
    for number, path in enumerate(files):
        progress("copy", number, len(files))
        new = copy / path.relative_to(source)
        new.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, new)
        with new.open("rb+") as written:
            os.fsync(written.fileno())
        n_bytes += new.stat().st_size
    progress("copy", len(files), len(files))
    return n_bytes


def _files(source: Path) -> Iterator[Path]:
    """Files of a catalogue; hidden ones are caches, locks and parts of unfinished writes."""
    for folder, names, files in os.walk(source):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in sorted(files):
            is_log = Path(folder) == source and name.startswith(_LOG)
            if not name.startswith(".") and not is_log:
                yield Path(folder, name)
