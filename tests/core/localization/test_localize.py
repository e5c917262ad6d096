"""From a scene and a sentence to a correctly located heat map."""

import numpy as np
import pytest
from PIL import Image

from helpers.rasters import random_rgb, write_raster, write_rgb
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import (
    Cancelled,
    ConfigError,
    EmptyQueryError,
    EncoderMismatchError,
    LatticeError,
    NoValidPixelsError,
    SceneError,
)
from terraseek.localization import (
    LocalizeOptions,
    embed_scene,
    localize,
    localize_many,
    overlay,
    regions_geojson,
    summary,
)
from terraseek.localization.query import ImageQuery
from terraseek.scenes import Scene

METHODS = ("terraseek", "selo-v1", "selo-v2")
SPOT = (slice(300, 420), slice(560, 700))


class CountingEncoder(FakeEncoder):
    """Counts the squares it encodes."""

    def __init__(self):
        super().__init__()
        self.batch_size = 8
        self.seen = 0

    def _encode_image_batch(self, batch):
        self.seen += len(batch)
        return super()._encode_image_batch(batch)


@pytest.fixture
def scene_path(tmp_path):
    """Grey ground of 800 x 1100 pixels with one red spot."""
    rgb = np.full((800, 1100, 3), 110, np.uint8)
    rgb += np.random.default_rng(0).integers(0, 20, rgb.shape).astype(np.uint8)
    rgb[SPOT] = (220, 30, 30)
    return write_rgb(tmp_path / "ground.tif", rgb)


@pytest.mark.parametrize("method", METHODS)
def test_the_peak_is_on_the_spot(scene_path, method):
    with Scene.open(scene_path) as scene:
        heat = localize(scene, "red", FakeEncoder(), LocalizeOptions(method=method))
        far = scene.pixel_to_lonlat(630.5, 360.5)
    peak = heat.peak
    assert abs(peak.col - 630) <= 130
    assert abs(peak.row - 360) <= 130
    assert (peak.lon, peak.lat) == pytest.approx(far, abs=0.004)
    assert heat.low < heat.high
    assert heat.n_windows > 10


def test_the_default_map_is_highest_inside_the_spot(scene_path):
    with Scene.open(scene_path) as scene:
        heat = localize(scene, "red", FakeEncoder())
    assert heat.score.shape == (800, 1100)
    inside = heat.score[SPOT].mean()
    heat.score[SPOT] = np.nan
    assert inside > np.nanpercentile(heat.score, 95)


def test_json_summary_has_exactly_the_documented_keys(scene_path):
    with Scene.open(scene_path) as scene:
        found = summary(localize(scene, "red", FakeEncoder()))
    assert list(found) == [
        *("query", "minus", "method", "scales", "encoder", "scene", "parameters"),
        *("windows", "encode_s", "query_s", "peak", "significance", "probability", "crs"),
    ]
    assert list(found["peak"]) == ["lon", "lat", "col", "row", "score"]
    assert found["crs"] == "EPSG:32633"


def test_a_scene_is_encoded_once_for_many_queries(scene_path):
    encoder = CountingEncoder()
    with Scene.open(scene_path) as scene:
        first = localize(scene, "red", encoder)
        encoded = encoder.seen
        second, third = localize_many(scene, ["red", "blue"], encoder)
        assert encoder.seen == encoded
        fresh = localize(scene, "red", encoder, cache=False)
        second_pass = localize(scene, "red", encoder, LocalizeOptions(method="selo-v2"))
    assert encoded == first.n_windows
    assert [heat.from_cache for heat in (first, second, third, fresh)] == [False, True, True, False]
    assert not second_pass.from_cache  # its boxes depend on the sentence and are never kept
    np.testing.assert_array_equal(second.score, first.score)
    assert abs(third.score - first.score).max() > 0.1


def test_without_cache_nothing_is_kept(scene_path, monkeypatch, tmp_path):
    monkeypatch.setenv("TERRASEEK_HOME", str(tmp_path / "home"))
    with Scene.open(scene_path) as scene:
        localize(scene, "red", FakeEncoder(), cache=False)
    assert not (tmp_path / "home").exists()


def test_a_cancelled_run_continues_where_it_stopped(scene_path):
    encoder = CountingEncoder()

    def stop(stage, done, total):
        if done >= 128:
            raise Cancelled("stopped")

    with Scene.open(scene_path) as scene:
        with pytest.raises(Cancelled, match="stopped"):
            embed_scene(scene, encoder, progress=stop)
        before = encoder.seen
        whole = embed_scene(scene, encoder)
        clean = embed_scene(scene, CountingEncoder(), cache=False)
    assert encoder.seen < before + len(whole.lattice)
    np.testing.assert_array_equal(whole.vectors, clean.vectors)


def test_a_damaged_cache_file_is_computed_again(scene_path, tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASEEK_HOME", str(tmp_path / "home"))
    with Scene.open(scene_path) as scene:
        first = localize(scene, "red", FakeEncoder())
        (store,) = (tmp_path / "home" / "scenes").glob("*.npz")
        store.write_bytes(store.read_bytes()[:100])
        again = localize(scene, "red", FakeEncoder())
    assert not again.from_cache
    np.testing.assert_array_equal(first.score, again.score)


def test_vectors_refuse_another_encoders_query(scene_path):
    other = FakeEncoder(dim=16, image_size=24)
    with Scene.open(scene_path) as scene:
        embedding = embed_scene(scene, FakeEncoder())
    with pytest.raises(EncoderMismatchError, match="encode both with one model"):
        embedding.scores(other.encode_texts(["red"])[0], other.encoder_id)


def test_minus_subtracts_the_mean_cosine(scene_path):
    encoder = FakeEncoder()
    with Scene.open(scene_path) as scene:
        plain, less = localize_many(scene, ["red", "bright"], encoder)
        both = localize(scene, "red", encoder, LocalizeOptions(minus=("bright",)))
    np.testing.assert_allclose(both.score, plain.score - less.score, atol=1e-5)


def test_an_image_is_a_query(scene_path):
    red = np.full((50, 50, 3), (220, 30, 30), np.uint8)
    with Scene.open(scene_path) as scene:
        heat = localize(scene, red, FakeEncoder())
    assert heat.query == "picture"
    assert abs(heat.peak.col - 630) < 100
    assert heat.peak.score > 0.95


def test_an_image_with_a_name_gives_its_map_the_name(scene_path, tmp_path):
    red = np.full((50, 50, 3), (220, 30, 30), np.uint8)
    Image.fromarray(red).save(tmp_path / "roof.png")
    with Scene.open(scene_path) as scene:
        bare, named = localize_many(
            scene, [red, ImageQuery.read(tmp_path / "roof.png")], FakeEncoder()
        )
    assert named.query == "picture roof.png"
    np.testing.assert_array_equal(named.score, bare.score)
    assert regions_geojson(named)["features"][0]["properties"]["method"] == "terraseek"


def test_nodata_stays_out_of_the_map(tmp_path):
    values = np.moveaxis(random_rgb(500, 600), -1, 0).copy()
    values[values == 0] = 1
    values[:, :, :200] = 0
    path = write_raster(tmp_path / "a.tif", values, nodata=0)
    with Scene.open(path) as scene:
        heat = localize(scene, "red", FakeEncoder())
        black = localize(scene, "dark", FakeEncoder())
    assert np.isnan(heat.score[:, :199]).all()
    assert np.isfinite(heat.score[:, 201:]).all()
    assert black.peak.col >= 200
    assert heat.n_windows < len(embed_lattice(path))


def embed_lattice(path):
    with Scene.open(path) as scene:
        return embed_scene(scene, FakeEncoder()).lattice


def test_islands_too_small_for_any_window(tmp_path):
    values = np.zeros((1, 600, 600), np.uint8)
    values[:, 300, 300] = 200
    path = write_raster(tmp_path / "a.tif", values, nodata=0)
    with Scene.open(path) as scene, pytest.raises(NoValidPixelsError, match="smaller windows"):
        localize(scene, "red", FakeEncoder())


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (40, 30), (300, 257)])
@pytest.mark.parametrize("method", METHODS)
def test_scenes_smaller_than_a_window(tmp_path, size, method):
    Image.fromarray(random_rgb(*size)).save(tmp_path / "a.png")
    with Scene.open(tmp_path / "a.png") as scene:
        heat = localize(scene, "red", FakeEncoder(), LocalizeOptions(method=method))
    assert heat.score.shape == size
    assert np.isfinite(heat.score).all()


def test_windows_cut_from_strips_equal_single_reads(tmp_path, monkeypatch):
    path = write_rgb(tmp_path / "a.tif", random_rgb(700, 500))
    with Scene.open(path) as scene:
        rolled = embed_scene(scene, FakeEncoder(), cache=False)
        monkeypatch.setattr("terraseek.localization.windows.reader._MAX_STRIP_BYTES", 0)
        single = embed_scene(scene, FakeEncoder(), cache=False)
    np.testing.assert_array_equal(rolled.vectors, single.vectors)


def test_memory_grid_is_bounded_and_keeps_the_corners(tmp_path):
    path = write_rgb(tmp_path / "a.tif", random_rgb(301, 999))
    with Scene.open(path) as scene:
        heat = localize(scene, "red", FakeEncoder(), LocalizeOptions(grid_side=128))
        corners = scene.footprint
    assert max(heat.score.shape) <= 128
    assert heat.grid.footprint == pytest.approx(np.array(corners))
    drawn = heat.read_rows(0, 301)
    assert drawn.shape == (301, 999)
    assert abs(drawn.mean() - heat.score.mean()) < 0.01


def test_scales_in_metres_use_the_ground_sample_distance(scene_path):
    with Scene.open(scene_path) as scene:  # 2 m per pixel
        metres = embed_scene(scene, FakeEncoder(), LocalizeOptions(scales_m=(256.0, 512.0)))
    assert metres.lattice.scales == (128, 256)


def test_scales_in_metres_need_a_georeference(tmp_path):
    Image.fromarray(random_rgb(100, 100)).save(tmp_path / "a.png")
    options = LocalizeOptions(scales_m=(100.0,))
    with Scene.open(tmp_path / "a.png") as scene, pytest.raises(SceneError, match="in pixels"):
        localize(scene, "red", FakeEncoder(), options)


def test_metres_below_a_pixel(scene_path):
    with Scene.open(scene_path) as scene, pytest.raises(LatticeError, match="below two pixels"):
        localize(scene, "red", FakeEncoder(), LocalizeOptions(scales_m=(0.5,)))


@pytest.mark.parametrize("query", ["", "  ", []])
def test_empty_sentences(scene_path, query):
    with Scene.open(scene_path) as scene, pytest.raises(EmptyQueryError):
        localize(scene, query, FakeEncoder())


def test_a_truncated_sentence_gives_a_warning(scene_path):
    class Short(FakeEncoder):
        def token_count(self, text):
            return len(text.split()), 3

    with Scene.open(scene_path) as scene:
        heat = localize(scene, "red roofs beside a river", Short())
    assert heat.warnings == ("the sentence has 5 tokens, only the first 3 are read; shorten it",)


def test_selo_v2_shuffles_are_seeded(scene_path):
    def run(seed):
        options = LocalizeOptions(method="selo-v2", seed=seed)
        with Scene.open(scene_path) as scene:
            return localize(scene, "red bright green roofs", FakeEncoder(), options).score

    np.testing.assert_array_equal(run(1), run(1))


def test_contradicting_options():
    with pytest.raises(ConfigError, match="not both"):
        LocalizeOptions(scales=(64,), scales_m=(64.0,))
    with pytest.raises(ConfigError, match="selo-v1"):
        LocalizeOptions(method="magic")


def test_selo_v1_levels_are_the_published_ones(scene_path):
    with Scene.open(scene_path) as scene:
        heat = localize(scene, "red", FakeEncoder(), LocalizeOptions(method="selo-v1"))
    span = heat.score.max() - heat.score.min()
    assert span > 0
    assert len(np.unique(heat.score)) <= 256


def test_overlay_shows_the_peak(scene_path):
    with Scene.open(scene_path) as scene:
        heat = localize(scene, "red", FakeEncoder())
        image = overlay(scene, heat, 400)
        plain = scene.preview(400)[0]
    assert image.shape == plain.shape
    assert abs(image.astype(int) - plain).max() > 50
