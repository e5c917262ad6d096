"""A batch as a background job whose result is one ZIP file."""

import shutil
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from terraseek.errors import InputError
from terraseek.localization import BatchRow, LocalizeOptions, localize_batch, read_batch
from terraseek.localization.output.bundle import zip_files
from terraseek.progress import Progress
from terraseek_app.server import state
from terraseek_app.widgets.background_jobs import JobQueue

__all__ = ["MAX_ROWS", "BatchZip", "batch_queue", "read_rows", "run_batch"]

MAX_ROWS = 500
"""Most rows of one batch on a server; the command line has no limit."""
_KEPT_JOBS = 8
"""Batches whose files are kept on the disk of the server."""


@dataclass(frozen=True, eq=False)
class BatchZip:
    """The files of a batch; they are removed together with this object."""

    n_done: int
    """Rows with a heat map."""
    n_failed: int
    """Rows with a reason instead."""
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="terraseek-batch-")))
    """Temporary folder that holds the ZIP."""

    def __post_init__(self) -> None:
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    @property
    def path(self) -> Path:
        """The ZIP."""
        return self.folder / "batch.zip"


def batch_queue() -> JobQueue[BatchZip]:
    """The queue of all sessions; one batch runs at a time."""
    return state.shared().load_once(
        "batch_jobs", lambda: JobQueue[BatchZip](workers=1, max_jobs=_KEPT_JOBS, max_waiting=4)
    )


def read_rows(content: bytes, name: str) -> list[BatchRow]:
    """Rows of an uploaded table; one without a column for scenes asks all scenes of the server.

    Args:
        content: bytes of the table.
        name: its file name, for messages.

    Raises:
        InputError: it is no table of a batch, or has more rows than a server accepts.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / (Path(name).name or "table.csv")
        path.write_bytes(content)
        rows = read_batch(path, sorted(state.example_scenes().values()))
    if len(rows) > MAX_ROWS:
        raise InputError(
            f"{name} has {len(rows):,} rows; this server accepts {MAX_ROWS}, and "
            "`terraseek localize --batch` any number"
        )
    return rows


def run_batch(rows: Sequence[BatchRow], options: LocalizeOptions, progress: Progress) -> BatchZip:
    """Run a batch on the scenes of the server and pack its files.

    Args:
        rows: see `read_rows`; scenes are names in the served folder, and no other file is opened.
        options: method and window sides.
        progress: progress callback.
    """
    scenes = {name: state.scene_path(key) for key, name in state.example_scenes().items()}
    with tempfile.TemporaryDirectory(prefix="terraseek-batch-") as folder:
        out = Path(folder) / "batch"
        results = localize_batch(rows, scenes, state.encoder(), out, options, progress=progress)
        n_done = sum(one.done for one in results)
        made = BatchZip(n_done, len(results) - n_done)
        zip_files(made.path, sorted(p for p in out.rglob("*") if p.is_file()), below=out)
    return made
