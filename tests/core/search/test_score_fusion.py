"""Fused scores of image and caption by merged lists, against scoring all; metadata parts."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from terraseek.catalogue import Catalogue, Filter
from terraseek.catalogue.items import build_frame
from terraseek.catalogue.items_file import write_items
from terraseek.cli import build_app
from terraseek.embeddings.embed import embed_catalogue
from terraseek.embeddings.long_texts import encode_long_texts, split_text
from terraseek.embeddings.store import (
    HAS_CAPTION,
    HAS_IMAGE,
    HAS_METADATA,
    EmbeddingStore,
    Manifest,
    hash_ids,
)
from terraseek.encoders.fake import FakeEncoder
from terraseek.files import write_json
from terraseek.index.build import build_index
from terraseek.search import Query, Searcher, fused_candidates
from terraseek.search.score_fusion import ScoreFusion, ScoreStats

COUNT, DIM = 4000, 32


def clustered(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(60, DIM))
    vectors = centres[np.random.default_rng(5).integers(0, 60, COUNT)]
    vectors = vectors + 0.4 * random.normal(size=(COUNT, DIM))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """Two of three items have a caption, some a metadata part beside it, each 11th has nothing."""
    folder = tmp_path_factory.mktemp("hybrid") / "cat"
    rows = [
        {"item_id": f"{i:012d}", "image": f"{i}.png", "source": "s", "gsd_m": float(i % 100)}
        for i in range(COUNT)
    ]
    folder.mkdir()
    write_items(folder, build_frame(rows), {})
    number = np.arange(COUNT)
    flags = np.full(COUNT, HAS_IMAGE, np.uint8)
    flags[number % 3 > 0] |= HAS_CAPTION
    flags[(number % 3 > 0) & (number % 5 == 0)] |= HAS_METADATA
    flags[number % 11 == 0] = 0
    store = folder / "embeddings" / "fake"
    store.mkdir(parents=True)
    for name, seed, bit in (
        ("vectors", 1, HAS_IMAGE), ("captions", 2, HAS_CAPTION), ("metadata", 3, HAS_METADATA),
    ):  # fmt: skip
        np.save(store / f"{name}.npy", clustered(seed) * ((flags & bit) > 0)[:, None])
    ids = np.array([row["item_id"] for row in rows], "S12")
    np.save(store / "flags.npy", flags)
    np.save(store / "item_ids.npy", ids)
    counts = [int(((flags & bit) > 0).sum()) for bit in (HAS_IMAGE, HAS_CAPTION, HAS_METADATA)]
    manifest = Manifest(
        "fake", FakeEncoder(DIM).encoder_id, None, None, DIM, "float16", True, COUNT,
        COUNT - counts[0], counts[1], hash_ids(ids), "now", counts[2],
    )  # fmt: skip
    write_json(store / "manifest.json", manifest.to_json())
    return Catalogue.open(folder)


def example_queries() -> list[Query]:
    return [
        Query(text=text, item_id=f"{row:012d}", alpha=alpha)
        for row, text in ((1, "red"), (17, "dark lake"), (3004, "green bright"))
        for alpha in (0.2, 0.7, 1.0)
    ]


@pytest.mark.parametrize("where", [None, Filter(gsd_max=60)])
def test_merged_exact_lists_give_the_hits_of_a_full_scan(catalogue, monkeypatch, where):
    exact = Searcher(catalogue, FakeEncoder(DIM), exact=True)
    expected = [(query, exact.search(query, 12, where)) for query in example_queries()]
    monkeypatch.setattr(fused_candidates, "MIN_ELEMENTS", 0)
    monkeypatch.setattr(fused_candidates, "_MIN_LENGTH", 20)
    searcher = Searcher(catalogue, FakeEncoder(DIM))
    monkeypatch.setattr(searcher, "_fused_candidates", searcher._fused_candidates)
    for query, wanted in expected:
        found = searcher.search(query, 12, where)
        assert found.exact
        assert found.hits == wanted.hits


def test_lists_have_a_proven_result_or_none(catalogue, monkeypatch):
    searcher = Searcher(catalogue, FakeEncoder(DIM))
    rows, query = searcher._filtered_rows(None)[0], example_queries()[4]
    vector = searcher.vector(query)
    fusion = searcher._fusion(searcher._sample @ vector, vector, query.alpha)
    monkeypatch.setattr(fused_candidates, "_MIN_LENGTH", 12)
    with monkeypatch.context() as patch:
        patch.setattr(fused_candidates, "_bound_outside", lambda *_: np.inf)
        patch.setattr(fused_candidates, "_MAX_LENGTH", 1000)  # of 3636 rows
        assert searcher._fused_candidates.find(rows, vector, fusion, 12) is None
    found = searcher._fused_candidates.find(rows, vector, fusion, 12)
    assert found is not None
    assert found[1]
    every = searcher._fused_candidates.exact_scores(rows, vector, fusion)
    best = set(rows[np.argsort(-every)[:12]].tolist())
    assert best <= set(found[0].tolist())


def test_indexes_of_images_and_captions_find_nearly_all(catalogue, monkeypatch):
    exact = Searcher(catalogue, FakeEncoder(DIM), exact=True)
    store = exact.store
    for side in (store, *(store.text_store(kind) for kind in store.text_kinds)):
        assert build_index(side, kind="ivfsq").recall_at_10["pictures"] >= 0.9
    folders = {path.parent.name for path in store.folder.glob("*/manifest.json")}
    assert folders == {"index", "index-captions", "index-metadata"}
    monkeypatch.setattr(fused_candidates, "MIN_ELEMENTS", 0)
    searcher = Searcher(catalogue, FakeEncoder(DIM))
    shared, total = 0, 0
    for query in example_queries():
        wanted = {hit.item_id for hit in exact.search(query, 10).hits}
        result = searcher.search(query, 10)
        assert not result.exact
        shared += len(wanted & {hit.item_id for hit in result.hits})
        total += len(wanted)
    assert shared / total >= 0.9


def test_the_command_indexes_captions(catalogue):
    command = ["index", str(catalogue.path), "--json"]
    plain = CliRunner().invoke(build_app(), command)
    assert plain.exit_code == 0, plain.output
    assert not {"captions", "metadata"} & set(json.loads(plain.stdout))
    answer = CliRunner().invoke(build_app(), [*command, "--captions"])
    assert answer.exit_code == 0, answer.output
    built = json.loads(answer.stdout)
    assert built["kind"] == built["captions"]["kind"] == built["metadata"]["kind"] == "flat"
    assert "4,000 x 32 vectors of metadata: flat" in answer.stderr


def test_caption_scores_are_the_maximum_of_sentence_and_metadata(catalogue):
    searcher = Searcher(catalogue, FakeEncoder(DIM))
    store, captions = searcher.store, searcher._captions
    rows = np.flatnonzero(store.flags & HAS_CAPTION)
    vector = np.asarray(store.metadata[rows[store.flags[rows] & HAS_METADATA > 0][0]], np.float32)
    sentences = store.captions[rows].astype(np.float64) @ vector
    metadata = store.metadata[rows].astype(np.float64) @ vector
    has = store.flags[rows] & HAS_METADATA > 0
    wanted = np.where(has, np.maximum(sentences, metadata), sentences)
    assert captions.exact_scores(rows, vector) == pytest.approx(wanted, abs=2e-7)
    assert captions.approximate_scores(rows, vector) == pytest.approx(wanted, abs=1e-4)
    assert (metadata[has] > sentences[has]).any()
    assert (metadata[has] < sentences[has]).any()


def test_bound_of_rows_outside_the_lists():
    fusion = ScoreFusion(0.25, ScoreStats(0.1, 0.05), ScoreStats(0.3, 0.05))
    assert fused_candidates._bound_outside(-np.inf, 0.5, fusion, False) == -np.inf
    assert fused_candidates._bound_outside(0.4, 0.5, fusion, True) == pytest.approx(
        0.75 * 0.4 + 0.25 * 0.3
    )
    assert fused_candidates._bound_outside(0.4, 0.5, fusion, False) == 0.4  # it may have no caption
    assert fused_candidates._bound_outside(0.4, -np.inf, fusion, True) == -np.inf


class ShortContext(FakeEncoder):
    """Has a context of six words."""

    def token_count(self, text: str) -> tuple[int, int]:
        return len(text.split()), 6


def test_long_texts_are_split():
    encoder = ShortContext(DIM)
    text = "red roof, wide road, old port. dark sea; a tower"
    assert split_text(text, encoder) == ["red roof, wide road, old port.", "dark sea; a tower"]
    assert split_text("one two three four five six seven", encoder) == [
        "one two three four five six seven"
    ]
    assert split_text(" red ", encoder) == ["red"]
    parts = encoder.encode_texts(split_text(text, encoder)).mean(axis=0)
    vectors = encode_long_texts(encoder, [text, "blue"])
    assert vectors[0] == pytest.approx(parts / np.linalg.norm(parts), abs=1e-6)
    assert vectors[1] == pytest.approx(encoder.encode_texts(["blue"])[0], abs=1e-6)


def test_embedding_keeps_both_parts_of_a_metadata_caption(tmp_path: Path):
    from PIL import Image

    for i in range(4):
        Image.new("RGB", (8, 8), (60 * i, 20, 20)).save(tmp_path / f"{i}.png")
    rows = [
        {
            "item_id": f"{i:012d}",
            "caption": "taken in blue june, near Lima a red roof" if i < 2 else "green field",
            "sentence": "a red roof" if i < 2 else "",
            "geometa_cap": "taken in blue june, near Lima" if i < 2 else "",
            "_file": str(tmp_path / f"{i}.png"),
            "_offset": 0,
            "_size": -1,
        }
        for i in range(4)
    ]
    (tmp_path / "cat").mkdir()
    write_items(tmp_path / "cat", build_frame(rows), {})
    catalogue, encoder = Catalogue.open(tmp_path / "cat"), FakeEncoder(DIM)
    store = embed_catalogue(catalogue, encoder)
    assert (store.manifest.captioned, store.manifest.described) == (4, 2)
    both = HAS_IMAGE | HAS_CAPTION
    assert store.flags.tolist() == [both | HAS_METADATA] * 2 + [both] * 2
    sentence, metadata = encoder.encode_texts(["a red roof", "taken in blue june, near Lima"])
    assert store.metadata is not None
    assert store.captions[0] == pytest.approx(sentence, abs=1e-3)
    assert store.metadata[0] == pytest.approx(metadata, abs=1e-3)
    assert not store.metadata[2:].any()
    # both parts of the caption can be found
    searcher = Searcher(catalogue, encoder, store)
    for text in ("blue june", "red roof"):
        hits = searcher.search(Query(text=text, alpha=1.0), 4).hits
        assert {hit.item_id for hit in hits[:2]} == {rows[0]["item_id"], rows[1]["item_id"]}
        assert hits[0].caption_score == pytest.approx(
            max(encoder.encode_texts([text])[0] @ part for part in (sentence, metadata)), abs=1e-3
        )


def test_missing_metadata_vectors_are_added_to_an_old_store(tmp_path: Path):
    test_embedding_keeps_both_parts_of_a_metadata_caption(tmp_path)
    catalogue, encoder = Catalogue.open(tmp_path / "cat"), FakeEncoder(DIM)
    store = EmbeddingStore.open(catalogue)
    folder, images = store.folder, np.array(store.vectors)
    (folder / "metadata.npy").unlink()
    np.save(folder / "flags.npy", store.flags & ~np.uint8(HAS_METADATA))
    manifest = store.manifest.to_json()
    del manifest["described"], manifest["checksums"]  # an old store has neither
    write_json(folder / "manifest.json", manifest)
    for path in tmp_path.glob("*.png"):
        path.unlink()  # images are not encoded again
    completed = embed_catalogue(catalogue, encoder)
    assert completed.manifest.described == 2
    assert np.array_equal(completed.vectors, images)
