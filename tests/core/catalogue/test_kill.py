"""A job killed twenty times at random moments gives the same catalogue as an uninterrupted one."""

import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from terraseek.catalogue import Catalogue
from terraseek.embeddings.store import EmbeddingStore
from terraseek.errors import StoreError

pytestmark = pytest.mark.slow

WORK = """
import sys
from pathlib import Path
from terraseek.catalogue import Catalogue, Filter, import_source
from terraseek.catalogue.deletion import delete_items
from terraseek.encoders.fake import FakeEncoder
from terraseek.files import write_text
from terraseek.embeddings import embed_catalogue
from terraseek.embeddings.compact import compact_catalogue

sources, out = Path(sys.argv[1]), Path(sys.argv[2])
done = out.with_suffix(".steps")

def embed():
    embed_catalogue(Catalogue.open(out), FakeEncoder(), chunk_rows=40)

steps = (
    lambda: import_source(sources / "a", out),
    embed,
    lambda: delete_items(out, where=Filter(sql="width = 17")),
    lambda: import_source(sources / "b", out),
    lambda: compact_catalogue(out),
    embed,
    lambda: delete_items(out, where=Filter(sql="width = 18")),
    lambda: compact_catalogue(out),
)
first = int(done.read_text()) if done.exists() else 0
print("go", flush=True)
for number, step in enumerate(steps):
    if number >= first:  # the interrupted step is repeated
        step()
        write_text(done, str(number + 1))
print("end", flush=True)
"""
KILLS = 20


def images(folder: Path, seeds: range) -> None:
    folder.mkdir(parents=True)
    for seed in seeds:
        side = 16 + seed % 3
        pixels = np.random.default_rng(seed).integers(0, 256, (16, side, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{seed:04d}.png")


def start(sources: Path, out: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WORK, str(sources), str(out)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "go\n"
    return process


def vectors_by_id(catalogue: Catalogue) -> dict[bytes, bytes]:
    store = EmbeddingStore.open(catalogue)
    rows = zip(store.item_ids.tolist(), store.vectors, strict=True)
    return {key: vector.tobytes() for key, vector in rows}


def check_whole(out: Path, every: set[str]) -> None:
    """Check that a reader finds no catalogue yet, or a consistent catalogue and store."""
    if not (out / "items.parquet").exists():
        return
    catalogue = Catalogue.open(out)
    assert set(catalogue.items()["item_id"]) <= every
    # between the renames of the items and of the stores, the vectors are refused, not mixed up
    try:
        store = EmbeddingStore.open(catalogue)
    except StoreError:
        return
    assert np.array_equal(store.item_ids, catalogue.item_ids[: store.count])


def test_twenty_kills_do_not_change_the_result(tmp_path: Path):
    sources = tmp_path / "sources"
    images(sources / "a", range(150))
    images(sources / "b", range(150, 240))
    began = time.monotonic()
    with start(sources, tmp_path / "calm") as process:
        assert process.wait(600) == 0
    whole = time.monotonic() - began
    calm = Catalogue.open(tmp_path / "calm")
    vectors = vectors_by_id(calm)
    assert calm.count == calm.row_count == len(vectors) == 110
    every = {key for key in _ids(sources)}

    moments = random.Random(7)
    kills, attempt = 0, 0
    while kills < KILLS:
        out = tmp_path / f"disturbed-{attempt}"
        process = start(sources, out)
        time.sleep(moments.uniform(0, 0.3 * whole))
        if process.poll() is None:
            kills += 1
        process.kill()
        process.wait()
        process.stdout.close()
        check_whole(out, every)
        if (out.with_suffix(".steps")).exists() and out.with_suffix(".steps").read_text() == "8":
            _same(out, calm, vectors)
            attempt += 1
    with start(sources, out) as process:
        assert process.wait(600) == 0
    _same(out, calm, vectors)


def _ids(sources: Path) -> list[str]:
    from terraseek.catalogue.records import item_id

    return [item_id(path.parent.name, path.name) for path in sources.glob("*/*.png")]


def _same(out: Path, calm: Catalogue, vectors: dict[bytes, bytes]) -> None:
    catalogue = Catalogue.open(out)
    assert catalogue.items().equals(calm.items())
    assert vectors_by_id(catalogue) == vectors
    assert not (out / ".compact").exists()
    assert not list(out.glob("embeddings/fake/parts"))
