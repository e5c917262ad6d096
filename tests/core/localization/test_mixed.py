"""Method terraseek: the smallest windows are those of method dense, the others single windows."""

import numpy as np
import pytest

from helpers.dense_fake import DenseFake, mixed_card
from helpers.rasters import random_rgb, write_rgb
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import Cancelled
from terraseek.localization import LocalizeOptions, embed_scene, localize
from terraseek.localization.localizer import Localizer
from terraseek.localization.side_map import side_map
from terraseek.scenes import Scene

SCALES = (48, 96, 192)


@pytest.fixture
def scene(tmp_path):
    rgb = random_rgb(520, 600)
    rgb[300:420, 100:220] = (230, 20, 20)
    with Scene.open(write_rgb(tmp_path / "ground.tif", rgb)) as opened:
        yield opened


class Measured(DenseFake):
    """An encoder whose card shows that cells may stand for the smallest windows."""

    card = mixed_card()

    def __init__(self, block_sides=4):
        super().__init__(block_sides)


def heat_of(scene, encoder, method, scales=SCALES):
    return localize(
        scene,
        "red",
        encoder,
        LocalizeOptions(method=method, scales=scales, force=method == "dense"),
    )


def test_layers_are_those_of_the_two_methods_and_the_map_is_their_weighted_mean(scene):
    encoder = Measured()
    mixed = heat_of(scene, encoder, "terraseek")
    cells = heat_of(scene, encoder, "dense", (48,))
    windows = heat_of(scene, encoder, "windows", (96, 192))
    rows, cols = np.arange(0.5, 520, 7), np.arange(0.5, 600, 7)
    expected = {48: cells.field, **windows.layers}
    assert sorted(mixed.layers) == [48, 96, 192]
    for side, field in expected.items():
        np.testing.assert_array_equal(
            mixed.layers[side].sample(rows, cols), field.sample(rows, cols)
        )
    weights = {48: 1 / 96, 96: 1 / 96, 192: 1 / 192}
    total = sum(weights[side] * field.sample(rows, cols) for side, field in expected.items())
    mean = total / sum(weights.values())
    np.testing.assert_allclose(mixed.sample(rows, cols), mean, atol=1e-6)
    assert mixed.n_windows == cells.n_windows + windows.n_windows
    for side, count in (
        (48, cells.n_windows),
        (192, heat_of(scene, encoder, "windows", (192,)).n_windows),
    ):
        assert side_map(mixed, side).n_windows == count == len(side_map(mixed, side).windows)


def test_it_takes_fewer_passes_than_windows_alone(scene):
    encoder = Measured()
    passes = []
    for method in ("terraseek", "windows"):
        options = LocalizeOptions(method=method, scales=SCALES)
        localizer = Localizer(scene, encoder, options, cache=False)
        passes.append(localizer.method.passes(localizer.context, len(localizer.embedding.lattice)))
    # what the encoder was given: blocks of four image sides are sixteen passes
    larger = embed_scene(scene, Measured(), LocalizeOptions(method="windows", scales=(96, 192)))
    assert passes[0] == len(larger.lattice) + 16 * encoder.blocks
    assert passes[0] < 0.8 * passes[1]


def test_all_windows_are_single_where_cells_are_missing_worse_or_no_cheaper(scene):
    worse = Measured()
    worse.card = mixed_card(terraseek=0.79)
    plain_card = DenseFake(block_sides=4)
    cases = [(FakeEncoder(), SCALES), (Measured(), (48,)), (worse, SCALES), (plain_card, SCALES)]
    cases.append((Measured(block_sides=2), SCALES))  # half of each block is margin
    for encoder, scales in cases:
        found, plain = (
            heat_of(scene, encoder, method, scales) for method in ("terraseek", "windows")
        )
        np.testing.assert_array_equal(found.score, plain.score)
        assert found.n_windows == plain.n_windows
    assert worse.blocks == plain_card.blocks == 0


def test_an_interrupted_run_continues_in_both_parts(scene, tmp_path, monkeypatch):
    monkeypatch.setenv("TERRASEEK_HOME", str(tmp_path / "home"))
    options = LocalizeOptions(scales=SCALES)
    whole = Measured()
    expected = embed_scene(scene, whole, options, cache=False)
    counts = []

    def stop(_stage, done, total):
        counts.append((done, total))
        if done > total * 0.7:
            raise Cancelled("enough")

    first, again = Measured(), Measured()
    with pytest.raises(Cancelled):
        embed_scene(scene, first, options, progress=stop)
    assert counts == sorted(counts)
    assert len({total for _, total in counts}) == 1
    resumed = embed_scene(scene, again, options)
    assert 0 < first.blocks < whole.blocks
    assert first.blocks + again.blocks == whole.blocks
    np.testing.assert_allclose(
        resumed.vectors.astype("f4"), expected.vectors.astype("f4"), atol=2e-3
    )
    kept = Measured()
    assert embed_scene(scene, kept, options).from_cache
    assert kept.blocks == 0
