"""Rate of `embed` and of corpus stages with one and two workers: `python benchmarks/workers.py`.

Generated images are written as shards and imported; the same items are then encoded, and go through
the stages `broken` and `embed`, with one worker of one thread and with two, alternating in the same
run. Workers have started and loaded the encoder before the clock starts.

`*_per_s`       items per second of wall-clock time, median
`*_speedup`     rate with two workers over that with one; other work on the machine lowers it
`*_cpu_ratio`   CPU seconds of two workers over those of one: what working in parallel costs
"""

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import typer
from common import report
from pipeline import import_generated

from terraseek.embeddings.embed import embed_catalogue
from terraseek.encoders.load import load_encoder
from terraseek.encoders.registry import DEFAULT_MODEL
from terraseek.parallel.engine import limit_threads
from terraseek.parallel.local import LocalEngine
from terraseek_train.corpus.recipe import parse_recipe
from terraseek_train.corpus.run import run_recipe

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(engine: LocalEngine) -> float:
    """CPU seconds so far of this process and of the workers of an engine."""
    workers = getattr(engine._pool, "_processes", None) or {}
    total = time.process_time()
    for pid in workers:
        values = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        total += (int(values[11]) + int(values[12])) / TICKS
    return total


def wall_and_cpu(call: Callable[[], object], engine: LocalEngine) -> tuple[float, float]:
    """Wall-clock seconds of a call, and CPU seconds of all processes."""
    started, cpu = time.perf_counter(), cpu_seconds(engine)
    call()
    return time.perf_counter() - started, cpu_seconds(engine) - cpu


def main(
    items: int = 1200,
    width: int = 256,
    model: str = DEFAULT_MODEL,
    chunk_rows: int = 100,
    repeats: int = 2,
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Measure and print."""
    limit_threads(1)
    encoder = load_encoder(model, "cpu")
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        catalogue = import_generated(folder, items, width)

        def embed(engine: LocalEngine) -> None:
            shutil.rmtree(catalogue.path / "embeddings", ignore_errors=True)
            embed_catalogue(catalogue, encoder, chunk_rows=chunk_rows, engine=engine)

        def corpus(engine: LocalEngine) -> None:
            shutil.rmtree(folder / "corpus", ignore_errors=True)
            source = {"name": "a", "path": str(folder / "shards"), "kind": "shards"}
            stages = [{"stage": "broken"}, {"stage": "embed", "model": model}]
            value = {"version": 1, "name": "n", "out": str(folder / "corpus"), "leakage": False}
            value |= {"sources": [source], "stages": stages, "shard_rows": chunk_rows}
            run_recipe(parse_recipe(value, "benchmark"), engine)

        one, two = LocalEngine(1), LocalEngine(2)
        with one, two:
            for repeat in range(repeats + 1):
                for name, job in (("embed", embed), ("corpus", corpus)):
                    for engine in (one, two):
                        measured = wall_and_cpu(partial(job, engine), engine)
                        if repeat:  # the first one starts the workers
                            found.setdefault((name, engine.workers), []).append(measured)
    figures: dict[str, float | int | str] = {"model": model, "items": items, "width": width}
    for name in ("embed", "corpus"):
        wall, cpu = (
            {n: statistics.median(pair[at] for pair in found[name, n]) for n in (1, 2)}
            for at in (0, 1)
        )
        figures |= {f"{name}_{n}_per_s": items / wall[n] for n in (1, 2)}
        figures |= {f"{name}_{n}_cpu_s": cpu[n] for n in (1, 2)}
        figures[f"{name}_speedup"] = wall[1] / wall[2]
        figures[f"{name}_cpu_ratio"] = cpu[2] / cpu[1]
    report("workers", figures, as_json)


if __name__ == "__main__":
    typer.run(main)
