"""Search results against brute force, and invalid queries."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image

from terraseek.catalogue import Catalogue, Filter, import_source
from terraseek.catalogue.filters.apply import ItemsTable
from terraseek.embeddings.embed import embed_catalogue
from terraseek.embeddings.store import EmbeddingStore
from terraseek.encoders.calibration import Calibration
from terraseek.encoders.fake import FakeEncoder
from terraseek.encoders.registry import get_card
from terraseek.errors import (
    ConfigError,
    EmptyQueryError,
    FilterError,
    ItemNotFoundError,
    QueryError,
)
from terraseek.geo import BBox
from terraseek.index.scoring import Matrix, top_positions
from terraseek.search import Query, Searcher, hits_csv, hits_geojson, hits_json
from terraseek.significance.model import LEVELS

COUNT = 60


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    """60 items around the antimeridian; each fourth image occurs twice, each fifth is damaged."""
    folder = tmp_path_factory.mktemp("search")
    random = np.random.default_rng(7)
    lines = ["filename,caption,lon,lat,label,date"]
    for i in range(COUNT):
        seed = i - 1 if i % 4 == 3 else i
        colour = np.random.default_rng(seed).integers(0, 256, 3)
        noise = np.random.default_rng(seed).integers(-20, 20, (8, 8, 3))
        pixels = np.clip(colour + noise, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
        lon, lat = random.integers(-180, 181), random.integers(-80, 81)
        place = f"{lon},{lat}" if i % 7 else ","
        caption = "" if i % 6 == 0 else ("red roof" if i % 2 else "a blue lake")
        lines.append(f"{i}.png,{caption},{place},{'odd' if i % 2 else 'even'},2020-0{i % 9 + 1}-10")
    (folder / "items.csv").write_text("\n".join(lines))
    import_source(folder / "items.csv", folder / "cat", check=False)
    for i in range(0, COUNT, 5):
        (folder / f"{i}.png").write_bytes(b"junk")
    catalogue = Catalogue.open(folder / "cat")
    encoder = FakeEncoder()
    embed_catalogue(catalogue, encoder)
    return Searcher(catalogue, encoder)


def brute(searcher: Searcher, query: Query, k: int, where: Filter | None) -> list[tuple]:
    items, store = searcher.catalogue.items(), searcher.store
    vector = searcher.vector(query).astype(np.float64)
    mask = np.ones(len(items), bool) if where is None else ItemsTable.from_frame(items).mask(where)
    images, captions = (np.asarray(part, np.float64) for part in (store.vectors, store.captions))
    images = images[images.any(axis=1)] @ vector
    captions = captions[captions.any(axis=1)] @ vector
    flat = min(images.std(), captions.std()) < 0.01  # all captions may be as near to the query
    scale = 1 if flat else min(images.std() / captions.std(), 2)
    found = []
    with_image = store.vectors.any(axis=1)
    by_caption = bool(query.alpha) or not (mask & with_image).any()
    for row in range(len(items)):
        if not mask[row]:
            continue
        if not with_image[row]:  # an unreadable image: by its caption, on the scale of images
            if by_caption and store.captions[row].any() and items["item_id"][row] != query.item_id:
                caption = float(store.captions[row].astype(np.float64) @ vector)
                score = images.mean() + scale * (caption - captions.mean())
                found.append((-round(score, 7), row))
            continue
        if items["item_id"][row] == query.item_id:
            continue
        score = float(store.vectors[row].astype(np.float64) @ vector)
        if query.alpha and store.captions[row].any():
            caption = float(store.captions[row].astype(np.float64) @ vector)
            caption = images.mean() + scale * (caption - captions.mean())
            score = (1 - query.alpha) * score + query.alpha * caption
        found.append((-round(score, 7), row))
    return [(items["item_id"][row], -score) for score, row in sorted(found)[:k]]


latitudes = st.tuples(st.integers(-90, 90), st.integers(-90, 90)).map(sorted)
edges = st.tuples(st.integers(-180, 180), latitudes, st.integers(-180, 180))


@settings(max_examples=40, deadline=None)
@given(
    edge=st.one_of(st.none(), edges),
    labels=st.sampled_from([(), ("odd",), ("even", "ODD")]),
    date_from=st.sampled_from([None, "2020-04"]),
    caption=st.sampled_from([None, "blue"]),
    k=st.integers(1, COUNT + 5),
    alpha=st.sampled_from([0.0, 0.3, 1.0]),
    text=st.sampled_from(["red", "dark blue lake", "green"]),
    like=st.sampled_from([None, 1, 2, 6]),
    minus=st.sampled_from([(), ("bright",)]),
)
def test_results_are_those_of_brute_force(
    searcher, edge, labels, date_from, caption, k, alpha, text, like, minus
):
    box = None if edge is None else BBox(edge[0], edge[1][0], edge[2], edge[1][1])
    where = Filter(bbox=box, labels=labels, date_from=date_from, caption=caption)
    item = None if like is None else searcher.catalogue.items()["item_id"][like]
    query = Query(text=text, item_id=item, minus=minus, alpha=alpha)
    result = searcher.search(query, k, where)
    wanted = brute(searcher, query, k, where)
    assert [hit.item_id for hit in result.hits] == [key for key, _ in wanted]
    assert [hit.score for hit in result.hits] == pytest.approx([s for _, s in wanted], abs=1e-6)
    assert [hit.rank for hit in result.hits] == list(range(1, len(wanted) + 1))
    assert result.matched == ItemsTable.from_frame(searcher.catalogue.items()).mask(where).sum()
    again = searcher.search(query, k, where)
    assert again.hits == result.hits


def test_equal_images_come_in_row_order(searcher: Searcher):
    result = searcher.search(Query(text="red"), COUNT)
    items = searcher.catalogue.items()["item_id"].tolist()
    rows = [items.index(hit.item_id) for hit in result.hits]
    pairs = [i for i in range(3, COUNT, 4) if i % 5 and (i - 1) % 5]
    assert pairs
    for twin in pairs:
        assert rows.index(twin - 1) == rows.index(twin) - 1
    assert result.unsearchable == len(range(0, COUNT, 5))


def test_words_find_colours_and_minus_pushes_away(searcher: Searcher):
    def redness(query: Query) -> float:
        hit = searcher.search(query, 1).hits[0]
        r, g, b = searcher.catalogue.read_image(hit.item_id).mean(axis=(0, 1))
        return float(r - (g + b) / 2)

    assert redness(Query(text="red")) > 50
    assert redness(Query(text="bright", minus=("red",))) < redness(Query(text="red"))


def test_an_image_finds_itself_and_an_item_does_not(searcher: Searcher):
    items = searcher.catalogue.items()["item_id"]
    pixels = searcher.catalogue.read_image(items[1])
    assert searcher.search(Query(image=pixels), 1).hits[0].item_id == items[1]
    like = searcher.search(Query(item_id=items[1]), COUNT)
    assert items[1] not in {hit.item_id for hit in like.hits}
    twin = searcher.search(Query(item_id=items[2]), 1).hits[0]
    assert twin.item_id == items[3]
    assert twin.score == pytest.approx(1, abs=2e-3)


def test_matched_by_names_image_or_caption(searcher: Searcher):
    hits = searcher.search(Query(text="blue lake", alpha=0.5), COUNT).hits
    for hit in hits:
        if hit.caption:
            assert hit.matched_by in ("picture", "caption")
        else:
            assert hit.caption_score is None
            assert hit.score == hit.image_score
    assert searcher.search(Query(text="blue lake"), 1).hits[0].caption_score is None


def test_invalid_queries_are_refused(searcher: Searcher):
    with pytest.raises(EmptyQueryError, match="the query is empty"):
        Query()
    with pytest.raises(EmptyQueryError, match="the query is empty"):
        Query(text="  ")
    with pytest.raises(QueryError, match="alpha 2 must be"):
        Query(text="a", alpha=2)
    with pytest.raises(QueryError, match="weights"):
        Query(text="a", text_weight=-1)
    with pytest.raises(QueryError, match="must be 1 or more, not 0"):
        searcher.search(Query(text="a"), 0)
    with pytest.raises(QueryError, match="cancel each other"):
        searcher.search(Query(text="red", minus=("red",), minus_weight=1))
    with pytest.raises(ItemNotFoundError, match="no item 'x'"):
        searcher.search(Query(item_id="x"))
    with pytest.raises(FilterError, match="no item has the label 'ood'; there are: even, odd"):
        searcher.search(Query(text="a"), where=Filter(labels=("ood",)))


def test_a_filter_nothing_passes_gives_no_hits(searcher: Searcher):
    result = searcher.search(Query(text="red"), 5, Filter(item_ids=()))
    assert (result.hits, result.matched, result.significant) == ([], 0, None)


def test_more_like_an_item_without_a_vector_reads_its_image(searcher: Searcher):
    store = EmbeddingStore.open(searcher.catalogue)
    flags = store.flags.copy()
    flags[1] = 0
    store.__dict__["flags"] = flags
    grown = Searcher(searcher.catalogue, searcher.encoder, store)
    item = grown.catalogue.items()["item_id"][1]
    assert len(grown.search(Query(item_id=item), 3).hits) == 3


def test_export_formats(searcher: Searcher):
    hits = searcher.search(Query(text="red"), COUNT).hits
    values = hits_json(hits)
    assert [*values[0]] == [
        *("item_id", "score", "lon", "lat", "caption", "image", "significance", "probability")
    ]
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    collection = hits_geojson(hits)
    assert len(collection["features"]) == len(hits)
    for hit, feature in zip(hits, collection["features"], strict=True):
        if hit.lon is None:
            assert feature["geometry"] is None
        else:
            assert feature["geometry"]["coordinates"] == [hit.lon, hit.lat]
        assert feature["properties"]["rank"] == hit.rank
    assert any(hit.lon is None for hit in hits)
    lines = list(csv.DictReader(io.StringIO(hits_csv(hits))))
    assert [line["item_id"] for line in lines] == [hit.item_id for hit in hits]
    assert list(csv.DictReader(io.StringIO(hits_csv([])))) == []


def test_top_positions_keep_near_ties():
    scores = np.array([0.5, 0.5 + 1e-7, 0.5 - 1e-7, 0.1, 0.9], np.float32)
    assert top_positions(scores, 2).tolist() == [0, 1, 2, 4]
    assert top_positions(scores, 9).tolist() == [0, 1, 2, 3, 4]


def test_exact_scores_do_not_depend_on_other_rows():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(500, 64)).astype(np.float16)
    matrix, query = Matrix(vectors), random.normal(size=64).astype(np.float32)
    rows = np.arange(500)
    alone = np.array([matrix.exact_scores(rows[i : i + 1], query)[0] for i in rows])
    assert np.array_equal(matrix.exact_scores(rows, query).round(7), alone.round(7))
    assert np.allclose(matrix.approximate_scores(rows, query), alone, atol=1e-4)
    assert np.allclose(matrix.approximate_scores(rows[::3], query), alone[::3], atol=1e-4)


def test_percentiles_of_a_calibration(searcher: Searcher):
    normal = Calibration.read({"mean": 0.1, "std": 0.05})
    assert normal.percentile(0.1) == 50
    assert normal.percentile(0.2) == pytest.approx(97.725, abs=0.001)
    measured = Calibration.read(
        {"mean": 0.1, "std": 0.05, "quantiles": {"0.5": 0.1, "0.9": 0.2, "0.99": 0.4}}
    )
    assert measured.percentile(0.15) == pytest.approx(70)
    assert measured.percentile(0.41) == pytest.approx(100, abs=0.01)
    with pytest.raises(ConfigError, match="cannot be used"):
        Calibration.read({"mean": 0.1})
    with pytest.raises(ConfigError, match="above 0"):
        Calibration.read({"mean": 0.1, "std": 0})


def test_every_query_with_a_sentence_has_the_same_significance_for_any_k(searcher: Searcher):
    encoder = FakeEncoder()
    background = {"mean": 0.0, "std": 0.1}
    encoder.card = replace(get_card("terraseek-tiny"), calibration=background)
    searcher = Searcher(searcher.catalogue, encoder, searcher.store)
    plain = searcher.search(Query(text="red"), 3)
    assert plain.significance in LEVELS
    assert plain.hits[0].percentile == pytest.approx(100, abs=0.1)
    assert plain.expected_right == pytest.approx(sum(h.probability or 0 for h in plain.hits))
    alone = searcher.search(Query(text="red"), 1)
    assert alone.significance == plain.significance
    assert alone.hits[0].probability == plain.hits[0].probability
    for query in (
        Query(text="red", alpha=0.2),
        Query(text="red", minus=("blue",)),
        Query(text="red", plus=("green",)),
        Query(text="red", image=np.full((8, 8, 3), 200, np.uint8)),
    ):
        found = searcher.search(query, 3)
        assert found.significance in LEVELS
        assert all(hit.significance in LEVELS for hit in found.hits)
    image = searcher.search(Query(image=np.full((8, 8, 3), 200, np.uint8)), 3)
    assert (image.significance, image.hits[0].significance, image.expected_right) == (None,) * 3
    foreign = searcher.search(Query(text="\u0645\u0637\u0627\u0631"), 3)
    assert (foreign.significance, foreign.expected_right) == ("none", 0)
    row = foreign.hits[0].to_dict()
    assert (row["significance"], row["convincing"], row["probability"]) == ("none", False, 0)


def test_a_large_store_is_scored_from_the_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("terraseek.index.scoring._RESIDENT", 0)
    vectors = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float16)
    np.save(tmp_path / "v.npy", vectors)
    mapped = Matrix(np.load(tmp_path / "v.npy", mmap_mode="r"))
    query = np.ones(8, np.float32)
    wanted = vectors.astype(np.float32) @ query
    assert np.allclose(mapped.approximate_scores(np.arange(50), query), wanted, atol=1e-4)
    assert np.allclose(mapped.row(3), vectors[3])
