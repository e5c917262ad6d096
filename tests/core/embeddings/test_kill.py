"""Killed at any moment, an import or embedding leaves the old or the new, and can be repeated."""

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
from terraseek.search import embed_catalogue
print("go", flush=True)
import_source(sys.argv[1], sys.argv[2])
embed_catalogue(Catalogue.open(sys.argv[2]), FakeEncoder(), part_rows=40)
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

    began = time.monotonic()
    with start(source, tmp_path / "calm") as process:
        process.wait(300)
    whole = time.monotonic() - began
    undisturbed = Catalogue.open(tmp_path / "calm")

    moments = random.Random(5)
    for _ in range(8):
        process = start(source, out)
        time.sleep(moments.uniform(0, 0.6 * whole))
        process.kill()
        process.wait()
        process.stdout.close()
        catalogue = Catalogue.open(out)
        assert catalogue.count in (OLD, ALL)
        assert EmbeddingStore.open(catalogue).count in (OLD, ALL)

    with start(source, out) as process:
        assert process.wait(300) == 0
    catalogue = Catalogue.open(out)
    assert catalogue.items().equals(undisturbed.items())
    store, calm = EmbeddingStore.open(catalogue), EmbeddingStore.open(undisturbed)
    assert np.array_equal(store.vectors, calm.vectors)
    assert np.array_equal(store.flags, calm.flags)
    assert not list((out / "embeddings" / "fake").glob("parts"))
