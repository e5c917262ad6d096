"""Encoding in worker processes: the same bytes as in one process, and no item stops the others."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from terraseek.catalogue import Catalogue, import_source
from terraseek.cli import build_app
from terraseek.embeddings.decode import decode_images
from terraseek.embeddings.embed import embed_catalogue
from terraseek.embeddings.encode_chunk import ChunkTask, EncodedChunk, encode_chunk
from terraseek.embeddings.engine_job import chunk_tasks, encode_on_engine
from terraseek.embeddings.store import HAS_IMAGE, store_folder
from terraseek.embeddings.writer import StoreJob
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import Cancelled, TaskError
from terraseek.parallel.engine import TaskEngine
from terraseek.parallel.local import LocalEngine

ITEMS = 23
CULPRIT = 13


@pytest.fixture(params=["local", pytest.param("ray", marks=pytest.mark.slow)])
def engine(request: pytest.FixtureRequest) -> Iterator[TaskEngine]:
    if request.param == "ray":
        pytest.importorskip("ray")
        from terraseek.parallel.ray_engine import RayEngine

        with RayEngine(workers=2) as found:
            yield found
    else:
        with LocalEngine(2) as found:
            yield found


def catalogue_in(folder: Path, count: int = ITEMS) -> Catalogue:
    """Images of noise, two in three with a caption, one that is damaged."""
    (folder / "a").mkdir(parents=True)
    lines = ["filename,caption"]
    for seed in range(count):
        pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"a/{seed:03d}.png")
        lines.append(f"{seed:03d}.png,{f'red thing {seed}' if seed % 3 else ''}")
    (folder / "a/items.csv").write_text("\n".join(lines))
    import_source(folder / "a/items.csv", folder / "cat")
    (folder / "a/004.png").write_bytes(b"junk")
    return Catalogue.open(folder / "cat")


def arrays(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.npy")}


def encode_except_one(task: ChunkTask) -> EncodedChunk:
    """A worker that one item ends, each time."""
    if CULPRIT in task.rows:
        os._exit(9)
    return encode_chunk(task)


@pytest.mark.filterwarnings("ignore")
def test_store_has_the_bytes_of_one_process_and_lists_what_failed(
    tmp_path: Path, engine: TaskEngine, caplog: pytest.LogCaptureFixture
):
    alone = embed_catalogue(catalogue_in(tmp_path / "x"), FakeEncoder(), chunk_rows=4)
    catalogue = catalogue_in(tmp_path / "y")
    caplog.clear()
    steps: list[tuple[str, int, int]] = []
    store = embed_catalogue(
        catalogue, FakeEncoder(), lambda *s: steps.append(s), chunk_rows=4, engine=engine
    )
    assert arrays(store.folder) == arrays(alone.folder)
    assert np.flatnonzero(store.flags & HAS_IMAGE == 0).tolist() == [4]
    bad = catalogue.item_ids[4].decode()
    assert [r.getMessage().split(":")[0] for r in caplog.records] == [f"item {bad} has no vector"]
    assert steps[0] == ("embed", 0, ITEMS)
    assert len(steps) >= ITEMS // 4  # a report per chunk


@pytest.mark.filterwarnings("ignore")
def test_a_killed_worker_changes_nothing(tmp_path: Path, engine: TaskEngine):
    alone = embed_catalogue(catalogue_in(tmp_path / "x"), FakeEncoder(), chunk_rows=2)
    victims: list[int] = []

    def kill_one(stage: str, done: int, total: int) -> None:
        if done > 4 and not victims:
            victims.append(worker_ids()[0])
            os.kill(victims[0], signal.SIGKILL)

    store = embed_catalogue(
        catalogue_in(tmp_path / "y"), FakeEncoder(), kill_one, chunk_rows=2, engine=engine
    )
    assert victims
    assert arrays(store.folder) == arrays(alone.folder)


def worker_ids() -> list[int]:
    """Ids of the worker processes of either engine, among the descendants of this process."""
    parents, workers = {}, []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int(folder.joinpath("stat").read_text().rpartition(")")[2].split()[1])
            parents[int(folder.name)] = parent
            command = folder.joinpath("cmdline").read_bytes()
        except OSError:
            continue
        if command.startswith(b"ray::Worker") or b"spawn_main" in command:
            workers.append(int(folder.name))

    def is_ours(pid: int) -> bool:
        while pid > 1:
            pid = parents.get(pid, 0)
            if pid == os.getpid():
                return True
        return False

    return [pid for pid in workers if is_ours(pid)]


@pytest.mark.filterwarnings("ignore")
def test_an_item_that_ends_its_worker_each_time_is_listed(
    tmp_path: Path, engine: TaskEngine, caplog: pytest.LogCaptureFixture
):
    catalogue = catalogue_in(tmp_path)
    folder = store_folder(catalogue, "fake")
    job = StoreJob(catalogue, FakeEncoder(), folder, lambda *step: None)
    tasks = chunk_tasks(job, job.missing(), 2, "cpu", images=True)
    encode_on_engine(engine, job, tasks, encode_except_one)
    job.finish()
    flags = np.load(folder / "flags.npy")
    assert np.flatnonzero(flags & HAS_IMAGE == 0).tolist() == [4, CULPRIT]
    listed = [r.getMessage() for r in caplog.records if "has no vector" in r.getMessage()]
    assert any(catalogue.item_ids[CULPRIT].decode() in line for line in listed)


def test_a_cancelled_job_keeps_its_chunks_and_any_engine_completes_it(tmp_path: Path):
    def stop(stage: str, done: int, total: int) -> None:
        if done >= 12:
            raise Cancelled("enough")

    alone = embed_catalogue(catalogue_in(tmp_path / "x"), FakeEncoder(), chunk_rows=4)
    catalogue = catalogue_in(tmp_path / "y")
    with LocalEngine(1) as engine, pytest.raises(Cancelled):
        embed_catalogue(catalogue, FakeEncoder(), stop, chunk_rows=4, engine=engine)
    chunks = store_folder(catalogue, "fake") / "parts"
    assert len(list(chunks.glob("*.npz"))) >= 3
    store = embed_catalogue(catalogue, FakeEncoder(), chunk_rows=4)
    assert arrays(store.folder) == arrays(alone.folder)


def test_another_encoder_of_that_name_in_the_workers_is_refused_at_once(tmp_path: Path):
    with LocalEngine(1) as engine, pytest.raises(TaskError, match="same weights on all nodes"):
        embed_catalogue(catalogue_in(tmp_path), FakeEncoder(dim=24), engine=engine)


def test_a_slow_encoder_bounds_the_images_that_wait(tmp_path: Path):
    """Decoded images are a few batches ahead of the encoder, not the whole catalogue."""
    fitted: list[int] = []

    class Counting(FakeEncoder):
        def fit(self, image: np.ndarray) -> np.ndarray:
            fitted.append(1)
            return super().fit(image)

    encoder = Counting()
    encoder.batch_size = 1
    catalogue = catalogue_in(tmp_path)
    squares = decode_images(catalogue, encoder, np.arange(ITEMS), 2)
    for taken, _ in enumerate(squares, start=1):
        assert len(fitted) <= taken + 4 * encoder.batch_size
    assert len(fitted) == ITEMS - 1  # one is damaged


def test_command_with_workers(tmp_path: Path):
    catalogue_in(tmp_path, 6)
    arguments = ["embed", str(tmp_path / "cat"), "--model", "fake", "--workers", "1", "--json"]
    done = CliRunner().invoke(build_app(), arguments)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["count"] == 6
