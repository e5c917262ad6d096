"""The interface of localization methods: the registry, and a new method in a few lines."""

import numpy as np
import pytest
from typer.testing import CliRunner

from helpers.rasters import write_rgb
from terraseek.cli import build_app
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import ConfigError
from terraseek.localization import METHODS, LocalizeOptions, localize
from terraseek.localization.methods.base import Method, ScoreMap
from terraseek.localization.methods.registry import get_method
from terraseek.localization.windows.fields import mean_of_windows
from terraseek.localization.windows.lattice import half_stride_lattice
from terraseek.scenes import Scene


class MeanMethod(Method):
    """Mean over half-stride windows of one side."""

    name = "mean"
    title = "Mean"
    summary = "mean over windows of 100 px"

    def default_scales(self, scene):
        return (100,)

    def lattice(self, context):
        scene = context.scene
        return half_stride_lattice(scene.width, scene.height, context.scales)

    def score_map(self, context, embedding, scores, query):
        return ScoreMap(mean_of_windows(embedding.lattice, scores), len(scores))


def test_a_new_method_needs_scales_a_lattice_and_a_score_map(tmp_path, monkeypatch):
    monkeypatch.setitem(METHODS, MeanMethod.name, MeanMethod())
    rgb = np.full((300, 400, 3), 110, np.uint8)
    rgb[100:200, 250:350] = (220, 30, 30)
    with Scene.open(write_rgb(tmp_path / "a.tif", rgb)) as scene:
        heat = localize(scene, "red", FakeEncoder(), LocalizeOptions(method="mean"))
    assert (heat.method, heat.window_px, heat.n_windows) == ("mean", 100, 5 * 7)
    assert 100 <= heat.peak.row < 200
    assert 250 <= heat.peak.col < 350


def test_methods_are_listed_under_their_names():
    assert [method.name for method in METHODS.values()] == list(METHODS)
    assert all(method.title and method.summary for method in METHODS.values())
    assert get_method("dense") is METHODS["dense"]


def test_an_unknown_method_is_refused_with_the_list():
    with pytest.raises(ConfigError, match=", ".join(METHODS)):
        get_method("magic")


def test_the_command_lists_all_methods():
    found = CliRunner().invoke(build_app(), ["localize", "--help"], env={"COLUMNS": "200"})
    assert found.exit_code == 0
    assert ", ".join(METHODS) in found.stdout


class NegatedEncoder(FakeEncoder):
    """All cosines are 0 or below, as most of a centred encoder are for what is not in a scene."""

    def _encode_text_batch(self, texts):
        return -super()._encode_text_batch(texts)


def test_ground_that_selo_v2_does_not_visit_has_no_opinion_or_the_published_zero(tmp_path):
    rgb = np.full((1536, 1536, 3), (230, 30, 30), np.uint8)
    rgb[100:300, 100:300] = (150, 100, 100)  # the least red place
    peaks = {}
    for unvisited in ("zero", "neutral"):
        with Scene.open(write_rgb(tmp_path / f"{unvisited}.tif", rgb)) as scene:
            options = LocalizeOptions(method="selo-v2", unvisited=unvisited)
            heat = localize(scene, "red", NegatedEncoder(), options)
        peaks[unvisited] = (heat.peak.row, heat.peak.col)
    # 0 is above every cosine, so the published rule prefers what it did not look at
    assert max(peaks["zero"]) > 512
    assert max(peaks["neutral"]) < 512
    with pytest.raises(ConfigError, match="unvisited 'guess' must be zero or neutral"):
        LocalizeOptions(unvisited="guess")
