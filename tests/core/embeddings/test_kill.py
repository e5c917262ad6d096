"""An import or embedding that is killed leaves the old or the new data, and can be repeated."""

import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from terraseek.catalogue import Catalogue, import_source
from terraseek.embeddings.embed import embed_catalogue
from terraseek.embeddings.store import EmbeddingStore
from terraseek.encoders.fake import FakeEncoder

pytestmark = pytest.mark.slow

WORK = """
import sys
from terraseek.catalogue import Catalogue, import_source
from terraseek.encoders.fake import FakeEncoder
from terraseek.embeddings import embed_catalogue
print("go", flush=True)
import_source(sys.argv[1], sys.argv[2])
embed_catalogue(Catalogue.open(sys.argv[2]), FakeEncoder(), chunk_rows=40)
print("end", flush=True)
"""
OLD, ALL = 100, 400


def images(folder: Path, seeds: range) -> None:
    folder.mkdir(exist_ok=True)
    for seed in seeds:
        pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{seed:04d}.png")


def start(source: Path, out: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WORK, str(source), str(out)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "go\n"
    return process


def test_kill_at_random_moments(tmp_path: Path):
    source, out = tmp_path / "pics", tmp_path / "cat"
    images(source, range(OLD))
    import_source(source, out)
    embed_catalogue(Catalogue.open(out), FakeEncoder())
    images(source, range(OLD, ALL))

    start_time = time.monotonic()
    with start(source, tmp_path / "reference") as process:
        process.wait(300)
    duration = time.monotonic() - start_time
    reference = Catalogue.open(tmp_path / "reference")

    moments = random.Random(5)
    for _ in range(8):
        process = start(source, out)
        time.sleep(moments.uniform(0, 0.6 * duration))
        process.kill()
        process.wait()
        process.stdout.close()
        catalogue = Catalogue.open(out)
        assert catalogue.count in (OLD, ALL)
        assert EmbeddingStore.open(catalogue).count in (OLD, ALL)

    with start(source, out) as process:
        assert process.wait(300) == 0
    catalogue = Catalogue.open(out)
    assert catalogue.items().equals(reference.items())
    store, expected = EmbeddingStore.open(catalogue), EmbeddingStore.open(reference)
    assert np.array_equal(store.vectors, expected.vectors)
    assert np.array_equal(store.flags, expected.flags)
    assert not list((out / "embeddings" / "fake").glob("parts"))
