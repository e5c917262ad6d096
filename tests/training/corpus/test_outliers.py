"""Detector of overhead imagery, the joint quantile rule and its table."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from helpers.corpus_runs import items_of, jpeg, pixels, write_images
from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import ConfigError
from terraseek.files import read_json
from terraseek_train.corpus.detector.graphics import KINDS, draw_graphic
from terraseek_train.corpus.detector.model import load_detector
from terraseek_train.corpus.detector.prompts import PROMPTS, prompt_vector
from terraseek_train.corpus.detector.train import DetectorConfig, train_detector
from terraseek_train.corpus.stages.outliers import joint_filter, quantile_table, top_share


def test_the_prompts_are_those_of_the_paper():
    assert len(set(PROMPTS)) == 33
    assert "a remote sensing image." in PROMPTS
    assert "an aerial image." in PROMPTS
    assert "a jpeg corrupted satellite image." in PROMPTS
    encoder = FakeEncoder()
    vector = prompt_vector(encoder)
    mean = encoder.encode_text_features(PROMPTS).mean(axis=0)
    np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), rtol=1e-5)


@pytest.mark.parametrize(
    ("percent", "kept"), [(95, 3_818_263), (90, 3_617_302), (85, 3_416_341), (60, 2_411_535)]
)
def test_quantiles_keep_the_counts_of_the_paper(percent: int, kept: int):
    scores = np.arange(4_019_225, dtype=np.float64)
    found, _ = top_share(scores, percent)
    assert int(found.sum()) == kept


def test_ties_at_the_threshold_are_kept():
    scores = np.array([0.1, 0.2, 0.2, 0.2, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    kept, threshold = top_share(scores, 80)
    assert threshold == pytest.approx(0.2)
    assert kept.tolist() == [False] + [True] * 9


def test_the_joint_rule_takes_both_quantiles_over_the_same_pool():
    rng = np.random.default_rng(0)
    s, c = rng.random(1000), rng.random(1000)
    kept = joint_filter(s, c, 90, 80)
    assert kept.tolist() == ((s >= np.quantile(s, 0.1)) & (c >= np.quantile(c, 0.2))).tolist()
    table = quantile_table(s, c)
    assert (table[0][0], table[2][0], table[0][4], table[2][4]) == (1000, 900, 800, kept.sum())
    assert all(a >= b for row in table for a, b in pairwise(row))


def textured(seed: int) -> np.ndarray:
    """Fields and noise, unlike the drawn graphics."""
    rng = np.random.default_rng(seed)
    rough = rng.normal(0, 18, (96, 96, 1)) + pixels(seed, 96).astype(float) * 0.4 + 40
    return (rough * np.array([0.9, 1.1, 0.8])).clip(0, 255).astype(np.uint8)


@pytest.fixture
def detector(tmp_path: Path) -> Path:
    """Detector of textures, trained with the encoder without a network."""
    folder = tmp_path / "overhead"
    folder.mkdir()
    for n in range(60):
        (folder / f"{n}.jpg").write_bytes(jpeg(textured(n)))
    path = tmp_path / "detector.npz"
    train_detector(DetectorConfig(str(path), (str(folder),), images=60, model="fake"))
    return path


def test_the_detector_separates_what_it_was_trained_on(detector: Path):
    facts = read_json(detector.with_suffix(".json"))
    assert facts["test"]["called"]["overhead"]["images"] == 15
    assert facts["test"]["called"]["graphic"]["images"] == 7
    assert facts["test"]["accuracy"] > 0.8
    assert facts["train"]["accuracy"] > 0.9


def test_a_detector_of_another_encoder_is_refused(detector: Path):
    with pytest.raises(ConfigError, match="trained with fake@"):
        load_detector(detector, "other@1")


def test_outliers_are_rejected_with_their_scores(run: Callable, detector: Path, tmp_path: Path):
    rng = np.random.default_rng(1)
    images = {f"land_{n}.jpg": jpeg(textured(100 + n)) for n in range(8)}
    images |= {f"plot_{n}.jpg": jpeg(draw_graphic(rng)) for n in range(4)}
    write_images(tmp_path / "set", images, {})
    paths = {"path": str(tmp_path / "set/captions.json"), "images": str(tmp_path / "set/images")}
    source = {"name": "a", "kind": "captions", **paths}
    stage = {"stage": "outliers", "model": "fake", "detector": str(detector), "keep_s": 100}
    kept = items_of(run([source], [stage | {"min_c": 0.5}], shard_rows=5))
    names = [item.split("/")[1] for item in kept["item"].to_pylist()]
    assert names == [f"land_{n}.jpg" for n in range(8)]
    assert min(kept["rs_score"].to_pylist()) >= 0.5
    facts = read_json(tmp_path / "corpus/stages/01-outliers/stage.json")["facts"]
    assert facts["kept_of_quantiles"][0][0] == 12
    by_share = items_of(run([source], [stage | {"keep_c": 50}], shard_rows=5))
    assert len(by_share) == 6


def test_stored_vectors_are_used_again(run: Callable, tmp_path: Path):
    write_images(tmp_path / "set", {f"{n}.jpg": jpeg(pixels(n)) for n in range(5)}, {})
    paths = {"path": str(tmp_path / "set/captions.json"), "images": str(tmp_path / "set/images")}
    source = {"name": "a", "kind": "captions", **paths}
    outliers = {"stage": "outliers", "model": "fake", "keep_s": 100}
    direct = items_of(run([source], [outliers]))["vlm_score"].to_pylist()
    stored = items_of(run([source], [{"stage": "embed", "model": "fake"}, outliers]))
    np.testing.assert_allclose(stored["vlm_score"].to_pylist(), direct, atol=2e-3)
    assert len(stored) == 5


@pytest.mark.parametrize("kind", KINDS)
def test_graphics_differ_by_seed_and_repeat_with_it(kind: str):
    first, again, other = (
        np.asarray(KINDS[kind](np.random.default_rng(seed), 64)) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
