"""A batch on the Localize page: the table is read, run on the served scenes, and packed."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from terraseek.errors import InputError, MissingColumnError
from terraseek.localization import BatchRow, LocalizeOptions
from terraseek.progress import silent
from terraseek_app.pages.localize.batch.panel import batch_queue
from terraseek_app.server import state
from terraseek_app.server.scene_batches import MAX_ROWS, read_rows, run_batch
from terraseek_app.server.settings import Settings


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Path]:
    """A server with two scenes, and a file beside their folder."""
    folder = tmp_path / "scenes"
    folder.mkdir()
    for path in (folder / "a.png", folder / "b.png", tmp_path / "private.png"):
        Image.fromarray(np.full((60, 80, 3), 120, np.uint8)).save(path)
    state.reset(Settings(model="fake", scenes=folder))
    yield folder
    state.reset(Settings())


def test_a_table_without_scenes_asks_all_of_them(served: Path) -> None:
    assert read_rows(b"text\nred\n", "t.csv") == [
        BatchRow("a.png", "red"),
        BatchRow("b.png", "red"),
    ]
    with pytest.raises(MissingColumnError, match=r"t\.csv"):
        read_rows(b"note\nred\n", "t.csv")


def test_a_table_may_not_be_too_long(served: Path) -> None:
    lines = "".join(f"a.png,thing {n}\n" for n in range(MAX_ROWS + 1))
    with pytest.raises(InputError, match="501 rows"):
        read_rows(f"scene,text\n{lines}".encode(), "t.csv")


def test_the_zip_holds_the_results_and_no_other_file_is_opened(served: Path) -> None:
    table = f"scene,text\na.png,red\n../private.png,red\n{served.parent}/private.png,red\n"
    rows = read_rows(table.encode(), "t.csv")
    job = batch_queue().start(
        "t.csv", lambda progress: run_batch(rows, LocalizeOptions(), progress)
    )
    assert job.has_ended(120)
    made = job.result()
    assert (made.n_done, made.n_failed) == (1, 2)
    with zipfile.ZipFile(io.BytesIO(made.path.read_bytes())) as opened:
        names = opened.namelist()
        journal = [json.loads(line) for line in opened.read("rows.jsonl").split(b"\n") if line]
    assert {"results.csv", "results.parquet", "report.html", "contact_sheet.png"} <= set(names)
    assert sum(name.startswith("heat_maps/a-red-") for name in names) == 1
    assert sorted(row["status"] for row in journal) == ["done", "failed", "failed"]


def test_files_are_removed_with_the_result(served: Path) -> None:
    made = run_batch([BatchRow("a.png", "red")], LocalizeOptions(), silent)
    folder = made.folder
    assert made.path.is_file()
    del made
    assert not folder.exists()
