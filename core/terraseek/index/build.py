"""Build an index over a store's vectors, tune it, measure its recall, and write it atomically."""

import os
import shutil
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from terraseek.catalogue.locking import exclusive
from terraseek.checksums import block_checksums
from terraseek.embeddings.mapped_files import create_array, remove_dead_temporaries, require_space
from terraseek.embeddings.store import HAS_IMAGE, EmbeddingStore
from terraseek.errors import OutputError, StoreError
from terraseek.files import atomic_path, write_json
from terraseek.index.index_types import FaissIndex, parallelize_lists
from terraseek.index.manifest import (
    INDEX_MANIFEST,
    IndexManifest,
    index_folder,
    rows_digest,
    scale_file,
)
from terraseek.index.plan import IndexPlan, plan_index
from terraseek.index.recall import recall_at_10, recall_queries, tenth_best_scores
from terraseek.index.sampling import float32_blocks
from terraseek.index.scan import faiss_module
from terraseek.index.scoring import Matrix
from terraseek.index.training import train_index
from terraseek.progress import Progress, silent

__all__ = ["DEFAULT_MEMORY", "TARGET_RECALL", "IndexFile", "build_index", "write_codes"]

DEFAULT_MEMORY = 2 << 30
"""Default limit of the memory of an index in bytes."""
TARGET_RECALL = 0.975
"""Search effort is raised until this recall@10 is reached by both image and caption queries."""
_SUFFIXES = (".npy", ".faiss")
_PROBES = (4, 8, 16, 32, 64, 96, 128, 256, 512)
_EFFORTS = {"ivfsq": _PROBES, "ivfpq": _PROBES, "hnsw": (32, 64, 128, 256, 512)}
_SHORTLISTS = {
    "ivfsq": (50, 100, 200, 400),
    "ivfpq": (100, 200, 300, 400, 600, 800, 1200, 1600),
    "hnsw": (50, 200),
}
_MIN_GAIN = 0.003  # stop raising the effort if the recall grows by less than this


@dataclass(frozen=True)
class IndexFile:
    """Parameters and measurements of a written index; see `IndexManifest` for the fields."""

    file: str = ""
    error: float = 0.0
    effort: int = 0
    shortlist: int = 0
    recall: tuple[tuple[str, float], ...] = ()
    queries: int = 0


def build_index(
    store: EmbeddingStore,
    progress: Progress = silent,
    *,
    memory: int = DEFAULT_MEMORY,
    kind: str = "auto",
) -> IndexManifest:
    """Build an index of suitable type and replace the existing one.

    A search that has the old index open can continue to use it. If the build is killed, the old
    index stays.

    Args:
        store: the vectors to index.
        progress: called with the stages `train`, `index` and `measure`.
        memory: limit in bytes.
        kind: one of `KINDS`, or `auto`.

    Raises:
        ConfigError: the kind is unknown, or does not fit into the memory.
        CatalogueError: another process is building the same index.
        StoreError: there are no vectors.
        OutputError: the disk has no room; the old index stays.
        Cancelled: the callback asked to stop; the old index stays.
    """
    began = time.perf_counter()
    if not (store.flags & HAS_IMAGE).any():
        raise StoreError(f"{store.folder} has no vectors to index; embed pictures first")
    plan = plan_index(store.count, store.manifest.dim, memory, kind)
    folder = index_folder(store)
    with exclusive(folder):
        remove_dead_temporaries(folder)
        built = _build(store, plan, folder, progress)
        manifest = _manifest(store, plan, built, time.perf_counter() - began)
        files = folder.glob(f"{built.file.split('.')[0]}.*") if built.file else ()
        sums = {path.name: block_checksums(path) for path in files}
        manifest = replace(manifest, checksums=sums)
        write_json(folder / INDEX_MANIFEST, manifest.to_json())
        for path in folder.iterdir():
            # the file of scales has the name of the file of codes up to the first dot
            if path.suffix in _SUFFIXES and path.name.split(".")[0] != built.file.split(".")[0]:
                path.unlink()
    return manifest


def _build(store: EmbeddingStore, plan: IndexPlan, folder: Path, progress: Progress) -> IndexFile:
    if plan.kind in ("flat", "fp16"):
        return IndexFile()
    # a new name, so that the old file stays valid until the manifest refers to the new one
    token = f"{plan.kind}-{os.urandom(4).hex()}"
    if plan.kind == "int8":
        return write_codes(store.vectors, folder / f"{token}.npy", progress)
    return _write_faiss(store, plan, folder / f"{token}.faiss", progress)


def _manifest(
    store: EmbeddingStore, plan: IndexPlan, built: IndexFile, seconds: float
) -> IndexManifest:
    return IndexManifest(
        kind=plan.kind,
        reason=plan.reason,
        factory=plan.factory,
        file=built.file,
        encoder_id=store.encoder_id,
        dim=store.manifest.dim,
        count=store.count,
        rows_sha256=rows_digest(store, store.count),
        memory_bytes=plan.memory_bytes,
        error=built.error,
        effort=built.effort,
        shortlist=built.shortlist,
        recall_at_10=dict(built.recall) or {"pictures": 1.0},
        queries=built.queries,
        build_s=round(seconds, 3),
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


def write_codes(vectors: np.ndarray, path: Path, progress: Progress = silent) -> IndexFile:
    """Quantize float16 vectors to bytes, `128 + round(value * scale of its axis)`.

    The range of values differs strongly between axes, so each axis has its own scale, which is
    written to `scale_file(path)`.

    Args:
        vectors: (n, dim).
        path: `.npy` file to write.
        progress: called with the stage `index`.

    Returns:
        The file name, with the largest distance of a vector from its code as `error`.
    """
    largest = np.zeros(vectors.shape[1], np.float32)
    for _, block in float32_blocks(vectors):
        largest = np.maximum(largest, np.abs(block).max(axis=0))
    require_space(path.parent, vectors.size, "the int8 index")
    scale = (127 / np.maximum(largest, 1e-9)).astype(np.float32)
    with atomic_path(scale_file(path)) as part, part.open("wb") as file:
        np.save(file, scale)
    error = 0.0
    with atomic_path(path) as part:
        codes = create_array(part, vectors.shape, np.uint8)
        for start, block in float32_blocks(vectors):
            rounded = np.rint(block * scale)
            codes[start : start + len(block)] = (rounded + 128).astype(np.uint8)
            error = max(error, float(np.linalg.norm(block - rounded / scale, axis=1).max()))
            progress("index", start + len(block), len(vectors))
        codes.flush()
    # allow for rounding errors of the float32 sums
    return IndexFile(path.name, error=error * 1.0001)


def _write_faiss(
    store: EmbeddingStore, plan: IndexPlan, path: Path, progress: Progress
) -> IndexFile:
    faiss = faiss_module()
    usable = np.flatnonzero(store.flags & HAS_IMAGE).astype(np.int64)
    progress("train", 0, 1)
    index = train_index(store.vectors, usable, plan)
    progress("train", 1, 1)
    for start, block in float32_blocks(store.vectors):
        index.add(block)
        progress("index", start + len(block), store.count)
    parallelize_lists(index)
    built = _tune(store, plan, index, usable, path.name, progress)
    with atomic_path(path) as part:
        try:
            faiss.write_index(index, str(part))
        except RuntimeError as error:
            free = shutil.disk_usage(part.parent).free
            raise OutputError(
                f"{path} cannot be written ({free / 1e6:,.1f} MB free); make room and try again"
            ) from error
    return built


def _tune(
    store: EmbeddingStore,
    plan: IndexPlan,
    index: Any,  # noqa: ANN401
    usable: Int64[np.ndarray, " u"],
    file: str,
    progress: Progress,
) -> IndexFile:
    """Find the smallest effort that reaches the target recall, then the shortest candidate list.

    If no effort reaches the target, the effort is raised until the recall stops growing. The
    recall is recorded in either case.
    """
    groups = recall_queries(store, usable)
    matrix = Matrix(store.vectors, resident=False)
    truth = {
        name: tenth_best_scores(store.vectors, usable, queries) for name, queries in groups.items()
    }
    efforts, lengths = _EFFORTS[plan.kind], _SHORTLISTS[plan.kind]
    trials = len(efforts) + len(lengths)
    done = 0

    def measure(effort: int, length: int) -> dict[str, float]:
        nonlocal done
        progress("measure", done, trials)
        done += 1
        built = IndexFile(file, effort=effort, shortlist=length)
        candidate = FaissIndex(_manifest(store, plan, built, 0.0), index)
        return {
            name: recall_at_10(candidate, matrix, queries, truth[name])
            for name, queries in groups.items()
        }

    effort, best = efforts[0], -1.0
    for tried in efforts:
        lowest = min(measure(tried, lengths[-1]).values())
        if lowest < best + _MIN_GAIN:
            break
        effort, best = tried, lowest
        if lowest >= TARGET_RECALL:
            break
    for length in lengths:
        recall = measure(effort, length)
        if min(recall.values()) >= TARGET_RECALL:
            break
    progress("measure", trials, trials)
    rounded = tuple((name, round(value, 4)) for name, value in recall.items())
    return IndexFile(
        file, 0.0, effort, length, rounded, sum(len(g.self_rows) for g in groups.values())
    )
