"""Indexes of all kinds against brute force, and indexes that must not be used."""

import json
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from terraseek.embeddings.store import HAS_CAPTION, HAS_IMAGE, EmbeddingStore, Manifest, hash_ids
from terraseek.errors import (
    Cancelled,
    ConfigError,
    EncoderMismatchError,
    StoreCorruptError,
    StoreError,
)
from terraseek.files import write_json
from terraseek.index import candidates, plan
from terraseek.index.build import build_index
from terraseek.index.candidates import Candidates
from terraseek.index.index_types import FaissIndex, open_index
from terraseek.index.manifest import IndexManifest, index_folder
from terraseek.index.plan import KINDS, parse_memory, plan_index
from terraseek.index.scan import CodeScan, certified_top_k, row_bitmap
from terraseek.index.scoring import Matrix

COUNT, DIM = 3000, 32
MISSING_EVERY = 7  # every 7th row has no vector


def clustered(count: int, dim: int, seed: int = 0, noise: float = 0.12) -> np.ndarray:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(max(2, count // 50), dim))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    vectors = centres[random.integers(0, len(centres), count)]
    vectors += noise * random.normal(size=(count, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


def write_store(
    folder: Path, vectors: np.ndarray, encoder_id: str = "x@1", missing_every: int = MISSING_EVERY
):
    count, dim = vectors.shape
    flags = np.full(count, HAS_IMAGE | HAS_CAPTION, np.uint8)
    if missing_every:
        flags[::missing_every] = HAS_CAPTION
    vectors = np.where((flags & HAS_IMAGE)[:, None] > 0, vectors, np.float16(0))
    ids = np.array([f"{i:012d}" for i in range(count)], "S12")
    folder.mkdir(parents=True, exist_ok=True)
    captions = clustered(count, dim, seed=9)
    for name, array in (
        ("vectors", vectors), ("captions", captions), ("flags", flags), ("item_ids", ids),
    ):  # fmt: skip
        np.save(folder / f"{name}.npy", array)
    manifest = Manifest(
        "x", encoder_id, None, None, dim, "float16", True, count, 0, count, hash_ids(ids), "now"
    )
    write_json(folder / "manifest.json", manifest.to_json())
    return EmbeddingStore.read(folder)


@pytest.fixture
def store(tmp_path: Path) -> EmbeddingStore:
    return write_store(tmp_path / "cat/embeddings/x", clustered(COUNT, DIM))


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, EmbeddingStore]:
    stores = {}
    for kind in KINDS:
        folder = tmp_path_factory.mktemp(kind) / "cat/embeddings/x"
        stores[kind] = write_store(folder, clustered(COUNT, DIM))
        build_index(stores[kind], kind=kind)
    return stores


def exact_best(store: EmbeddingStore, rows: np.ndarray, query: np.ndarray, k: int) -> np.ndarray:
    scores = (store.vectors[rows].astype(np.float64) @ query.astype(np.float64)).round(7)
    return rows[np.lexsort((rows, -scores))[:k]]


def ranked(store: EmbeddingStore, rows: np.ndarray, query: np.ndarray, k: int) -> np.ndarray:
    return exact_best(store, np.sort(rows), query, k)


def query_of(seed: int, dim: int = DIM) -> np.ndarray:
    vector = clustered(50, dim, seed=0)[seed % 50].astype(np.float32)
    vector += 0.1 * np.random.default_rng(seed).normal(size=dim).astype(np.float32)
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize(
    ("count", "dim", "memory", "kind"),
    [
        (0, 512, 2 << 30, "flat"),
        (1000, 256, 2 << 30, "flat"),
        (131_072, 512, 2 << 30, "flat"),
        (131_073, 512, 2 << 30, "fp16"),
        (1_079_370, 512, 2 << 30, "fp16"),
        (1_079_370, 512, 1 << 30, "int8"),
        (5_070_186, 512, 2 << 30, "ivfpq"),
        (5_070_186, 512, 1 << 30, "ivfpq"),
        (5_070_186, 512, 100 << 20, "fp16"),
        (5_070_186, 256, 2 << 30, "ivfpq"),
        (20_000_000, 128, 4 << 30, "ivfsq"),
        (20_000_000, 128, 2 << 30, "ivfsq"),
        (20_000_000, 128, 1 << 30, "ivfpq"),
        (500_000, 512, 100 << 20, "ivfpq"),
        (2_000_000, 512, 2 << 30, "ivfpq"),
        (1000, 256, 1, "fp16"),
    ],
)
def test_the_kind_depends_on_count_length_and_memory(count, dim, memory, kind):
    plan = plan_index(count, dim, memory)
    assert plan.kind == kind
    assert plan.memory_bytes <= memory
    assert plan.reason


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**8), st.integers(1, 4096), st.integers(1, 2**40))
def test_a_plan_never_exceeds_the_memory(count, dim, memory):
    plan = plan_index(count, dim, memory)
    assert plan.memory_bytes <= memory
    if plan.kind in ("ivfsq", "ivfpq"):
        axes, _, factory = plan.factory.rpartition("IVF")
        assert axes in ("", f"AXES{dim // 2},", f"AXES{3 * dim // 8 * 2},")
        lists, codes = factory.split(",")
        kept = int(axes.strip("AXES,") or dim)
        assert count >= 39 * int(lists)
        assert codes in ("SQ8", "SQ4") or kept % int(codes[2:].removesuffix("x4fsr")) == 0


def test_impossible_plans_are_refused():
    with pytest.raises(ConfigError, match="no index kind 'best'; there are auto, flat"):
        plan_index(10, 10, 10, "best")
    with pytest.raises(ConfigError, match=r"needs 9.54 GiB, more than 2.00 GiB; raise --memory"):
        plan_index(5_000_000, 512, 2 << 30, "flat")
    with pytest.raises(ConfigError, match="too few to train"):
        plan_index(100, 16, 2 << 30, "ivfpq")


def test_memory_sizes_are_parsed():
    assert parse_memory("2GiB") == 2 << 30
    assert parse_memory(" 1.5 g ") == 3 << 29
    assert parse_memory("500MB") == 500_000_000
    assert parse_memory("4096") == 4096
    for text in ("", "2 apples", "GiB", "-1GB", "0", "inf", "nan", "1e400GB"):
        with pytest.raises(ConfigError, match="no size of memory"):
            parse_memory(text)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 1000),
    count=st.integers(1, 400),
    k=st.integers(1, 60),
    share=st.sampled_from([None, 0.0, 0.05, 0.5, 1.0]),
    bytes_=st.booleans(),
    threads=st.sampled_from([1, 3]),
)
def test_a_scan_keeps_the_best_of_the_allowed_rows(seed, count, k, share, bytes_, threads):
    vectors = clustered(count, 16, seed)
    query, scale = query_of(seed, 16), 127.0
    codes = vectors
    if bytes_:
        codes = (np.rint(vectors.astype(np.float32) * scale) + 128).astype(np.uint8)
    rows = np.arange(count)
    if share is not None:
        rows = np.flatnonzero(np.random.default_rng(seed).random(count) < share)
    scan = CodeScan(codes, scale if bytes_ else 1.0, threads)
    scan._shards = [(lo, min(lo + 64, count)) for lo in range(0, count, 64)][: threads * 100]
    found, scores, left_out = scan.top_k(
        query, k, None if share is None else row_bitmap(rows, count)
    )
    true = vectors.astype(np.float32) if not bytes_ else (codes.astype(np.float32) - 128) / scale
    expected = true @ query
    assert set(found) <= set(rows)
    assert len(set(found)) == len(found) >= min(k, len(rows))
    assert np.allclose(scores, expected[found], atol=1e-5)
    rest = np.setdiff1d(rows, found)
    assert len(rest) == 0 or expected[rest].max() <= left_out + 1e-5


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 400), st.integers(1, 50), st.booleans())
def test_certified_top_k_includes_ties(seed, count, k, duplicates):
    vectors = clustered(count, 16, seed)
    if duplicates:
        vectors[:] = vectors[np.random.default_rng(seed).integers(0, 3, count) % count]
    query, matrix = query_of(seed, 16), Matrix(vectors)
    codes = (np.rint(vectors.astype(np.float32) * 127) + 128).astype(np.uint8)
    off = vectors.astype(np.float32) - (codes.astype(np.float32) - 128) / 127
    error = float(np.linalg.norm(off, axis=1).max())
    scores = matrix.exact_scores(np.arange(count), query)
    for scan, off in ((CodeScan(vectors), 4e-6), (CodeScan(codes, 127), error + 4e-6)):
        rows = certified_top_k(scan, query, k, off, lambda some: matrix.exact_scores(some, query))
        assert rows is not None
        kth = np.sort(scores)[::-1][min(k, count) - 1]
        assert set(np.flatnonzero(scores >= kth)) <= set(rows)


def test_coarse_codes_have_no_certified_result():
    vectors = np.ones((200, 8), np.float16)
    scan = CodeScan(vectors)
    found = certified_top_k(scan, np.ones(8, np.float32), 1, 1e9, lambda rows: np.ones(len(rows)))
    assert len(found) == 200  # all rows are kept
    wide = CodeScan(np.ones((40_000, 8), np.float16))
    assert certified_top_k(wide, np.ones(8, np.float32), 1, 1.0, lambda r: np.ones(len(r))) is None


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_finds_the_best(indexed, kind: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(candidates, "_SCAN_DESPITE_INDEX", 0)
    store = indexed[kind]
    finder, found = Candidates(store), 0
    for seed in range(20):
        query = query_of(seed)
        rows, certain = finder.find(finder.usable, query, 10)
        assert set(rows) <= set(finder.usable)
        assert certain == (kind in ("flat", "fp16", "int8"))
        best = ranked(store, rows, query, 10)
        expected = exact_best(store, finder.usable, query, 10)
        if certain:
            assert best.tolist() == expected.tolist()
        found += len(set(best) & set(expected))
        always, certain = finder.find(finder.usable, query, 10, exact=True)
        assert certain
        assert ranked(store, always, query, 10).tolist() == expected.tolist()
    assert found >= 0.9 * 200


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.001, 0.02, 0.3])
def test_k_hits_under_any_filter(indexed, kind, share, monkeypatch):
    monkeypatch.setattr(candidates, "_SCAN_DESPITE_INDEX", 0)
    store = indexed[kind]
    finder = Candidates(store)
    random = np.random.default_rng(3)
    for seed in range(4):
        rows = finder.usable[random.random(len(finder.usable)) < share]
        for k in (1, 10, 500):
            found, certain = finder.find(rows, query_of(seed), k)
            assert set(found) <= set(rows)
            assert len(set(found)) == len(found) >= min(k, len(rows))
            if certain:
                expected = exact_best(store, rows, query_of(seed), k)
                assert ranked(store, found, query_of(seed), k).tolist() == expected.tolist()


def test_few_rows_are_scanned_exactly_beside_a_coarse_index(indexed):
    finder = Candidates(indexed["ivfpq"])
    assert isinstance(finder._index, FaissIndex)
    _, certain = finder.find(finder.usable, query_of(1), 10)
    assert not certain
    _, certain = finder.find(finder.usable[::MISSING_EVERY], query_of(1), 10)
    assert certain


@pytest.mark.parametrize("kind", KINDS)
def test_rows_added_later_are_found(tmp_path: Path, kind: str, monkeypatch):
    monkeypatch.setattr(candidates, "_SCAN_DESPITE_INDEX", 0)
    folder = tmp_path / "cat/embeddings/x"
    vectors = clustered(COUNT, DIM)
    build_index(write_store(folder, vectors), kind=kind)
    later = query_of(5)[None].astype(np.float16)
    grown = write_store(folder, np.concatenate([vectors, later, later]))
    finder = Candidates(grown)
    found, _ = finder.find(finder.usable, query_of(5), 2)
    assert ranked(grown, found, query_of(5), 2).tolist() == [COUNT, COUNT + 1]


@pytest.mark.parametrize(
    ("kind", "factory"),
    [("ivfsq", "AXES16,IVF76,SQ8"), ("ivfpq", "AXES24,IVF76,PQ12x4fsr")],
)
def test_an_index_on_some_of_the_axes(store: EmbeddingStore, kind: str, factory: str, monkeypatch):
    monkeypatch.setattr(plan, "MIN_FOR_AXES", DIM)
    monkeypatch.setattr(candidates, "_SCAN_DESPITE_INDEX", 0)
    built = build_index(store, memory=100_000, kind=kind)
    assert built.factory == factory
    assert built.memory_bytes <= 100_000
    assert min(built.recall_at_10.values()) > 0.9
    finder = Candidates(store)
    assert isinstance(finder._index, FaissIndex)
    half = finder.usable[finder.usable % 2 == 1]
    for rows in (finder.usable, half):
        hits = 0
        for seed in range(20):
            found, certain = finder.find(rows, query_of(seed), 10)
            assert not certain
            assert set(found) <= set(rows)
            expected = exact_best(store, rows, query_of(seed), 10)
            hits += len(set(ranked(store, found, query_of(seed), 10)) & set(expected))
        assert hits >= 0.9 * 200


def test_the_manifest_describes_the_index(store: EmbeddingStore):
    seen = []
    built = build_index(store, lambda *step: seen.append(step), kind="ivfpq")
    manifest = IndexManifest.read(store)
    assert manifest == built
    assert set(manifest.recall_at_10) == {"pictures", "captions"}
    assert all(0.5 < share <= 1 for share in manifest.recall_at_10.values())
    assert manifest.queries == 200
    assert manifest.factory.startswith("IVF")
    assert {stage for stage, _, _ in seen} == {"train", "index", "measure"}
    codes = build_index(store, kind="int8")
    assert 0 < codes.error < 0.05
    names = sorted(p.name for p in index_folder(store).iterdir() if p.name[0] != ".")
    assert names == [codes.file, codes.file.replace(".npy", ".scale.npy"), "manifest.json"]
    assert isinstance(open_index(store).count, int)


def test_a_build_that_is_stopped_leaves_the_old_index(store: EmbeddingStore):
    build_index(store, kind="int8")
    before = {p.name: p.read_bytes() for p in index_folder(store).iterdir()}

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "index":
            raise Cancelled("enough")

    for kind in ("int8", "hnsw"):
        with pytest.raises(Cancelled):
            build_index(store, stop, kind=kind)
        left = {p.name: p.read_bytes() for p in index_folder(store).iterdir()}
        assert {name: left[name] for name in before} == before
        assert open_index(store).is_exact


def test_indexes_of_other_data_are_refused_and_not_used(
    store: EmbeddingStore, caplog: pytest.LogCaptureFixture
):
    built = build_index(store, kind="int8")
    manifest = index_folder(store) / "manifest.json"
    query, rows = query_of(2), Candidates(store).usable
    expected = exact_best(store, rows, query, 10).tolist()

    def refused(error: type[Exception], match: str) -> None:
        with pytest.raises(error, match=match):
            open_index(EmbeddingStore.read(store.folder))
        caplog.clear()
        found, certain = Candidates(EmbeddingStore.read(store.folder)).find(rows, query, 10)
        assert certain
        assert ranked(store, found, query, 10).tolist() == expected
        assert "searching without an index" in caplog.text

    manifest.write_text(json.dumps(built.to_json() | {"encoder_id": "y@2"}))
    refused(EncoderMismatchError, r"is of y@2, the vectors are of x@1; run `terraseek index .*cat")
    manifest.write_text(json.dumps(built.to_json() | {"rows_sha256": "0"}))
    refused(StoreCorruptError, "of other vectors than the store")
    manifest.write_text(json.dumps(built.to_json() | {"count": COUNT + 1}))
    refused(StoreCorruptError, "of other vectors than the store")
    manifest.write_text('{"kind": "int8"}')
    refused(StoreCorruptError, "is damaged")
    manifest.write_text(json.dumps(built.to_json() | {"file": "gone.npy"}))
    refused(StoreCorruptError, "cannot be read")
    manifest.write_text(json.dumps(built.to_json()))
    np.save(index_folder(store) / built.file, np.zeros((3, DIM), np.uint8))
    refused(StoreCorruptError, "cannot be read")
    built = build_index(store, kind="hnsw")
    (index_folder(store) / built.file).write_bytes(b"junk")
    refused(StoreCorruptError, "cannot be read")


def test_an_index_is_refused_after_rows_got_a_vector(store: EmbeddingStore):
    build_index(store, kind="int8")
    changed = write_store(store.folder, clustered(COUNT, DIM), missing_every=0)
    with pytest.raises(StoreCorruptError, match="of other vectors"):
        open_index(changed)


def test_a_store_without_vectors_is_refused(tmp_path: Path):
    empty = write_store(tmp_path / "cat/embeddings/x", clustered(4, 8), missing_every=1)
    with pytest.raises(StoreError, match="no vectors to index"):
        build_index(empty)


def test_a_store_beyond_the_resident_size_is_scanned(store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(candidates, "FLAT_BYTES", 0)
    finder, query = Candidates(store), query_of(4)
    found, certain = finder.find(finder.usable, query, 10)
    assert certain
    assert len(found) < len(finder.usable)
    expected = exact_best(store, finder.usable, query, 10)
    assert ranked(store, found, query, 10).tolist() == expected.tolist()
    assert plan.FLAT_BYTES > 0
