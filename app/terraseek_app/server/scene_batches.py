"""A batch of sentences and scenes on the server, whose result is one ZIP file."""

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

__all__ = ["MAX_ROWS", "BatchZip", "read_rows", "rows_of_json", "run_batch"]

MAX_ROWS = 500
"""Most rows of one batch on a server; the command line has no limit."""


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


def rows_of_json(values: object) -> list[BatchRow]:
    """Rows of a request: every sentence in every scene, or in all scenes of the server.

    Args:
        values: `{"sentences": [...], "scenes": [...]}`; scenes by id or name, all without them.

    Raises:
        InputError: it is something else, there is no sentence, or there are too many rows.
    """
    if not isinstance(values, dict) or not set(values) <= {"sentences", "scenes"}:
        raise InputError('the body must be JSON like {"sentences": ["piers"], "scenes": ["a.tif"]}')
    known = state.example_scenes()
    sentences, scenes = values.get("sentences"), values.get("scenes", list(known.values()))
    for name, texts in (("sentences", sentences), ("scenes", scenes)):
        if not isinstance(texts, list) or not texts or not all(isinstance(t, str) for t in texts):
            raise InputError(f"{name} must be a list of texts, at least one")
    assert sentences is not None
    if len(sentences) * len(scenes) > MAX_ROWS:
        raise InputError(
            f"{len(sentences):,} sentences in {len(scenes):,} scenes are more than the {MAX_ROWS} "
            "rows that this server accepts; send several requests"
        )
    names = [known.get(scene, scene) for scene in scenes]
    return list(dict.fromkeys(BatchRow(name, text) for name in names for text in sentences))


def run_batch(
    rows: Sequence[BatchRow],
    options: LocalizeOptions,
    progress: Progress,
    threshold: float | None = None,
    percentile: float | None = None,
    stretch: bool = False,
) -> BatchZip:
    """Run a batch on the scenes of the server and pack its files.

    Args:
        rows: see `read_rows`; scenes are names in the served folder, and no other file is opened.
        options: method and window sides.
        progress: progress callback.
        threshold: see `localize_batch`.
        percentile: see `localize_batch`.
        stretch: see `localize_batch`.
    """
    scenes = {name: state.scene_path(key) for key, name in state.example_scenes().items()}
    with tempfile.TemporaryDirectory(prefix="terraseek-batch-") as folder:
        out = Path(folder) / "batch"
        results = localize_batch(
            rows, scenes, state.encoder(), out, options, threshold, percentile, progress,
            stretch=stretch,
        )  # fmt: skip
        n_done = sum(one.done for one in results)
        made = BatchZip(n_done, len(results) - n_done)
        zip_files(made.path, sorted(p for p in out.rglob("*") if p.is_file()), below=out)
    return made
