"""Queries with feedback, prompts, places and captions."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from terraseek.catalogue import Catalogue, Filter, import_source
from terraseek.embeddings.embed import embed_catalogue
from terraseek.encoders.fake import FakeEncoder
from terraseek.encoders.prompts import prompts
from terraseek.errors import EmptyQueryError, ItemNotFoundError, QueryError
from terraseek.geo import BBox, distance_km
from terraseek.search import Query, Searcher
from terraseek.search.query_vectors import mean_text_vector, nearest_points, query_vector
from terraseek.search.score_fusion import SAMPLE_SIZE, ScoreFusion, ScoreStats, subsample

COLOURS = {"red": (220, 30, 30), "green": (30, 180, 40), "blue": (30, 50, 220)}
PLACES = [(2.35, 48.86), (13.4, 52.5), (179.9, -18.0), (-179.9, -18.0)]


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    """Twelve chips, three colours at four places; the blue ones have no caption."""
    folder = tmp_path_factory.mktemp("queries")
    lines = ["filename,caption,lon,lat"]
    for name, colour in COLOURS.items():
        for number, (lon, lat) in enumerate(PLACES):
            pixels = np.full((8, 8, 3), np.clip(np.array(colour) + 3 * number, 0, 255), np.uint8)
            Image.fromarray(pixels).save(folder / f"{name}{number}.png")
            caption = "" if name == "blue" else f"a {name} field"
            place = "," if (name, number) == ("red", 0) else f"{lon},{lat}"
            lines.append(f"{name}{number}.png,{caption},{place}")
    (folder / "items.csv").write_text("\n".join(lines))
    import_source(folder / "items.csv", folder / "cat")
    embed_catalogue(Catalogue.open(folder / "cat"), FakeEncoder())
    return Searcher(Catalogue.open(folder / "cat"), FakeEncoder())


def item(searcher: Searcher, name: str) -> str:
    items = searcher.catalogue.items(["item_id", "image"])
    return str(items.loc[items["image"].str.contains(name), "item_id"].iloc[0])


def names(searcher: Searcher, query: Query, k: int = 12, where: Filter | None = None) -> list[str]:
    hits = searcher.search(query, k, where).hits
    return [hit.image.rsplit("/", 1)[-1].removesuffix(".png") for hit in hits]


def test_liked_and_disliked_items_follow_rocchios_formula(searcher: Searcher):
    liked = (item(searcher, "green0"), item(searcher, "green1"))
    disliked = (item(searcher, "red1"),)
    query = Query(text="bright", liked=liked, disliked=disliked)
    stored = {key: searcher._item_vector(key).astype(float) for key in (*liked, *disliked)}
    unit = {key: row / np.linalg.norm(row) for key, row in stored.items()}
    wanted = searcher.encoder.encode_texts(["bright"])[0].astype(float)
    wanted += 0.75 * (unit[liked[0]] + unit[liked[1]]) / 2 - 0.25 * unit[disliked[0]]
    np.testing.assert_allclose(searcher.vector(query), wanted / np.linalg.norm(wanted), atol=1e-6)
    found = names(searcher, query)
    assert [name[:5] for name in found[:4]] == ["green"] * 4
    assert "red1" not in found
    assert len(found) == 11


def test_liked_items_alone_are_a_query(searcher: Searcher):
    found = names(searcher, Query(liked=(item(searcher, "blue1"), item(searcher, "blue2"))), 4)
    assert sorted(found) == ["blue0", "blue1", "blue2", "blue3"]


def test_several_sentences_share_the_weight(searcher: Searcher):
    encoder = searcher.encoder
    rows = encoder.encode_texts(["red", "green"]).astype(float)
    mean = rows.mean(axis=0)
    vector = searcher.vector(Query(text="red", plus=("green",)))
    np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-6)
    assert {name[:3] for name in names(searcher, Query(text="red", plus=("green",)), 8)} == {
        "red",
        "gre",
    }


def test_an_ensemble_averages_features_over_the_prompts():
    encoder = FakeEncoder()
    features = encoder.encode_text_features([frame.format("pier") for frame in prompts()])
    mean = features.mean(axis=0)
    for text in ("pier", "a pier.", "The pier"):
        vector = mean_text_vector([text], encoder, ensemble=True)
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-6)
    assert len(prompts()) == len(set(prompts())) == 105


def test_braces_in_a_query_are_allowed():
    mean_text_vector(["a {0} {x} harbour"], FakeEncoder(), ensemble=True)


def test_parts_that_cancel_are_refused(searcher: Searcher):
    row = item(searcher, "red1")
    other = item(searcher, "red2")
    with pytest.raises(QueryError, match="cancel"):
        query_vector(
            Query(liked=(row,), disliked=(other,), liked_weight=1, disliked_weight=1),
            searcher.encoder,
            lambda _: np.ones(searcher.encoder.dim, np.float32),
        )


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        ({"minus": ("red",)}, EmptyQueryError, "the query is empty"),
        ({"disliked": ("x",)}, EmptyQueryError, "the query is empty"),
        (
            {"liked": ("x", "y"), "disliked": ("y",)},
            QueryError,
            "item y is both liked and disliked",
        ),
        ({"near": (0, 0), "text": "red"}, QueryError, "ranks by distance"),
        ({"near": (0, 91)}, QueryError, "latitude -90..90"),
        ({"near": (math.nan, 0)}, QueryError, "longitude -180..180"),
        ({"text": "red", "liked_weight": -1}, QueryError, "weights"),
    ],
)
def test_invalid_queries_are_refused(parts, error, message):
    with pytest.raises(error, match=message):
        Query(**parts)


def test_unknown_items_are_refused(searcher: Searcher):
    for part in ("liked", "disliked"):
        with pytest.raises(ItemNotFoundError, match="nobody"):
            searcher.search(Query(text="red", **{part: ("nobody",)}))


def test_the_nearest_items_come_first_across_the_antimeridian(searcher: Searcher):
    result = searcher.search(Query(near=(179.95, -18.0)), 7)
    found = [hit.image.rsplit("/", 1)[-1] for hit in result.hits]
    assert {name[-5] for name in found[:3]} == {"2"}
    assert {name[-5] for name in found[3:6]} == {"3"}
    first = result.hits[0]
    assert first.distance_km == pytest.approx(0.05 * 111.195 * math.cos(math.radians(18)), rel=1e-3)
    assert first.score == -first.distance_km
    assert (result.matched, len(searcher.search(Query(near=(0, 0)), 50).hits)) == (12, 11)


def test_a_filter_comes_before_the_nearest(searcher: Searcher):
    europe = Filter(bbox=BBox(0, 40, 20, 60))
    found = names(searcher, Query(near=(179.95, -18.0)), 2, europe)
    assert {name[-1] for name in found} <= {"0", "1"}


@settings(deadline=None, max_examples=50)
@given(
    points=st.lists(st.tuples(st.floats(-180, 180), st.floats(-90, 90)), min_size=1, max_size=20),
    place=st.tuples(st.floats(-180, 180), st.floats(-90, 90)),
    k=st.integers(1, 25),
)
def test_nearest_points_against_chords_on_the_sphere(points, place, k):
    lon, lat = np.array(points).T
    at, km = nearest_points(place, lon, lat, k)

    def on_sphere(lon, lat):
        lam, phi = np.radians(lon), np.radians(lat)
        return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], -1)

    apart = np.linalg.norm(on_sphere(lon, lat) - on_sphere(*place), axis=-1)
    chords = 2 * 6371.0088 * np.arcsin(np.clip(apart / 2, 0, 1))
    assert len(at) == min(k, len(points))
    # antipodes are ill-conditioned: a metre of difference is rounding there
    np.testing.assert_allclose(km, chords[at], atol=1e-2)
    np.testing.assert_allclose(km, np.sort(chords)[: len(at)], atol=1e-2)


def test_known_distances():
    paris_london = distance_km(np.array([2.3522]), np.array([48.8566]), -0.1276, 51.5072)
    assert paris_london[0] == pytest.approx(343.5, abs=1)
    assert np.isnan(distance_km(np.array([np.nan]), np.array([0.0]), 0, 0)[0])


def test_items_without_a_caption_are_ranked_by_image(searcher: Searcher):
    """The blue images have none; raw caption cosines would rank every red one above them."""
    hits = searcher.search(Query(text="blue field", alpha=0.5), 12).hits
    assert {hit.image.rsplit("/", 1)[-1][:4] for hit in hits[:4]} == {"blue"}
    for hit in hits[:4]:
        assert (hit.caption_score, hit.matched_by) == (None, "picture")
        assert hit.score == hit.image_score


def test_main_contribution_to_the_fused_score():
    fusion = ScoreFusion(0.5, ScoreStats(0.2, 0.1), ScoreStats(0.6, 0.05))
    assert fusion.scale == 2
    assert fusion.to_image_scale(np.array([0.6, 0.7])).tolist() == pytest.approx([0.2, 0.4])
    assert fusion.main_contribution(0.3, 0.7) == "caption"
    assert fusion.main_contribution(0.5, 0.7) == "picture"
    assert fusion.main_contribution(0.0, None) == "picture"
    assert ScoreFusion(0.9, ScoreStats(0.2, 0.1), ScoreStats(0.6, 0.0)).scale == 1


def test_a_margin_counts_standard_deviations(searcher: Searcher):
    hits = searcher.search(Query(text="red"), 12).hits
    scores = np.array([hit.image_score for hit in hits])
    margins = [hit.margin for hit in hits]
    assert margins == pytest.approx((scores - scores.mean()) / scores.std(), abs=2e-3)


def test_samples_are_evenly_spaced():
    rows = np.arange(3, 100_000, dtype=np.int64)
    sample = subsample(rows)
    assert len(sample) == len(np.unique(sample)) == SAMPLE_SIZE
    assert (sample[0], sample[-1]) == (3, 99_999)
    assert subsample(rows[:10]).tolist() == rows[:10].tolist()


def test_each_part_has_its_own_weight() -> None:
    encoder = FakeEncoder()
    red, blue, green = (
        np.asarray(v, np.float64) for v in encoder.encode_texts(["red", "blue", "green"])
    )

    def vector(**parts: object) -> np.ndarray:
        return query_vector(Query(**parts), encoder, lambda key: np.asarray(blue, np.float32))  # type: ignore[arg-type]

    def unit(total: np.ndarray) -> np.ndarray:
        return np.asarray(total / np.linalg.norm(total))

    found = vector(
        text="red", plus=("green",), text_weight=(1.0, 0.25), minus=("blue",), minus_weight=0.1
    )
    assert found == pytest.approx(unit((red + 0.25 * green) / 2 - 0.1 * blue), abs=1e-6)
    both = vector(text="red", item_id="x", item_weight=2.0)
    assert both == pytest.approx(unit(red + 2 * blue), abs=1e-6)
    assert vector(plus_items=("x", "y"), text="red") == pytest.approx(unit(red + blue), abs=1e-6)
    noise = np.random.default_rng(0).integers(0, 255, (2, 16, 16, 3)).astype(np.uint8)
    first, second = (np.asarray(v, np.float64) for v in encoder.encode_images(list(noise)))
    images = vector(image=noise[0], plus_images=(noise[1],), image_weight=(1.0, 0.0))
    assert images == pytest.approx(unit(first), abs=1e-6)
    assert vector(plus_images=tuple(noise)) == pytest.approx(unit(first + second), abs=1e-6)


def test_weights_are_read_from_parameters_and_checked() -> None:
    from terraseek.request import SearchRequest

    params = {"q": ["red"], "plus": ["blue"], "text_weight": ["1,0.5"], "minus_weight": ["0.2"]}
    request = SearchRequest.from_params(params)
    assert request.ranked_query.text_weight == (1.0, 0.5)
    assert request.ranked_query.minus_weight == 0.2
    assert request.to_params()["text_weight"] == "1,0.5"
    with pytest.raises(QueryError, match="3 weights for 1 parts"):
        Query("red", text_weight=(1.0, 2.0, 3.0))
    with pytest.raises(QueryError, match="numbers from 0 up; text_weight"):
        Query("red", plus=("blue",), text_weight=(1.0, -1.0))
