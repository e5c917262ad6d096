"""Build an index over a store's vectors, tune it, measure its recall, and write it atomically."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from terraseek.catalogue.locking import exclusive
from terraseek.embeddings.store import HAS_CAPTION, HAS_IMAGE, EmbeddingStore
from terraseek.errors import StoreError
from terraseek.files import atomic_path, write_json
from terraseek.index.index_types import FaissIndex, parallelize_lists
from terraseek.index.manifest import (
    INDEX_MANIFEST,
    IndexManifest,
    index_folder,
    rows_digest,
    scale_file,
)
from terraseek.index.plan import AXES, IndexPlan, plan_index
from terraseek.index.scan import faiss_module
from terraseek.index.scoring import Matrix
from terraseek.progress import Progress, silent

__all__ = ["DEFAULT_MEMORY", "TARGET_RECALL", "IndexFile", "build_index", "write_codes"]

DEFAULT_MEMORY = 2 << 30
"""Default limit of the memory of an index in bytes."""
TARGET_RECALL = 0.975
"""Search effort is raised until this recall@10 is reached by both image and caption queries."""
_SUFFIXES = (".npy", ".faiss")
_BLOCK = 1 << 15
_MAX_TRAINING = 1 << 19
_ROWS_PER_LIST = 40  # training rows per list, about FAISS' minimum: more hardly helps
_N_QUERIES = 100
_K = 10
_PROBES = (4, 8, 16, 32, 64, 96, 128, 256, 512)
_EFFORTS = {"ivfsq": _PROBES, "ivfpq": _PROBES, "hnsw": (32, 64, 128, 256, 512)}
_SHORTLISTS = {
    "ivfsq": (50, 100, 200, 400),
    "ivfpq": (100, 200, 300, 400, 600, 800, 1200, 1600),
    "hnsw": (50, 200),
}
_MIN_GAIN = 0.003  # stop raising the effort if the recall grows by less than this
_HNSW_EF_CONSTRUCTION = 80


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
        Cancelled: the callback asked to stop; the old index stays.
    """
    began = time.perf_counter()
    if not (store.flags & HAS_IMAGE).any():
        raise StoreError(f"{store.folder} has no vectors to index; embed pictures first")
    plan = plan_index(store.count, store.manifest.dim, memory, kind)
    folder = index_folder(store)
    with exclusive(folder):
        built = _build(store, plan, folder, progress)
        manifest = _manifest(store, plan, built, time.perf_counter() - began)
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


def _blocks(vectors: np.ndarray) -> Iterator[tuple[int, Float32[np.ndarray, "m dim"]]]:
    for start in range(0, len(vectors), _BLOCK):
        yield start, np.asarray(vectors[start : start + _BLOCK], np.float32)


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
    for _, block in _blocks(vectors):
        largest = np.maximum(largest, np.abs(block).max(axis=0))
    scale = (127 / np.maximum(largest, 1e-9)).astype(np.float32)
    with atomic_path(scale_file(path)) as part, part.open("wb") as file:
        np.save(file, scale)
    error = 0.0
    with atomic_path(path) as part:
        codes = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=vectors.shape)
        for start, block in _blocks(vectors):
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
    index = _train(store.vectors, usable, plan)
    progress("train", 1, 1)
    for start, block in _blocks(store.vectors):
        index.add(block)
        progress("index", start + len(block), store.count)
    parallelize_lists(index)
    built = _tune(store, plan, index, usable, path.name, progress)
    with atomic_path(path) as part:
        faiss.write_index(index, str(part))
    return built


def _train(vectors: np.ndarray, usable: Int64[np.ndarray, " u"], plan: IndexPlan) -> Any:  # noqa: ANN401
    """Create an empty index, trained on a sample of the vectors."""
    faiss = faiss_module()
    axes, factory = "", plan.factory
    if factory.startswith(AXES):
        axes, factory = factory.removeprefix(AXES).split(",", 1)
    dim = int(axes) if axes else vectors.shape[1]
    index = faiss.index_factory(dim, factory, faiss.METRIC_INNER_PRODUCT)
    if plan.kind == "hnsw":
        index.hnsw.efConstruction = _HNSW_EF_CONSTRUCTION
    n_training = max(1 << 16, _ROWS_PER_LIST * getattr(index, "nlist", 0))
    sample = _rows(vectors, _sample(usable, min(_MAX_TRAINING, n_training)))
    if axes:
        index = faiss.IndexPreTransform(_principal_axes(sample, dim), index)
    index.train(sample)
    return index


def _principal_axes(sample: Float32[np.ndarray, "s dim"], n_axes: int) -> Any:  # noqa: ANN401
    """Projection to the axes with the largest second moments.

    The mean is not subtracted, so dot products with a query are preserved except for the components
    outside, which are small.
    """
    faiss = faiss_module()
    _, axes = np.linalg.eigh(sample[: 1 << 16].T @ sample[: 1 << 16])
    projection = faiss.LinearTransform(sample.shape[1], n_axes, False)
    rows = np.ascontiguousarray(axes[:, ::-1].T[_axis_order(n_axes)], np.float32)
    faiss.copy_array_to_vector(rows.ravel(), projection.A)
    projection.is_trained = True
    return projection


def _axis_order(n_axes: int) -> Int64[np.ndarray, " n_axes"]:
    """Order of the axes that pairs the largest with the smallest, and so on.

    Product quantization spends equal bits on each pair, so pairs should have similar variance
    (eigenvalue allocation of Ge et al., Optimized Product Quantization, 2013).
    """
    order = np.arange(n_axes)
    order[::2], order[1::2] = np.arange((n_axes + 1) // 2), np.arange(n_axes)[::-1][: n_axes // 2]
    return order


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
    groups = _recall_queries(store, usable)
    matrix = Matrix(store.vectors, resident=False)
    truth = {name: _tenth_best(store.vectors, usable, queries) for name, queries in groups.items()}
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
            name: _recall(candidate, matrix, queries, truth[name])
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


@dataclass(frozen=True)
class RecallQueries:
    """Queries to measure the recall of an index with."""

    vectors: Float32[np.ndarray, "q dim"]
    self_rows: Int64[np.ndarray, " q"]
    """Row of each query itself, which does not count as a hit; -1 if it has none."""


def _recall_queries(
    store: EmbeddingStore, usable: Int64[np.ndarray, " u"]
) -> dict[str, RecallQueries]:
    """Sample image vectors and caption vectors; the latter are distributed like text queries."""
    rows = _sample(usable, _N_QUERIES, seed=1)
    groups = {"pictures": RecallQueries(_rows(store.vectors, rows), rows)}
    captioned = np.flatnonzero(store.flags & HAS_CAPTION).astype(np.int64)
    if len(captioned):
        rows = _sample(captioned, _N_QUERIES, seed=2)
        groups["captions"] = RecallQueries(_rows(store.captions, rows), np.full(len(rows), -1))
    return groups


def _tenth_best(
    vectors: np.ndarray, usable: Int64[np.ndarray, " u"], queries: RecallQueries
) -> Float32[np.ndarray, " q"]:
    """Exact score of the tenth best row of each query."""
    best = np.full((len(queries.self_rows), _K), -np.inf, np.float32)
    allowed = np.zeros(len(vectors), bool)
    allowed[usable] = True
    for start, block in _blocks(vectors):
        scores = queries.vectors @ block.T
        scores[:, ~allowed[start : start + len(block)]] = -np.inf
        here = np.flatnonzero(
            (queries.self_rows >= start) & (queries.self_rows < start + len(block))
        )
        scores[here, queries.self_rows[here] - start] = -np.inf
        merged = np.concatenate([best, scores], axis=1)
        best = np.partition(merged, merged.shape[1] - _K, axis=1)[:, -_K:]
    found: Float32[np.ndarray, " q"] = best.min(axis=1)
    return found


def _recall(
    index: FaissIndex, matrix: Matrix, queries: RecallQueries, tenth: Float32[np.ndarray, " q"]
) -> float:
    """Fraction of the ten best that are found; any row that scores as high as the tenth counts."""
    found = 0
    for query, self_row, lowest in zip(queries.vectors, queries.self_rows, tenth, strict=True):
        rows = index.candidates(query, _K, partial(matrix.exact_scores, query=query))
        assert rows is not None
        rows = rows[rows != self_row]
        found += min(_K, int((matrix.exact_scores(rows, query) >= lowest - 2e-6).sum()))
    possible = int(np.isfinite(tenth).sum()) * _K
    return found / max(possible, 1)


def _sample(rows: Int64[np.ndarray, " u"], most: int, seed: int = 0) -> Int64[np.ndarray, " s"]:
    if len(rows) <= most:
        return rows
    chosen: Int64[np.ndarray, " s"] = np.random.default_rng(seed).choice(rows, most, replace=False)
    chosen.sort()
    return chosen


def _rows(vectors: np.ndarray, rows: Int64[np.ndarray, " s"]) -> Float32[np.ndarray, "s dim"]:
    return np.ascontiguousarray(vectors[rows], np.float32)
