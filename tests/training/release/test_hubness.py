"""Hubness correction lowers the scores of hubs, and its result is still one cosine."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from helpers.ensemble_runs import ARCH, encoder, run
from terraseek.encoders.architecture import HUBNESS_DIMS
from terraseek.encoders.nets.build import build_model
from terraseek.encoders.nets.checkpoints import read_state
from terraseek.encoders.nets.fuse import fold_batch_norms
from terraseek.encoders.nets.hubness import MODALITIES, hubness_correction
from terraseek.errors import ConfigError
from terraseek.files import read_json, write_json
from terraseek_train.config import load_config
from terraseek_train.release.ensemble import build_ensemble
from terraseek_train.release.hubness import (
    HubnessSettings,
    ModalitySettings,
    add_hubness_correction,
    cluster,
    fit_correction,
)

HUBS: dict[str, Any] = {
    "sharpness": 8.0,
    "pictures": {"count": 5, "weight": 0.5},
    "sentences": {"count": 6, "weight": 0.75},
}


def unit(count: int, dim: int, seed: int) -> torch.Tensor:
    drawn = torch.randn((count, dim), generator=torch.Generator().manual_seed(seed))
    return F.normalize(drawn, dim=-1)


def fitted(scenes: torch.Tensor, sentences: torch.Tensor, hubs: dict[str, Any] = HUBS) -> Any:
    both = {"image": scenes.numpy(), "text": sentences.numpy()}
    corrections = [hubness_correction(kind, scenes.shape[1], hubs) for kind in MODALITIES]
    for module, kind, other in zip(corrections, MODALITIES, MODALITIES[::-1], strict=True):
        fit_correction(module, both[kind], both[other])
    return corrections


def excess_similarity(
    vectors: torch.Tensor, others: torch.Tensor, count: int, sharpness: float
) -> np.ndarray:
    """Similarity of each vector to the querybank, minus the mean; in float64, one by one."""
    centres, weights = cluster(others.numpy(), count)
    rows = vectors.numpy().astype(np.float64)
    sums = [float(weights @ np.exp(sharpness * (centres @ row))) for row in rows]
    similarity = np.log(sums) / sharpness
    return np.asarray(similarity - similarity.mean())


@given(st.integers(0, 1000), st.booleans())
def test_a_product_is_the_score_minus_both_similarities(seed: int, centred: bool) -> None:
    shift = unit(2, 16, seed + 2)  # the mean direction of a modality
    scenes = F.normalize(unit(20, 16, seed) + shift[:1], dim=-1)
    sentences = F.normalize(unit(30, 16, seed + 1) + shift[1:], dim=-1)
    correct_images, correct_texts = fitted(scenes, sentences, HUBS | {"centred": centred})
    images, texts = correct_images(scenes), correct_texts(sentences)
    if centred:
        scenes, sentences = (
            F.normalize(kind - kind.mean(0), dim=-1) for kind in (scenes, sentences)
        )
    for made in (images, texts):
        assert made.shape[1] == 16 + HUBNESS_DIMS
        assert (made.norm(dim=1) - 1).abs().max() < 1e-5

    image_term = 0.5 * excess_similarity(scenes, sentences, 6, 8.0)[:, None]
    text_term = 0.75 * excess_similarity(sentences, scenes, 5, 8.0)[None, :]
    bound = (0.19 / 2) / 0.81  # the correction is clamped to this
    inside = (np.abs(image_term) < bound) & (np.abs(text_term) < bound)
    wanted = 0.81 * ((scenes @ sentences.T).numpy() - image_term - text_term)
    assert inside.any()
    assert np.abs((images @ texts.T).numpy() - wanted)[inside].max() < 1e-5


def test_a_hub_sentence_no_longer_ranks_first() -> None:
    common, own, noise = unit(1, 32, 1), unit(8, 32, 2), unit(200, 32, 3)
    scenes = F.normalize(1.5 * common + own, dim=-1)
    sentences = torch.cat([F.normalize(0.35 * common + own, dim=-1), common])
    training = F.normalize(1.5 * common + noise, dim=-1)
    training_sentences = torch.cat(
        [F.normalize(0.35 * common + noise, dim=-1), common.repeat(5, 1)]
    )
    settings = {"count": 20, "weight": 1.0}
    hubs = HUBS | {"sentences": settings, "pictures": settings}
    correct_images, correct_texts = fitted(training, training_sentences, hubs)
    before = (scenes @ sentences.T).argmax(1)
    after = (correct_images(scenes) @ correct_texts(sentences).T).argmax(1)
    assert (before == 8).sum() >= 6
    assert (after == torch.arange(8)).sum() >= 7


def test_similarities_between_images_stay() -> None:
    scenes, sentences = unit(40, 16, 3), unit(40, 16, 4)
    made = fitted(scenes, sentences)[0](scenes)
    plain, now = (scenes @ scenes.T).flatten(), (made @ made.T).flatten()
    assert np.corrcoef(plain, now)[0, 1] > 0.995
    assert now.max() <= 1 + 1e-5


@pytest.mark.parametrize(
    "hubs",
    [
        {},
        7,
        {k: v for k, v in HUBS.items() if k != "sharpness"},
        HUBS | {"sharpness": 0},
        HUBS | {"pictures": {"count": 3}},
        HUBS | {"sentences": {"count": "many", "weight": 1}},
        HUBS | {"centred": "yes"},
    ],
)
def test_unusable_settings_are_named(hubs: Any) -> None:
    with pytest.raises(ConfigError, match="hubs"):
        build_model(ARCH | {"members": 2, "embed_dim": 16 + HUBNESS_DIMS, "hubs": hubs})


@pytest.fixture
def both(tmp_path: Path) -> Path:
    """Folder of an ensemble of two encoders."""
    torch.manual_seed(9)
    table = torch.randn(49408, 16) * 0.1
    build_ensemble(tmp_path / "both", [run(tmp_path / str(seed), seed, table) for seed in range(2)])
    return tmp_path / "both"


@pytest.mark.parametrize("centred", [True, False])
def test_training_statistics_are_written_into_the_weights(
    both: Path, settings: dict[str, Any], tmp_path: Path, centred: bool
) -> None:
    write_json(tmp_path / "recipe.json", settings | {"arch": ARCH})
    config = load_config(tmp_path / "recipe.json")
    small = HubnessSettings(8.0, ModalitySettings(4, 0.5), ModalitySettings(3, 0.75), centred)
    add_hubness_correction(tmp_path / "corrected", both, config, pairs=40, settings=small)
    arch = read_json(tmp_path / "corrected" / "config.json")["arch"]
    assert arch["embed_dim"] == 16 + HUBNESS_DIMS
    assert arch["hubs"]["pictures"] == {"count": 4, "weight": 0.5}
    plain, corrected = encoder(both), encoder(tmp_path / "corrected")
    scenes = list(np.random.default_rng(0).integers(0, 256, (9, 40, 48, 3), np.uint8))
    words = ["a red square", "green ground number 4 .", "a lake"]
    stored = read_state(tmp_path / "corrected" / "model.safetensors")
    for key, before, after in (
        ("visual.level.mean", plain.encode_images(scenes), corrected.encode_images(scenes)),
        ("level.mean", plain.encode_texts(words), corrected.encode_texts(words)),
    ):
        assert (key in stored) == centred
        if centred:
            before = before - stored[key].numpy()
            before /= np.linalg.norm(before, axis=1, keepdims=True)
        assert np.abs(after[:, :16] - 0.9 * before).max() < 1e-5
        assert np.abs(np.linalg.norm(after, axis=1) - 1).max() < 1e-5
    dense = corrected.dense
    assert dense is not None
    block = np.random.default_rng(1).integers(0, 256, (1, dense.side, dense.side, 3), np.uint8)
    vectors = dense.project(dense.cells(block).mean(axis=(1, 2)))
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 1e-5
    with pytest.raises(ConfigError, match="corrected for hubness already"):
        add_hubness_correction(tmp_path / "twice", tmp_path / "corrected", config)
    with pytest.raises(ConfigError, match="is not an ensemble"):
        add_hubness_correction(tmp_path / "twice", tmp_path / "0", config)


def test_batch_norms_of_corrected_towers_are_folded() -> None:
    vision = ARCH["vision_cfg"] | {"timm_model_name": "regnetx_002"}
    arch = ARCH | {"members": 2, "vision_cfg": vision, "embed_dim": 16 + HUBNESS_DIMS, "hubs": HUBS}
    lean = fold_batch_norms(build_model(arch).visual, 32)
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in lean.modules())
