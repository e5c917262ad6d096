"""Method dense: means over feature cells equal single windows, for fewer passes."""

import dataclasses
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.dense_fake import DenseFake
from helpers.rasters import random_rgb, write_raster, write_rgb
from terraseek.encoders.dense_tower import central_cells
from terraseek.encoders.fake import FakeEncoder
from terraseek.encoders.nets.build import build_model
from terraseek.encoders.nets.feature_maps import tower_feature_map
from terraseek.encoders.nets.fuse import fold_batch_norms
from terraseek.encoders.registry import get_card
from terraseek.errors import Cancelled, ConfigError, LatticeError, NoValidPixelsError
from terraseek.localization import LocalizeOptions, embed_scene, localize
from terraseek.localization.localizer import Localizer
from terraseek.localization.methods.dense import DenseMethod, dense_lattice
from terraseek.localization.methods.dense_availability import DENSE_SCORE, check_dense
from terraseek.localization.query import encode_query
from terraseek.scenes import Scene

TEXT = {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}


def dense_and_windows(path, side, **options):
    """Cosines with "red" by (row0, col0, row1, col1), of both methods."""
    encoder = DenseFake()
    red, found = encoder.encode_texts(["red"])[0], []
    with Scene.open(path) as scene:
        for method in ("dense", "windows"):
            asked = LocalizeOptions(method=method, scales=(side,), **options)
            embedding = embed_scene(scene, encoder, asked, cache=False)
            scores = embedding.scores(red, encoder.encoder_id)
            windows = [tuple(window) for window in embedding.lattice.windows.tolist()]
            found.append(dict(zip(windows, scores.tolist(), strict=True)))
    return found


@settings(max_examples=8, deadline=None)
@given(
    st.integers(32, 150), st.integers(32, 150), st.sampled_from((32, 64)), st.integers(0, 1 << 16)
)
def test_aligned_windows_get_the_vectors_of_single_windows(
    tmp_path_factory, height, width, side, seed
):
    # one pixel of a cell is one pixel of the tower, or two; nothing is interpolated
    rgb = np.random.default_rng(seed).integers(0, 255, (height // 8, width // 8, 3))
    rgb = np.kron(rgb, np.ones((8, 8, 1))).astype(np.uint8)
    path = write_rgb(tmp_path_factory.mktemp("scene") / "a.tif", rgb)
    dense, single = dense_and_windows(path, side)
    both = [window for window in single if window in dense]
    assert len(both) >= min(1, (height // side) * (width // side))
    for window in both:
        assert dense[window] == pytest.approx(single[window], abs=0.01 if side == 32 else 0.05)


def test_the_map_is_that_of_windows_but_finer(tmp_path):
    path = write_rgb(tmp_path / "a.tif", random_rgb(400, 500))
    encoder = DenseFake()
    with Scene.open(path) as scene:
        maps = [
            localize(scene, "red", encoder, LocalizeOptions(method=method, scales=(48, 96)))
            for method in ("dense", "windows")
        ]
    assert np.corrcoef(maps[0].score.ravel(), maps[1].score.ravel())[0, 1] > 0.995
    assert maps[0].n_windows > 3 * maps[1].n_windows
    assert sorted(maps[0].layers) == [48, 96]


def test_blocks_cost_less_than_windows(tmp_path):
    path = write_rgb(tmp_path / "a.tif", random_rgb(512, 512))
    encoder = DenseFake()
    with Scene.open(path) as scene:
        options = LocalizeOptions(method="dense", scales=(32,))
        found = embed_scene(scene, encoder, options, cache=False)
        windows = embed_scene(
            scene, encoder, LocalizeOptions(method="windows", scales=(32,)), cache=False
        )
    # a block of two image sides has as many pixels as four windows
    assert 4 * encoder.blocks < 2 * len(windows.lattice) < len(found.lattice)


def test_invalid_pixels_stay_out(tmp_path):
    values = np.full((3, 256, 256), 90, np.uint8)
    values[0, :, 160:] = 230
    values[:, :, :64] = 0
    path = write_raster(tmp_path / "a.tif", values, nodata=0)
    dense, _ = dense_and_windows(path, 32)
    assert np.isnan(dense[0, 0, 32, 32])
    # windows with three quarters invalid pixels are skipped, with one half they are not
    assert np.isnan(dense[0, 40, 32, 72])
    assert dense[0, 48, 32, 80] == pytest.approx(dense[0, 80, 32, 112], abs=2e-3)
    assert dense[0, 200, 32, 232] > dense[0, 80, 32, 112] + 0.3


def test_too_few_valid_pixels(tmp_path):
    values = np.zeros((3, 128, 128), np.uint8)
    values[:, 60:64, 60:64] = 9
    with (
        Scene.open(write_raster(tmp_path / "a.tif", values, nodata=0)) as scene,
        pytest.raises(NoValidPixelsError),
    ):
        localize(scene, "red", DenseFake(), LocalizeOptions(method="dense", scales=(64,)))


def test_a_cancelled_run_continues_after_the_last_row_of_blocks(tmp_path):
    path = write_rgb(tmp_path / "a.tif", random_rgb(400, 300))
    options = LocalizeOptions(method="dense", scales=(32,))

    def stop(_stage, done, total):
        if done > total // 2:
            raise Cancelled("enough")

    first, again, other = DenseFake(), DenseFake(), DenseFake()
    with Scene.open(path) as scene:
        with pytest.raises(Cancelled):
            embed_scene(scene, first, options, progress=stop)
        resumed = embed_scene(scene, again, options)
        whole = embed_scene(scene, other, options, cache=False)
    assert first.blocks + again.blocks == other.blocks
    np.testing.assert_allclose(resumed.vectors.astype("f4"), whole.vectors.astype("f4"), atol=2e-3)
    with Scene.open(path) as scene:
        assert embed_scene(scene, DenseFake(), options).seconds < whole.seconds + 60
        kept = DenseFake()
        embed_scene(scene, kept, options)
    assert kept.blocks == 0


def test_windows_and_cells_do_not_share_a_cache_file(tmp_path):
    path = write_rgb(tmp_path / "a.tif", random_rgb(40, 40))
    encoder = DenseFake()
    with Scene.open(path) as scene:
        for method in ("windows", "dense"):
            embed_scene(scene, encoder, LocalizeOptions(method=method, scales=(64,)))
    assert encoder.blocks > 0


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (40, 30), (131, 77)])
def test_scenes_smaller_than_a_window(tmp_path, size):
    path = write_rgb(tmp_path / "a.tif", random_rgb(*size))
    with Scene.open(path) as scene:
        heat = localize(scene, "red", DenseFake(), LocalizeOptions(method="dense", scales=(64,)))
    assert heat.score.shape == size
    assert np.isfinite(heat.score).all()


def test_overviews_are_read_where_they_suffice(tmp_path, monkeypatch):
    rgb = random_rgb(1024, 1024)
    plain = write_rgb(tmp_path / "plain.tif", rgb)
    ready = write_raster(
        tmp_path / "ready.tif", np.moveaxis(rgb, -1, 0), overviews=(2, 4, 8), tiled=True
    )
    sizes, window = [], Scene.window
    monkeypatch.setattr(Scene, "window", lambda *a: sizes.append(a[5:]) or window(*a))
    found = []
    for path in (plain, ready):
        with Scene.open(path) as scene:
            options = LocalizeOptions(method="dense", scales=(256,))
            found.append(localize(scene, "red", DenseFake(), options).score)
    assert any(size for size in sizes)
    # these overviews take the nearest pixel, so the two maps are shifted by a few pixels
    assert np.corrcoef(found[0].ravel(), found[1].ravel())[0, 1] > 0.99


def test_every_pixel_is_covered_and_windows_stay_inside():
    lattice = dense_lattice(333, 205, (96, 50), 4, 2)
    assert lattice.scales == (48, 96)
    count = np.zeros((205, 333), int)
    for row0, col0, row1, col1 in lattice.windows.tolist():
        assert 0 <= row0 < row1 <= 205
        assert 0 <= col0 < col1 <= 333
        count[row0:row1, col0:col1] += 1
    assert count.min() >= 2


@pytest.mark.parametrize("sides", [(), (3,), (96, 2)])
def test_sides_too_small_for_the_cells(sides):
    with pytest.raises(LatticeError, match="at least 4 px"):
        dense_lattice(100, 100, sides, 4, 2)


def test_too_many_windows():
    with pytest.raises(LatticeError, match="take larger sides"):
        dense_lattice(30_000, 30_000, (16,), 4, 2)


def test_an_encoder_without_feature_cells_is_refused(tmp_path):
    path = write_rgb(tmp_path / "a.tif", random_rgb(64, 64))
    with (
        Scene.open(path) as scene,
        pytest.raises(ConfigError, match="fake has none; use method terraseek"),
    ):
        localize(scene, "red", FakeEncoder(), LocalizeOptions(method="dense"))


def visual(vision, side=64, **more):
    """A random image tower with statistics as after training."""
    torch.manual_seed(0)
    vision = {"image_size": side, **vision}
    tower = build_model({"embed_dim": 8, "vision_cfg": vision, "text_cfg": TEXT, **more}).visual
    for module in tower.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
    return tower.eval()


def timm(name, projection="linear"):
    """Vision part of an architecture with a network of timm."""
    return {
        "timm_model_name": name,
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": projection,
    }


@pytest.mark.parametrize(
    ("name", "projection"), [("resnet10t", "linear"), ("mobilenetv4_conv_small_050", "")]
)
def test_the_mean_of_the_cells_is_the_image(name, projection):
    """Also where more than a matrix follows the pooling, and with batch norms folded."""
    tower = visual(timm(name, projection))
    images = torch.randn(3, 3, 64, 64)
    for one in (tower, fold_batch_norms(tower, 64)):
        found = tower_feature_map(one, 64)
        assert found is not None
        assert (found.kind, found.side, found.cell) == ("average", 256, 32)
        with torch.inference_mode():
            cells = found.run(images)
            assert cells.shape == (3, 2, 2, found.channels)
            again = found.project(cells.mean(dim=(1, 2)))
            torch.testing.assert_close(again, one(images), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    ("vision", "kind", "cell"),
    [
        ({"layers": 2, "width": 32, "head_width": 16, "patch_size": 16}, "self-attention", 16),
        ({"layers": [1, 1, 1, 1], "width": 8}, "values", 32),
    ],
)
def test_attention_towers_tell_places_apart(vision, kind, cell):
    found = tower_feature_map(visual(vision), 64)
    assert found is not None
    assert (found.kind, found.cell) == (kind, cell)
    block = torch.zeros(1, 3, found.side, found.side)
    block[..., : found.side // 2] = torch.randn(1, 3, found.side, found.side // 2)
    with torch.inference_mode():
        cells = found.run(block)
    count = found.side // cell
    assert cells.shape == (1, count, count, 8)
    assert torch.isfinite(cells).all()
    assert float((cells[0, 0, 0] - cells[0, 0, -1]).abs().max()) > 1e-4


def compared(dense, windows):
    """A card's scores in which dense and windows have this ROC-AUC and average precision."""
    both = {"dense": dense, "windows": windows}
    measures = {
        name: {"roc_auc": auc, "average_precision": precision}
        for name, (auc, precision) in both.items()
    }
    return {DENSE_SCORE: measures}


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        ({}, "was not compared with single windows for terraseek-tiny"),
        (compared((0.7, 0.2), (0.8, 0.1)), r"\(ROC-AUC 0\.700 against 0\.800\)"),
        (compared((0.8, 0.1), (0.8, 0.2)), r"\(AP 0\.100 against 0\.200\)"),
    ],
)
def test_dense_is_offered_only_where_it_was_measured_to_be_as_good(scores, reason):
    card = dataclasses.replace(get_card("terraseek-tiny"), scores=scores)
    assert not DenseMethod().is_offered(card)
    with pytest.raises(ConfigError, match=f"{reason}.*--force"):
        check_dense(card, force=False)
    assert re.search(reason, check_dense(card, force=True)[0])


def test_dense_is_offered_where_it_is_no_worse_than_windows():
    scores = compared((0.8, 0.2), (0.8, 0.1))
    card = dataclasses.replace(get_card("terraseek-tiny"), scores=scores)
    assert check_dense(card, force=False) == check_dense(None, force=False) == []


@pytest.mark.parametrize("entry", [{"dense": 0.8, "windows": 0.7}, {"dense": {}}, 3])
def test_a_card_with_invalid_measures_is_refused(entry):
    card = dataclasses.replace(get_card("terraseek-tiny"), scores={DENSE_SCORE: entry})
    with pytest.raises(ConfigError, match="card of terraseek-tiny cannot be used"):
        DenseMethod().is_offered(card)


@pytest.mark.parametrize("force", [False, True])
def test_dense_is_refused_unless_forced(tmp_path, force):
    encoder, steps = DenseFake(), []
    encoder.card = dataclasses.replace(get_card("terraseek-tiny"), scores={})
    with Scene.open(write_rgb(tmp_path / "a.tif", random_rgb(64, 64))) as scene:
        options = LocalizeOptions(method="dense", scales=(64,), force=force)
        localizer = Localizer(scene, encoder, options, lambda *step: steps.append(step), False)
        if force:
            heat = localizer.heat_map(encode_query("red", encoder, options))
            assert any("was not compared" in warning for warning in heat.warnings)
        else:
            with pytest.raises(ConfigError, match="--force"):
                localizer.heat_map(encode_query("red", encoder, options))
            assert not steps


def test_half_the_cells_represent_a_window():
    assert [central_cells(cells) for cells in (1, 2, 4, 7, 16)] == [1, 1, 2, 3, 8]


def test_towers_without_a_grid_have_no_cells():
    assert tower_feature_map(visual(timm("vit_tiny_patch16_224") | {"timm_pool": ""}), 64) is None
    assert tower_feature_map(torch.nn.Linear(2, 2), 64) is None
