"""Speed and recall of search: `python benchmarks/search.py [--items N] [--json]`.

`n`, `dim`        vectors searched: generated clusters or, with `--real CATALOGUE`, those of its
                  encoder, resampled with noise
`kind`            index chosen for the size (or `--kind`); `build_s`, `build_rss_gib`: its build
`recall_at_10`    of the exact ten best, for queries that the index was not tuned with
`p50_ms, p95_ms`  a query by the index, re-ranked exactly; `cpu_ms`: its mean CPU time
`rss_gib`         resident memory of the process after the queries; `rss_anon_gib`: without files
`filter_ms`       a filter on source, date and box through DuckDB
`filtered_exact_ms`  exact ten best among the items of a filter that 2 % pass
`exact_ms`        exact ten best without a filter, from the stored file, over at most 1,079,370
                  items (`exact_n`, the located items of RS5M); `exact_int8_ms`: the same with
                  certified byte codes
`cold_start_s`    start of a new process to its first result: open catalogue, vectors and index,
                  query by an item and words (with an encoder that needs no loading), read the
                  rows of ten hits; `cold_open_s`: without the start of Python and its imports;
                  `cold_cpu_s`: CPU time, which other load disturbs less; `cold_rss_gib`: memory
`numpy_ms, faiss_flat_ms`  brute force over the same vectors in float32, measured over `compared_n`
                  and scaled to n
`density_tile_ms` slowest tile of all zooms over n places

Every step runs in its own process, so that its memory is that of the step.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from common import peak_rss_gib, report, timed
from search_world import FILTER_SHARE, items_table, make_catalogue, make_store, sample_queries

from terraseek.embeddings.store import EmbeddingStore
from terraseek.index.candidates import Candidates
from terraseek.index.index_types import ExactIndex, Index
from terraseek.index.scoring import Matrix

LOCATED = 1_079_370
_QUERIES = 200
_REPEATS = 20
_COMPARED = 400_000

Figures = dict[str, Any]


def build(folder: Path, options: argparse.Namespace) -> Figures:
    """Build the index."""
    from terraseek.index.build import build_index

    manifest = build_index(EmbeddingStore.read(folder), kind=options.kind)
    return {
        "kind": manifest.factory or manifest.kind,
        "build_s": manifest.build_s,
        "build_rss_gib": peak_rss_gib(),
    }


def query(folder: Path, options: argparse.Namespace) -> Figures:
    """Queries by the index without a filter."""
    store = EmbeddingStore.read(folder)
    candidates = Candidates(store)
    queries = sample_queries(store, _QUERIES)
    for vector in queries[:10]:
        ten_best(candidates, candidates.usable, vector)
    seconds, results, cpu = [], [], time.process_time()
    for vector in queries:
        started = time.perf_counter()
        results.append(ten_best(candidates, candidates.usable, vector))
        seconds.append(time.perf_counter() - started)
    cpu = time.process_time() - cpu
    memory = _memory_gib()
    truth = tenth_best(store, queries)
    recall = [
        float((candidates.matrix.exact_scores(rows, vector) >= lowest - 2e-6).mean())
        for rows, vector, lowest in zip(results, queries, truth, strict=True)
    ]
    return {
        "recall_at_10": float(np.mean(recall)),
        "p50_ms": float(np.quantile(seconds, 0.5)) * 1e3,
        "p95_ms": float(np.quantile(seconds, 0.95)) * 1e3,
        "cpu_ms": cpu / len(queries) * 1e3,
        "rss_gib": memory["VmRSS"],
        "rss_anon_gib": memory["RssAnon"],
    }


def filtered(folder: Path, options: argparse.Namespace) -> Figures:
    """A filter by DuckDB, and exact results among the 2 % of items that pass another."""
    from terraseek.catalogue import Filter
    from terraseek.catalogue.filters.apply import ItemsTable
    from terraseek.geo import BBox

    store = EmbeddingStore.read(folder)
    candidates, table = Candidates(store), ItemsTable(items_table(store.count))
    queries = iter(sample_queries(store, 2 * _REPEATS))
    shifts = iter(np.linspace(0, 1, 2 * _REPEATS))

    def one_filter() -> None:
        # another box each time, because results of a filter are cached
        west = -20 + next(shifts)
        box = BBox(west, 20, west + 50, 60)
        table.rows(Filter(bbox=box, sources=("fmow", "ben"), date_from="2010", gsd_max=1))

    passed = table.rows(Filter(sql=f"share < {FILTER_SHARE}"))
    kept = candidates.usable[np.isin(candidates.usable, passed)]
    ranking = timed(lambda: ten_best(candidates, kept, next(queries), exact=True), _REPEATS, 3)
    return {
        "filter_ms": timed(one_filter, _REPEATS, 2).median * 1e3,
        "filtered_exact_ms": ranking.median * 1e3,
        "filtered_rows": len(kept),
    }


def exact(folder: Path, options: argparse.Namespace) -> Figures:
    """Exact results without a filter, from the stored file and from byte codes."""
    from terraseek.index.build import write_codes
    from terraseek.index.manifest import scale_file

    store = EmbeddingStore.read(folder)
    vectors = store.vectors[:LOCATED]
    matrix, queries = Matrix(vectors, resident=False), sample_queries(store, 2 * _REPEATS)
    built = write_codes(vectors, folder / "codes.npy")
    codes = np.load(folder / "codes.npy", mmap_mode="r")
    stored = ExactIndex(vectors)
    coded = ExactIndex(codes, np.load(scale_file(folder / "codes.npy")), built.error)
    same = all(
        np.array_equal(_best(stored, matrix, vector), _best(coded, matrix, vector))
        for vector in queries[:5]
    )
    assert same, "byte codes and stored vectors give different results"
    cycled = iter([*queries, *queries])
    scanned = timed(lambda: _best(stored, matrix, next(cycled)), _REPEATS, 3)
    certified = timed(lambda: _best(coded, matrix, next(cycled)), _REPEATS, 3)
    return {
        "exact_n": len(vectors),
        "exact_ms": scanned.median * 1e3,
        "exact_int8_ms": certified.median * 1e3,
    }


def _best(index: Index, matrix: Matrix, vector: np.ndarray) -> np.ndarray:
    """The ten best rows of an exact index."""
    rows = index.candidates(vector, 10, lambda some: matrix.exact_scores(some, vector))
    assert rows is not None, "the codes are too coarse to decide"
    best: np.ndarray = rows[np.lexsort((rows, -matrix.exact_scores(rows, vector).round(7)))[:10]]
    return best


def cold(folder: Path, options: argparse.Namespace) -> Figures:
    """First result of a process that has opened nothing yet."""
    from terraseek.catalogue import Catalogue
    from terraseek.encoders.fake import FakeEncoder
    from terraseek.search import Query, Searcher

    started = time.perf_counter()
    catalogue = Catalogue.open(folder.parent.parent)
    store = EmbeddingStore.open(catalogue)
    searcher = Searcher(catalogue, FakeEncoder(store.manifest.dim), store)
    key = catalogue.item_ids[catalogue.row_count // 2].decode()
    result = searcher.search(Query(text="dark water", item_id=key), 10)
    items = [catalogue.item(hit.item_id) for hit in result.hits]
    assert len(items) == 10, items
    seconds = time.perf_counter() - started
    return {
        "cold_open_s": seconds,
        "cold_cpu_s": time.process_time(),
        "cold_rss_gib": _memory_gib()["VmRSS"],
    }


def compare(folder: Path, options: argparse.Namespace) -> Figures:
    """NumPy and the flat index of FAISS, with their defaults."""
    import faiss

    store = EmbeddingStore.read(folder)
    vectors = np.asarray(store.vectors[:_COMPARED], np.float32)
    queries, scale = sample_queries(store, 8), store.count / len(vectors)
    cycled = iter([*queries, *queries])
    brute = timed(lambda: np.argpartition(-(vectors @ next(cycled)), 10)[:10], 6, 2)
    flat = faiss.IndexFlatIP(store.manifest.dim)
    flat.add(vectors)
    cycled = iter([*queries, *queries])
    plain = timed(lambda: flat.search(next(cycled)[None], 10), 6, 2)
    return {
        "numpy_ms": brute.median * 1e3 * scale,
        "faiss_flat_ms": plain.median * 1e3 * scale,
        "compared_n": len(vectors),
    }


def density(folder: Path, options: argparse.Namespace) -> Figures:
    """Density tiles over as many places."""
    from terraseek.geo import lonlat_to_tile
    from terraseek.tiles.density import DensityIndex

    table: Any = items_table(EmbeddingStore.read(folder).count)
    lon, lat = (table[name].to_numpy() for name in ("lon", "lat"))
    index = DensityIndex.build(lon, lat)
    slowest = 0.0
    for zoom in range(15):
        x, y = lonlat_to_tile(float(lon[0]), float(lat[0]), zoom)
        slowest = max(slowest, timed(partial(index.png, zoom, x, y), 5).median)
    return {"density_tile_ms": slowest * 1e3, "density_gib": index.nbytes / 2**30}


STEPS: dict[str, Callable[[Path, argparse.Namespace], Figures]] = {
    "build": build,
    "query": query,
    "filtered": filtered,
    "exact": exact,
    "cold": cold,
    "compare": compare,
    "density": density,
}


def ten_best(
    candidates: Candidates, rows: np.ndarray, vector: np.ndarray, exact: bool = False
) -> Any:  # noqa: ANN401
    """The ten best rows, as a search finds them."""
    found, _ = candidates.find(rows, vector, 10, exact)
    scores = candidates.matrix.exact_scores(found, vector)
    return found[np.lexsort((found, -scores))[:10]]


def tenth_best(store: EmbeddingStore, queries: np.ndarray) -> np.ndarray:
    """Exact score of the tenth best row of each query, by blocks of a matrix product."""
    best = np.full((len(queries), 10), -np.inf, np.float32)
    for start in range(0, store.count, 1 << 15):
        scores = queries @ np.asarray(store.vectors[start : start + (1 << 15)], np.float32).T
        both = np.concatenate([best, scores], axis=1)
        best = np.partition(both, both.shape[1] - 10, axis=1)[:, -10:]
    tenth: np.ndarray = best.min(axis=1)
    return tenth


def _memory_gib() -> dict[str, float]:
    """Memory of this process in GiB by kind, from /proc (Linux)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    sizes = dict(line.split(":", 1) for line in lines if line.endswith("kB"))
    return {key: int(value.split()[0]) / 2**20 for key, value in sizes.items()}


def _run(step: str, folder: Path, options: argparse.Namespace) -> Figures:
    """Run a step in its own process."""
    command = [sys.executable, __file__, "--step", step, "--folder", str(folder)]
    started = time.perf_counter()
    done = subprocess.run(
        [*command, "--kind", options.kind], stdout=subprocess.PIPE, text=True, check=True
    )
    figures: Figures = json.loads(done.stdout)
    if step == "cold":
        figures["cold_start_s"] = time.perf_counter() - started
    return figures


def _real(catalogue: str | None) -> np.ndarray | None:
    if catalogue is None:
        return None
    from terraseek.catalogue import Catalogue
    from terraseek.embeddings.store import HAS_IMAGE

    store = EmbeddingStore.open(Catalogue.open(catalogue))
    return np.asarray(store.vectors)[(store.flags & HAS_IMAGE) > 0]


def main() -> None:
    """Run the steps and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--items", type=int, default=5_000_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--kind", default="auto")
    parser.add_argument("--real", metavar="CATALOGUE", help="vectors of its encoder, resampled")
    parser.add_argument("--work", type=Path, help="folder for temporary files")
    parser.add_argument("--keep", type=Path, help="folder in which files are kept and reused")
    parser.add_argument("--only", nargs="*", choices=STEPS, default=list(STEPS))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        print(json.dumps(STEPS[options.step](options.folder, options)))
        return
    with ExitStack() as stack:
        work = options.keep or Path(
            stack.enter_context(tempfile.TemporaryDirectory(dir=options.work))
        )
        folder = work / "cat/embeddings/fake"
        if not (folder / "manifest.json").is_file():
            make_store(folder, options.items, options.dim, _real(options.real))
        if not (work / "cat/items.parquet").is_file():
            make_catalogue(work / "cat", options.items)
        store = EmbeddingStore.read(folder)
        figures: Figures = {"n": store.count, "dim": store.manifest.dim}
        figures["vectors"] = "clustered" if options.real is None else "resampled"
        del store
        for step in options.only:
            figures |= _run(step, folder, options)
    report("search", figures, options.json)


if __name__ == "__main__":
    main()
