"""Embedding from webdataset shards: `python benchmarks/embed.py [--json]`.

Generated images are written as shards in RS5M's layout and imported. Then are measured, alternating
in the same run: decoding alone and the encoder alone, each on half of the cores, which is what each
has while both run; and the whole job, from shards to a complete store.

`decode_per_s, encode_per_s`  images per second of each alone; the encoder also encodes captions
`embed_per_s`       of the job; `embed_efficiency`: relative to the slower of the two (target 0.8)
`of_cores`          relative to both stages using all cores without waiting for each other
`cpu_efficiency`    the same from CPU seconds, which other load disturbs less: those of decoding
                    and encoding alone over those of the job
"""

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import typer
from common import report
from pipeline import import_generated

from terraseek.catalogue import Catalogue
from terraseek.embeddings.decode import decode_images
from terraseek.embeddings.embed import embed_catalogue
from terraseek.encoders.base import Encoder
from terraseek.encoders.load import load_encoder
from terraseek.encoders.registry import DEFAULT_MODEL


def wall_and_cpu_seconds(call: Callable[[], object]) -> tuple[float, float]:
    """Wall-clock and CPU seconds of a call."""
    started, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - started, time.process_time() - cpu


def main(
    items: int = 2000,
    width: int = 400,
    model: str = DEFAULT_MODEL,
    repeats: int = 3,
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Measure and print."""
    cores = os.cpu_count() or 1
    half = max(1, cores // 2)
    with tempfile.TemporaryDirectory() as temporary:
        catalogue = import_generated(Path(temporary), items, width)
        encoder = load_encoder(model, "cpu")
        figures = measure(catalogue, encoder, half, cores, repeats)
    report("embed", {"model": model, "items": items, "width": width, **figures}, as_json)


def measure(
    catalogue: Catalogue, encoder: Encoder, half: int, cores: int, repeats: int
) -> dict[str, float]:
    """Rates of the two stages and of the whole job."""
    rows = np.arange(catalogue.count)
    squares = np.stack([s for s in decode_images(catalogue, encoder, rows, cores) if s is not None])
    texts = catalogue.items(["caption"])["caption"].tolist()

    def encode() -> None:
        encoder.encode_squares(squares)
        encoder.encode_texts(texts)

    def job() -> None:
        shutil.rmtree(catalogue.path / "embeddings", ignore_errors=True)
        embed_catalogue(catalogue, encoder)

    def decode() -> None:
        deque(decode_images(catalogue, encoder, rows, half), maxlen=0)

    walls: dict[str, list[float]] = {"decode": [], "encode": [], "job": []}
    cpu_times: dict[str, list[float]] = {"decode": [], "encode": [], "job": []}
    for repeat in range(repeats + 1):
        for name, call in (("decode", decode), ("encode", encode), ("job", job)):
            torch.set_num_threads(cores if name == "job" else half)
            seconds, cpu = wall_and_cpu_seconds(call)
            if repeat:  # the first one warms up
                walls[name].append(seconds)
                cpu_times[name].append(cpu)
    wall = {name: statistics.median(values) for name, values in walls.items()}
    work = {name: statistics.median(values) for name, values in cpu_times.items()}
    share = half / cores
    return {
        "decode_per_s": len(rows) / wall["decode"],
        "encode_per_s": len(rows) / wall["encode"],
        "embed_per_s": len(rows) / wall["job"],
        "embed_efficiency": max(wall["decode"], wall["encode"]) / wall["job"],
        "of_cores": share * (wall["decode"] + wall["encode"]) / wall["job"],
        "cpu_efficiency": (work["decode"] + work["encode"]) / work["job"],
    }


if __name__ == "__main__":
    if "OMP_WAIT_POLICY" not in os.environ:
        # as `terraseek embed` does; OpenMP reads it once, when torch is loaded
        os.environ["OMP_WAIT_POLICY"] = "passive"
        os.execv(sys.executable, [sys.executable, *sys.argv])
    typer.run(main)
