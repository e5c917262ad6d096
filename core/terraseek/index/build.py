"""Build an index of a store's vectors, measure what it finds, and write it whole or not at all."""

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
from terraseek.index.index import FaissIndex, share_lists
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

__all__ = ["DEFAULT_MEMORY", "TARGET_RECALL", "Built", "build_index", "write_codes"]

DEFAULT_MEMORY = 2 << 30
"""Bytes an index may hold unless said otherwise."""
TARGET_RECALL = 0.975
"""Effort is raised until so much of the exact ten best is found, by images and by captions."""
_SUFFIXES = (".npy", ".faiss")
_BLOCK = 1 << 15
_TRAINING = 1 << 19
_A_LIST = 40  # training rows a list, as few as FAISS accepts: more makes lists hardly better
_QUERIES = 100
_TEN = 10
_PROBES = (4, 8, 16, 32, 64, 96, 128, 256, 512)
_EFFORTS = {"ivfsq": _PROBES, "ivfpq": _PROBES, "hnsw": (32, 64, 128, 256, 512)}
_SHORTLISTS = {
    "ivfsq": (50, 100, 200, 400),
    "ivfpq": (100, 200, 300, 400, 600, 800, 1200, 1600),
    "hnsw": (50, 200),
}
_GAIN = 0.003  # more effort that finds less than this more is not worth its time
_HNSW_BUILD_EFFORT = 80


@dataclass(frozen=True)
class Built:
    """What is known of an index once it is written."""

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
    """Build the index that fits, in place of the one there is.

    A search that has the old one open goes on with it; a build that is killed leaves it.

    Args:
        store: whose vectors.
        progress: called with the stages `train`, `index` and `measure`.
        memory: bytes the index may hold.
        kind: one of `KINDS`, or `auto`.

    Raises:
        ConfigError: no such kind, or it does not fit into the memory.
        CatalogueError: another process builds the same.
        StoreError: there is nothing to index.
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
            # the file of scales shares its name with that of the codes up to the first dot
            if path.suffix in _SUFFIXES and path.name.split(".")[0] != built.file.split(".")[0]:
                path.unlink()
    return manifest


def _build(store: EmbeddingStore, plan: IndexPlan, folder: Path, progress: Progress) -> Built:
    if plan.kind in ("flat", "fp16"):
        return Built()
    # a name of its own, so that the old file stays whole until the manifest names the new one
    token = f"{plan.kind}-{os.urandom(4).hex()}"
    if plan.kind == "int8":
        return write_codes(store.vectors, folder / f"{token}.npy", progress)
    return _write_faiss(store, plan, folder / f"{token}.faiss", progress)


def _manifest(
    store: EmbeddingStore, plan: IndexPlan, built: Built, seconds: float
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


def write_codes(vectors: np.ndarray, path: Path, progress: Progress = silent) -> Built:
    """Write a byte for each number of float16 vectors, `128 + round(number * scale of its axis)`.

    Some axes of embeddings are many times as long as others, so each has a scale of its own, which
    goes into `scale_file(path)`.

    Args:
        vectors: (n, dim).
        path: `.npy` file to write.
        progress: called with the stage `index`.

    Returns:
        With how far the furthest vector is from its code.
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
    # float32 sums of the distances themselves are a little inexact
    return Built(path.name, error=error * 1.0001)


def _write_faiss(store: EmbeddingStore, plan: IndexPlan, path: Path, progress: Progress) -> Built:
    faiss = faiss_module()
    usable = np.flatnonzero(store.flags & HAS_IMAGE).astype(np.int64)
    progress("train", 0, 1)
    index = _trained(store.vectors, usable, plan)
    progress("train", 1, 1)
    for start, block in _blocks(store.vectors):
        index.add(block)
        progress("index", start + len(block), store.count)
    share_lists(index)
    built = _tuned(store, plan, index, usable, path.name, progress)
    with atomic_path(path) as part:
        faiss.write_index(index, str(part))
    return built


def _trained(vectors: np.ndarray, usable: Int64[np.ndarray, " u"], plan: IndexPlan) -> Any:  # noqa: ANN401
    """An index that has seen some vectors and holds none."""
    faiss = faiss_module()
    axes, factory = "", plan.factory
    if factory.startswith(AXES):
        axes, factory = factory.removeprefix(AXES).split(",", 1)
    dim = int(axes) if axes else vectors.shape[1]
    index = faiss.index_factory(dim, factory, faiss.METRIC_INNER_PRODUCT)
    if plan.kind == "hnsw":
        index.hnsw.efConstruction = _HNSW_BUILD_EFFORT
    enough = max(1 << 16, _A_LIST * getattr(index, "nlist", 0))
    seen = _rows(vectors, _sample(usable, min(_TRAINING, enough)))
    if axes:
        index = faiss.IndexPreTransform(_principal(seen, dim), index)
    index.train(seen)
    return index


def _principal(seen: Float32[np.ndarray, "s dim"], kept: int) -> Any:  # noqa: ANN401
    """The projection on the axes that hold most of the vectors' length.

    The mean is not taken off, so dot products with a query stay dot products: what they lose is the
    product of the parts outside, which are short.
    """
    faiss = faiss_module()
    _, axes = np.linalg.eigh(seen[: 1 << 16].T @ seen[: 1 << 16])
    projection = faiss.LinearTransform(seen.shape[1], kept, False)
    rows = np.ascontiguousarray(axes[:, ::-1].T[_paired(kept)], np.float32)
    faiss.copy_array_to_vector(rows.ravel(), projection.A)
    projection.is_trained = True
    return projection


def _paired(kept: int) -> Int64[np.ndarray, " kept"]:
    """The longest axis beside the shortest, and so on.

    A product code has as many bits for each pair, so pairs should hold alike (eigenvalue allocation
    of Ge et al., Optimized Product Quantization, 2013).
    """
    order = np.arange(kept)
    order[::2], order[1::2] = np.arange((kept + 1) // 2), np.arange(kept)[::-1][: kept // 2]
    return order


def _tuned(
    store: EmbeddingStore,
    plan: IndexPlan,
    index: Any,  # noqa: ANN401
    usable: Int64[np.ndarray, " u"],
    file: str,
    progress: Progress,
) -> Built:
    """The least effort that finds enough, then the shortest list that still does.

    Where nothing finds enough, effort ends where it gains nothing, and what it finds is told.
    """
    groups = _queries(store, usable)
    matrix = Matrix(store.vectors, resident=False)
    truth = {name: _exact_best(store.vectors, usable, asked) for name, asked in groups.items()}
    efforts, lengths = _EFFORTS[plan.kind], _SHORTLISTS[plan.kind]
    trials = len(efforts) + len(lengths)
    done = 0

    def measured(effort: int, length: int) -> dict[str, float]:
        nonlocal done
        progress("measure", done, trials)
        done += 1
        built = Built(file, effort=effort, shortlist=length)
        index_so = FaissIndex(_manifest(store, plan, built, 0.0), index)
        return {
            name: _recall(index_so, matrix, asked, truth[name]) for name, asked in groups.items()
        }

    effort, most = efforts[0], -1.0
    for tried in efforts:
        lowest = min(measured(tried, lengths[-1]).values())
        if lowest < most + _GAIN:
            break
        effort, most = tried, lowest
        if lowest >= TARGET_RECALL:
            break
    for length in lengths:
        recall = measured(effort, length)
        if min(recall.values()) >= TARGET_RECALL:
            break
    progress("measure", trials, trials)
    rounded = tuple((name, round(value, 4)) for name, value in recall.items())
    return Built(file, 0.0, effort, length, rounded, sum(len(g.own) for g in groups.values()))


@dataclass(frozen=True)
class Asked:
    """Queries the index is measured with."""

    vectors: Float32[np.ndarray, "q dim"]
    own: Int64[np.ndarray, " q"]
    """Row of each that is no answer, since it is the query itself; -1 where there is none."""


def _queries(store: EmbeddingStore, usable: Int64[np.ndarray, " u"]) -> dict[str, Asked]:
    """Some images, and some captions, which lie where sentences lie."""
    rows = _sample(usable, _QUERIES, seed=1)
    groups = {"pictures": Asked(_rows(store.vectors, rows), rows)}
    told = np.flatnonzero(store.flags & HAS_CAPTION).astype(np.int64)
    if len(told):
        rows = _sample(told, _QUERIES, seed=2)
        groups["captions"] = Asked(_rows(store.captions, rows), np.full(len(rows), -1))
    return groups


def _exact_best(
    vectors: np.ndarray, usable: Int64[np.ndarray, " u"], asked: Asked
) -> Float32[np.ndarray, " q"]:
    """Score of the tenth best row of each query."""
    best = np.full((len(asked.own), _TEN), -np.inf, np.float32)
    allowed = np.zeros(len(vectors), bool)
    allowed[usable] = True
    for start, block in _blocks(vectors):
        scores = asked.vectors @ block.T
        scores[:, ~allowed[start : start + len(block)]] = -np.inf
        here = np.flatnonzero((asked.own >= start) & (asked.own < start + len(block)))
        scores[here, asked.own[here] - start] = -np.inf
        joined = np.concatenate([best, scores], axis=1)
        best = np.partition(joined, joined.shape[1] - _TEN, axis=1)[:, -_TEN:]
    found: Float32[np.ndarray, " q"] = best.min(axis=1)
    return found


def _recall(
    index: FaissIndex, matrix: Matrix, asked: Asked, tenth: Float32[np.ndarray, " q"]
) -> float:
    """Share of hits at least as good as the exact tenth; ties are as good as each other."""
    found = 0
    for query, own, lowest in zip(asked.vectors, asked.own, tenth, strict=True):
        rows = index.likely(query, _TEN, partial(matrix.exact, query=query))
        assert rows is not None
        rows = rows[rows != own]
        found += min(_TEN, int((matrix.exact(rows, query) >= lowest - 2e-6).sum()))
    possible = int(np.isfinite(tenth).sum()) * _TEN
    return found / max(possible, 1)


def _sample(rows: Int64[np.ndarray, " u"], most: int, seed: int = 0) -> Int64[np.ndarray, " s"]:
    if len(rows) <= most:
        return rows
    chosen: Int64[np.ndarray, " s"] = np.random.default_rng(seed).choice(rows, most, replace=False)
    chosen.sort()
    return chosen


def _rows(vectors: np.ndarray, rows: Int64[np.ndarray, " s"]) -> Float32[np.ndarray, "s dim"]:
    return np.ascontiguousarray(vectors[rows], np.float32)
