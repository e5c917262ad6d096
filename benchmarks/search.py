"""How fast and how well items are found: `python benchmarks/search.py [--items N] [--json]`.

`n`, `dim`        vectors searched: clustered ones made by code, or, with `--real CATALOGUE`, those
                  of its encoder drawn with repetition and moved by noise
`kind`            index the size called for (or `--kind`); `build_s`, `build_rss_gib`: its making
`recall_at_10`    of the exact ten best, by queries the index was not tuned with
`p50_ms, p95_ms`  a query by the index, re-ranked exactly; `cpu_ms`: its mean CPU time
`rss_gib`         resident memory of a process that answered them; `rss_anon_gib`: without files
`filter_ms`       a filter on source, date and box through DuckDB; then, for a filter that 2 % pass,
`filtered_exact_ms`  the exact ten best among them
`exact_ms`        unfiltered exact ten best of the stored file, at most of RS5M's 1,079,370 located
                  items (`exact_n`); `exact_int8_ms`: the same by certified byte codes
`cold_start_s`    new process to first answer: catalogue, vectors and index opened, a query of an
                  item and words (by an encoder that needs no loading), the rows of its ten hits;
                  `cold_open_s` of it without Python and its modules; `cold_cpu_s`: CPU time of the
                  whole, which a busy machine disturbs less; `cold_rss_gib`: its memory
`numpy_ms, faiss_flat_ms`  brute force over the same vectors in float32, measured over `compared_n`
                  and scaled to n
`density_tile_ms` slowest of tiles at all zooms over n places

Every step runs in a process of its own, so that memory is that step's.
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
from search_world import FILTER_SHARE, items_table, make_catalogue, make_store, queries_of

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
    """Unfiltered queries by the index."""
    store = EmbeddingStore.read(folder)
    chosen = Candidates(store)
    asked = queries_of(store, _QUERIES)
    for vector in asked[:10]:
        answer(chosen, chosen.usable, vector)
    seconds, answers, work = [], [], time.process_time()
    for vector in asked:
        began = time.perf_counter()
        answers.append(answer(chosen, chosen.usable, vector))
        seconds.append(time.perf_counter() - began)
    work = time.process_time() - work
    resident = _resident()
    truth = tenth_best(store, asked)
    hit = [
        float((chosen.matrix.exact_scores(rows, vector) >= lowest - 2e-6).mean())
        for rows, vector, lowest in zip(answers, asked, truth, strict=True)
    ]
    return {
        "recall_at_10": float(np.mean(hit)),
        "p50_ms": float(np.quantile(seconds, 0.5)) * 1e3,
        "p95_ms": float(np.quantile(seconds, 0.95)) * 1e3,
        "cpu_ms": work / len(asked) * 1e3,
        "rss_gib": resident["VmRSS"],
        "rss_anon_gib": resident["RssAnon"],
    }


def filtered(folder: Path, options: argparse.Namespace) -> Figures:
    """A filter by DuckDB, and exact answers among the 2 % that pass another."""
    from terraseek.catalogue import Filter
    from terraseek.catalogue.filters.apply import ItemsTable
    from terraseek.geo import BBox

    store = EmbeddingStore.read(folder)
    chosen, table = Candidates(store), ItemsTable(items_table(store.count))
    asked = iter(queries_of(store, 2 * _REPEATS))
    shifts = iter(np.linspace(0, 1, 2 * _REPEATS))

    def one_filter() -> None:
        # another box each time: answers to the same filter are remembered
        west = -20 + next(shifts)
        box = BBox(west, 20, west + 50, 60)
        table.rows(Filter(bbox=box, sources=("fmow", "ben"), date_from="2010", gsd_max=1))

    passed = table.rows(Filter(sql=f"share < {FILTER_SHARE}"))
    kept = chosen.usable[np.isin(chosen.usable, passed)]
    ranking = timed(lambda: answer(chosen, kept, next(asked), exact=True), _REPEATS, 3)
    return {
        "filter_ms": timed(one_filter, _REPEATS, 2).median * 1e3,
        "filtered_exact_ms": ranking.median * 1e3,
        "filtered_rows": len(kept),
    }


def exact(folder: Path, options: argparse.Namespace) -> Figures:
    """Unfiltered exact answers, from the stored file and from byte codes."""
    from terraseek.index.build import write_codes
    from terraseek.index.manifest import scale_file

    store = EmbeddingStore.read(folder)
    vectors = store.vectors[:LOCATED]
    matrix, asked = Matrix(vectors, resident=False), queries_of(store, 2 * _REPEATS)
    built = write_codes(vectors, folder / "codes.npy")
    codes = np.load(folder / "codes.npy", mmap_mode="r")
    stored = ExactIndex(vectors)
    coded = ExactIndex(codes, np.load(scale_file(folder / "codes.npy")), built.error)
    same = all(
        np.array_equal(_best(stored, matrix, vector), _best(coded, matrix, vector))
        for vector in asked[:5]
    )
    assert same, "byte codes and stored vectors give different answers"
    turn = iter([*asked, *asked])
    scanned = timed(lambda: _best(stored, matrix, next(turn)), _REPEATS, 3)
    certified = timed(lambda: _best(coded, matrix, next(turn)), _REPEATS, 3)
    return {
        "exact_n": len(vectors),
        "exact_ms": scanned.median * 1e3,
        "exact_int8_ms": certified.median * 1e3,
    }


def _best(index: Index, matrix: Matrix, vector: np.ndarray) -> np.ndarray:
    """The ten best rows of an exact index."""
    rows = index.candidates(vector, 10, lambda some: matrix.exact_scores(some, vector))
    assert rows is not None, "the codes could not tell"
    best: np.ndarray = rows[np.lexsort((rows, -matrix.exact_scores(rows, vector).round(7)))[:10]]
    return best


def cold(folder: Path, options: argparse.Namespace) -> Figures:
    """First answer of a process that has opened nothing yet."""
    from terraseek.catalogue import Catalogue
    from terraseek.encoders.fake import FakeEncoder
    from terraseek.search import Query, Searcher

    began = time.perf_counter()
    catalogue = Catalogue.open(folder.parent.parent)
    store = EmbeddingStore.open(catalogue)
    searcher = Searcher(catalogue, FakeEncoder(store.manifest.dim), store)
    key = catalogue.item_ids[catalogue.row_count // 2].decode()
    result = searcher.search(Query(text="dark water", item_id=key), 10)
    items = [catalogue.item(hit.item_id) for hit in result.hits]
    assert len(items) == 10, items
    seconds = time.perf_counter() - began
    return {
        "cold_open_s": seconds,
        "cold_cpu_s": time.process_time(),
        "cold_rss_gib": _resident()["VmRSS"],
    }


def compare(folder: Path, options: argparse.Namespace) -> Figures:
    """NumPy and FAISS' flat index with their defaults."""
    import faiss

    store = EmbeddingStore.read(folder)
    vectors = np.asarray(store.vectors[:_COMPARED], np.float32)
    asked, scale = queries_of(store, 8), store.count / len(vectors)
    turn = iter([*asked, *asked])
    brute = timed(lambda: np.argpartition(-(vectors @ next(turn)), 10)[:10], 6, 2)
    flat = faiss.IndexFlatIP(store.manifest.dim)
    flat.add(vectors)
    turn = iter([*asked, *asked])
    plain = timed(lambda: flat.search(next(turn)[None], 10), 6, 2)
    return {
        "numpy_ms": brute.median * 1e3 * scale,
        "faiss_flat_ms": plain.median * 1e3 * scale,
        "compared_n": len(vectors),
    }


def density(folder: Path, options: argparse.Namespace) -> Figures:
    """Tiles over as many places."""
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


def answer(chosen: Candidates, rows: np.ndarray, vector: np.ndarray, exact: bool = False) -> Any:  # noqa: ANN401
    """The ten best rows, as a search finds them."""
    found, _ = chosen.find(rows, vector, 10, exact)
    scores = chosen.matrix.exact_scores(found, vector)
    return found[np.lexsort((found, -scores))[:10]]


def tenth_best(store: EmbeddingStore, asked: np.ndarray) -> np.ndarray:
    """Exact score of the tenth best of each query, by blocks of a matrix product."""
    best = np.full((len(asked), 10), -np.inf, np.float32)
    for start in range(0, store.count, 1 << 15):
        scores = asked @ np.asarray(store.vectors[start : start + (1 << 15)], np.float32).T
        joined = np.concatenate([best, scores], axis=1)
        best = np.partition(joined, joined.shape[1] - 10, axis=1)[:, -10:]
    tenth: np.ndarray = best.min(axis=1)
    return tenth


def _resident() -> dict[str, float]:
    """GiB by kind out of /proc (Linux)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    sizes = dict(line.split(":", 1) for line in lines if line.endswith("kB"))
    return {key: int(value.split()[0]) / 2**20 for key, value in sizes.items()}


def _run(step: str, folder: Path, options: argparse.Namespace) -> Figures:
    """A step in its own process."""
    command = [sys.executable, __file__, "--step", step, "--folder", str(folder)]
    began = time.perf_counter()
    done = subprocess.run(
        [*command, "--kind", options.kind], stdout=subprocess.PIPE, text=True, check=True
    )
    figures: Figures = json.loads(done.stdout)
    if step == "cold":
        figures["cold_start_s"] = time.perf_counter() - began
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
    parser.add_argument("--work", type=Path, help="where to put files; a temporary folder without")
    parser.add_argument("--keep", type=Path, help="folder to make the files in, or to take them of")
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
