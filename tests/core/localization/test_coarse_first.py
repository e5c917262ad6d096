"""Coarse maps while windows are encoded; the final map does not depend on them."""

import numpy as np
import pytest

from helpers.dense_fake import DenseFake, mixed_card
from helpers.rasters import random_rgb, write_rgb
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import Cancelled
from terraseek.localization import LocalizeOptions, localize_many
from terraseek.localization.windows.encode import coarse_first
from terraseek.localization.windows.lattice import half_stride_lattice
from terraseek.scenes import Scene

SCALES = (48, 96, 192)


@pytest.fixture
def scene(tmp_path):
    """A textured scene of 600 x 520 pixels with a red square, without invalid pixels."""
    rgb = random_rgb(520, 600).astype(int)
    rgb += np.random.default_rng(0).integers(-25, 25, rgb.shape)
    rgb = np.clip(rgb, 1, 255).astype(np.uint8)
    rgb[300:420, 100:220] = (230, 20, 20)
    with Scene.open(write_rgb(tmp_path / "ground.tif", rgb)) as opened:
        assert not opened.has_mask
        yield opened


class RoundsByBatchSize(DenseFake):
    """As matrix products do: the last bits of a vector depend on the size of its batch."""

    card = mixed_card()

    def _encode_image_batch(self, squares):
        found = super()._encode_image_batch(squares)
        found[:, 0] += np.float32(0.003 * len(squares))
        return found


@pytest.fixture
def masked(tmp_path):
    """The same scene with nodata on the left and in blocks; no batch of windows has none."""
    rgb = np.clip(random_rgb(520, 600).astype(int), 1, 255).astype(np.uint8)
    rgb[300:420, 300:420] = (230, 20, 20)
    rgb[:, :150] = 0
    rgb[100:250, 400:500] = 0
    with Scene.open(write_rgb(tmp_path / "masked.tif", rgb, nodata=0)) as opened:
        assert opened.has_mask
        yield opened


@pytest.mark.parametrize("method", ["terraseek", "windows", "dense", "selo-v1", "selo-v2"])
@pytest.mark.parametrize("kind", ["scene", "masked"])
def test_the_final_map_is_the_same_bit_for_bit(kind, method, request):
    ground, encoder = request.getfixturevalue(kind), RoundsByBatchSize(block_sides=4)
    encoder.batch_size = 16
    options = LocalizeOptions(
        method=method, scales=None if method == "selo-v2" else SCALES, force=True
    )
    queries = ["red", "a green field"]
    partial = []
    watched = localize_many(
        ground, queries, encoder, options, cache=False, on_partial=partial.append
    )
    plain = localize_many(ground, queries, encoder, options, cache=False)
    assert len(partial) >= 2
    for one, other in zip(watched, plain, strict=True):
        np.testing.assert_array_equal(one.score, other.score)
        assert one.probability == other.probability
        assert one.n_windows == other.n_windows


@pytest.mark.parametrize("method", ["terraseek", "windows", "dense"])
@pytest.mark.parametrize("kind", ["scene", "masked"])
def test_the_first_map_has_the_final_scores_of_the_larger_windows(kind, method, request):
    ground, encoder = request.getfixturevalue(kind), RoundsByBatchSize(block_sides=4)
    encoder.batch_size = 16
    options = LocalizeOptions(method=method, scales=SCALES, force=True)
    partial = []
    [final] = localize_many(
        ground, ["red"], encoder, options, cache=False, on_partial=partial.append
    )
    [first], [last] = partial[0], partial[-1]
    for side in final.layers:
        values, coarse = final.layers[side].values, first.layers[side].values
        later = last.layers[side].values
        if side > min(final.layers):
            known = np.isfinite(coarse)
            # the largest windows alone are a map already where the smallest come from blocks
            if method != "terraseek" or side == max(final.layers):
                assert known.sum() > 0.7 * np.isfinite(values).sum()
            np.testing.assert_array_equal(coarse[known], values[known])
        known = np.isfinite(later)
        np.testing.assert_array_equal(later[known], values[known])
    smallest = min(final.layers)
    n_known = [np.isfinite(one.layers[smallest].values).sum() for one in (first, last, final)]
    assert n_known[0] < n_known[1] < n_known[2]
    # the coarse map covers what the final one covers
    assert np.isfinite(first.score).sum() > 0.95 * np.isfinite(final.score).sum()


def test_the_second_stage_of_selo_is_shown_sentence_by_sentence(scene):
    options = LocalizeOptions(method="selo-v2")
    queries = ["red", "a green field", "blue water"]
    partial = []
    final = localize_many(
        scene, queries, FakeEncoder(), options, cache=False, on_partial=partial.append
    )
    # the first stage of all, then one sentence after another
    np.testing.assert_array_equal(partial[-1][0].score, final[0].score)
    np.testing.assert_array_equal(partial[-1][1].score, final[1].score)
    coarse = partial[-1][2]
    assert coarse.n_windows < final[2].n_windows
    assert np.isfinite(coarse.score).all()
    assert not np.array_equal(coarse.score, final[2].score)


def test_the_first_map_comes_after_about_a_quarter_and_covers_the_scene(scene):
    count = len(half_stride_lattice(scene.width, scene.height, SCALES))
    done, seen = [0], []

    def progress(stage, n, total):
        done[0] = n

    def keep(heats):
        seen.append((done[0] / count, heats[0]))

    options = LocalizeOptions(scales=SCALES)
    [final] = localize_many(
        scene, ["red"], FakeEncoder(), options, progress, cache=False, on_partial=keep
    )
    shares = [share for share, _ in seen]
    assert 0.2 <= shares[0] <= 0.4
    assert shares == sorted(shares)
    assert shares[-1] < 1
    coarse = seen[0][1]
    assert np.isfinite(coarse.score).all()
    assert 0.15 * final.n_windows < coarse.n_windows < 0.45 * final.n_windows
    alike = np.corrcoef(coarse.score.ravel(), final.score.ravel())[0, 1]
    assert 0.8 < alike < 0.9999


def test_larger_windows_come_first_and_the_last_batch_stays():
    lattice = half_stride_lattice(600, 520, SCALES)
    order, n_first = coarse_first(lattice, 64)
    assert sorted(order) == list(range(len(lattice)))
    assert lattice.scale[order[:n_first]].min() == 96
    assert (lattice.scale[order[n_first : len(order) - len(order) % 64]] == 48).all()
    tail = len(order) - len(order) % 64
    np.testing.assert_array_equal(order[tail:], np.arange(tail, len(order)))
    assert coarse_first(half_stride_lattice(600, 520, (48,)), 64)[1] == 0


def test_an_interrupted_watched_run_continues(scene, monkeypatch, tmp_path):
    monkeypatch.setenv("TERRASEEK_HOME", str(tmp_path / "home"))
    options = LocalizeOptions(scales=SCALES)
    encoder = FakeEncoder()
    encoder.batch_size = 16  # chunks of 128 windows

    def stop(stage, n, total):
        if n > total * 0.6:
            raise Cancelled("enough")

    def watch(heats):
        pass

    with pytest.raises(Cancelled):
        localize_many(scene, ["red"], encoder, options, stop, on_partial=watch)
    first = []
    [resumed] = localize_many(
        scene, ["red"], encoder, options, lambda _, n, total: first.append(n), on_partial=watch
    )
    assert first[0] >= 128
    [plain] = localize_many(scene, ["red"], encoder, options, cache=False)
    np.testing.assert_array_equal(resumed.score, plain.score)
