"""Recall of Qdrant's graph under filters, by selectivity, search effort and length of the list.

    python benchmarks/qdrant_recall.py --count 20000 --dim 128

It measures the engine itself, as a library (`pip install qdrant-edge-py`), against a scan of all
vectors. The filter is a random set of points with an indexed payload; `list` is the number of
candidates asked for, of which the exact ten best are counted.
"""

import argparse
import json
import tempfile
import time
from importlib import import_module
from typing import Any

import numpy as np

edge: Any = import_module("qdrant_edge")

SELECTIVITIES = (0.9, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
EFFORTS = (64, 128, 256, 512)
LISTS = (10, 50, 200)


def clustered(count: int, dim: int, seed: int) -> np.ndarray:
    """Unit vectors around `count / 50` centres, as those of images of the same kinds of places."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(max(2, count // 50), dim))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    vectors = centres[random.integers(0, len(centres), count)]
    vectors = vectors + 0.12 * random.normal(size=(count, dim))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: np.ndarray = vectors.astype(np.float32)
    return unit


def filled(folder: str, vectors: np.ndarray, draws: np.ndarray) -> Any:  # noqa: ANN401 - untyped package
    """A shard with the vectors, indexed by a graph; payload `draw` is uniform in 0..1."""
    shard = edge.EdgeShard.create(
        folder,
        edge.EdgeConfig(
            vectors=edge.EdgeVectorParams(
                size=vectors.shape[1],
                distance=edge.Distance.Dot,
                datatype=edge.VectorStorageDatatype.Float16,
            ),
            hnsw_config=edge.HnswIndexConfig(m=16, ef_construct=100, full_scan_threshold=1),
            optimizers=edge.EdgeOptimizersConfig(indexing_threshold=1),
        ),
    )
    shard.update(edge.UpdateOperation.create_field_index("draw", edge.PayloadSchemaType.Float))
    for start in range(0, len(vectors), 2000):
        points = [
            edge.Point(id=row, vector=vectors[row].tolist(), payload={"draw": float(draws[row])})
            for row in range(start, min(start + 2000, len(vectors)))
        ]
        shard.update(edge.UpdateOperation.upsert_points(points))
    shard.optimize()
    return shard


def ask(
    shard: Any,  # noqa: ANN401
    query: np.ndarray,
    limit: int,
    most: float,
    params: Any,  # noqa: ANN401
) -> list[int]:
    """Rows of one filtered search, best first."""
    condition = edge.FieldCondition(key="draw", range=edge.RangeFloat(lte=most))
    request = edge.QueryRequest(
        limit=limit,
        query=edge.Query.Nearest(query.tolist()),
        filter=edge.Filter(must=[condition]),
        params=params,
    )
    return [int(point.id) for point in shard.query(request)]


def measure(
    shard: Any,  # noqa: ANN401
    vectors: np.ndarray,
    draws: np.ndarray,
    queries: np.ndarray,
) -> list[dict[str, Any]]:
    """Recall of the ten best and milliseconds a query, for every setting."""
    rows = []
    for most in SELECTIVITIES:
        allowed = np.flatnonzero(draws <= most)
        scores = queries @ vectors[allowed].T
        best = [set(allowed[np.argsort(-s, kind="stable")[:10]].tolist()) for s in scores]
        settings = [(effort, length) for effort in EFFORTS for length in LISTS]
        for effort, length in [(0, 10), *settings]:
            params = edge.SearchParams(hnsw_ef=effort or None, exact=not effort)
            began = time.perf_counter()
            found = [ask(shard, query, length, most, params) for query in queries]
            seconds = time.perf_counter() - began
            hits = sum(len(want & set(got)) for want, got in zip(best, found, strict=True))
            rows.append(
                {
                    "selectivity": most,
                    "effort": effort or "exact",
                    "list": length,
                    "recall": round(hits / (10 * len(queries)), 4),
                    "ms": round(1000 * seconds / len(queries), 2),
                }
            )
    return rows


def main() -> None:
    """Print one JSON object a setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--queries", type=int, default=100)
    options = parser.parse_args()
    vectors = clustered(options.count, options.dim, 0)
    draws = np.random.default_rng(1).random(options.count)
    random = np.random.default_rng(2)
    queries = vectors[random.integers(0, options.count, options.queries)]
    queries = queries + 0.05 * random.normal(size=queries.shape)
    queries = (queries / np.linalg.norm(queries, axis=1, keepdims=True)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        shard = filled(folder, vectors, draws)
        print(json.dumps({"built_s": round(time.perf_counter() - began, 1)}), flush=True)
        for row in measure(shard, vectors, draws, queries):
            print(json.dumps(row), flush=True)
        shard.close()


if __name__ == "__main__":
    main()
