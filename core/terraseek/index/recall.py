"""Measurement of the recall of an index against exact scores."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float32, Int64

from terraseek.embeddings.store import HAS_CAPTION, EmbeddingStore
from terraseek.index.index_types import Index
from terraseek.index.sampling import float32_blocks, float32_rows, sample_rows
from terraseek.index.scoring import Matrix

__all__ = ["RecallQueries", "recall_at_10", "recall_queries", "tenth_best_scores"]

_N_QUERIES = 100
_K = 10


@dataclass(frozen=True)
class RecallQueries:
    """Queries to measure the recall of an index with."""

    vectors: Float32[np.ndarray, "q dim"]
    self_rows: Int64[np.ndarray, " q"]
    """Row of each query itself, which does not count as a hit; -1 if it has none."""


def recall_queries(
    store: EmbeddingStore, usable: Int64[np.ndarray, " u"]
) -> dict[str, RecallQueries]:
    """Sample image vectors, and caption vectors, which are distributed like text queries."""
    rows = sample_rows(usable, _N_QUERIES, seed=1)
    groups = {"pictures": RecallQueries(float32_rows(store.vectors, rows), rows)}
    captioned = np.flatnonzero(store.flags & HAS_CAPTION).astype(np.int64)
    if len(captioned):
        rows = sample_rows(captioned, _N_QUERIES, seed=2)
        groups["captions"] = RecallQueries(
            float32_rows(store.captions, rows), np.full(len(rows), -1)
        )
    return groups


def tenth_best_scores(
    vectors: np.ndarray, usable: Int64[np.ndarray, " u"], queries: RecallQueries
) -> Float32[np.ndarray, " q"]:
    """Compute the exact score of the tenth best row of each query."""
    best = np.full((len(queries.self_rows), _K), -np.inf, np.float32)
    allowed = np.zeros(len(vectors), bool)
    allowed[usable] = True
    for start, block in float32_blocks(vectors):
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


def recall_at_10(
    index: Index, matrix: Matrix, queries: RecallQueries, tenth: Float32[np.ndarray, " q"]
) -> float:
    """Compute the fraction of the exact ten best that an index finds.

    Any row that scores at least as high as the tenth counts as one of the ten best.
    """
    found = 0
    for query, self_row, lowest in zip(queries.vectors, queries.self_rows, tenth, strict=True):
        rows = index.candidates(query, _K, partial(matrix.exact_scores, query=query))
        assert rows is not None
        rows = rows[rows != self_row]
        found += min(_K, int((matrix.exact_scores(rows, query) >= lowest - 2e-6).sum()))
    possible = int(np.isfinite(tenth).sum()) * _K
    return found / max(possible, 1)
