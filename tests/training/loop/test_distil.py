"""Distillation: the scores of a teacher become targets, and the trained network learns them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from helpers.ensemble_runs import ARCH, encoder, run
from terraseek.errors import ConfigError
from terraseek_train.config import TrainConfig, load_config
from terraseek_train.data.batch import Batch
from terraseek_train.data.text_table import tokenize
from terraseek_train.loop.device_batch import to_device
from terraseek_train.loop.distil import load_teacher, teacher_scores
from terraseek_train.loop.parallel import ProcessGroup
from terraseek_train.release.ensemble import build_ensemble
from terraseek_train.train import train

CPU = torch.device("cpu")
SENTENCES = ["many planes next to a terminal", "a river", "green trees around a lake with boats"]


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    """Folder of an ensemble of two encoders."""
    torch.manual_seed(9)
    table = torch.randn(49408, 16) * 0.1
    runs = [run(tmp_path / name, seed, table) for seed, name in enumerate(["a", "b"])]
    build_ensemble(tmp_path / "teacher", runs)
    return tmp_path / "teacher"


def config_of(settings: dict[str, Any], teacher: Path, **changes: Any) -> TrainConfig:
    stored = json.loads((teacher / "config.json").read_text())
    like = {"means": stored["means"], "stds": stored["stds"], "distil": str(teacher), "arch": ARCH}
    path = teacher.parent / "recipe.json"
    path.write_text(json.dumps(settings | like | {"sizes": [[0, 32]]} | changes))
    return load_config(path)


def batch_of(pixels: np.ndarray, config: TrainConfig) -> Batch:
    count = len(pixels)
    length = config.arch["text_cfg"]["context_length"]
    return Batch(
        pixels=pixels,
        tokens=tokenize(SENTENCES[:count], {"text_cfg": {"context_length": length}}).astype(
            np.int32
        ),
        positive=np.eye(count, dtype=bool),
        neutral=np.zeros((count, count), bool),
        label=np.full(count, -1, np.int16),
        source=np.zeros(count, np.int16),
        sentence_vectors=None,
        all_sentence_vectors=None,
        text_rows=np.arange(count, dtype=np.int32),
        all_place=np.arange(count),
        all_label=np.full(count, -1, np.int16),
        number=0,
    )


@pytest.mark.parametrize("chunk", [0, 2])
def test_scores_are_those_of_the_shipped_encoder(
    settings: dict[str, Any], teacher: Path, chunk: int
) -> None:
    config = config_of(settings, teacher, chunk=chunk)
    model = load_teacher(config, CPU)
    assert model is not None
    assert not any(p.requires_grad for p in model.parameters())
    side = ARCH["vision_cfg"]["image_size"]
    pixels = np.random.default_rng(0).integers(0, 256, (3, side, side, 3), np.uint8)
    local = to_device(batch_of(pixels, config), config, ProcessGroup(), CPU)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) * 255 for v in (config.means, config.stds))
    found = teacher_scores(model, local, mean, std, config, ProcessGroup())
    shipped = encoder(teacher)
    expected = shipped.logit_scale * (
        shipped.encode_images(list(pixels)) @ shipped.encode_texts(SENTENCES).T
    )
    assert np.abs(found.numpy() - expected).max() < 1e-4 * shipped.logit_scale


def test_training_approaches_the_scores_of_the_teacher(
    settings: dict[str, Any], teacher: Path
) -> None:
    """Compared with a run of the same length without a teacher."""

    def distance(share: float) -> float:
        out = teacher.parent / f"share-{share}"
        config = config_of(
            settings,
            teacher,
            out=str(out),
            steps=60,
            freeze_words=True,
            lr=5e-3,
            batch=15,
            smoothing=0.0,
            class_weight=0.0,
            distil_share=share,
            eval_every=60,
            save_every=60,
        )
        train(config)
        images = [np.full((40, 40, 3), colour, np.uint8) for colour in (30, 120, 220)]
        sentences = ["a red square", "a green square", "a blue square"]
        probabilities = []
        for folder in (teacher, out):
            trained = encoder(folder)
            cosines = trained.encode_images(images) @ trained.encode_texts(sentences).T
            scores = trained.logit_scale * cosines
            probabilities.append(F.softmax(torch.from_numpy(np.asarray(scores)), dim=1))
        return float((probabilities[0] - probabilities[1]).abs().mean())

    assert distance(1.0) < 0.5 * distance(0.0)


def test_a_teacher_with_other_preprocessing_is_refused(
    settings: dict[str, Any], teacher: Path
) -> None:
    with pytest.raises(ConfigError, match="means of distil"):
        load_teacher(config_of(settings, teacher, means=[0.5, 0.5, 0.5]), CPU)
    longer = ARCH | {"text_cfg": ARCH["text_cfg"] | {"context_length": 20}}
    with pytest.raises(ConfigError, match="another length than 20"):
        load_teacher(config_of(settings, teacher, arch=longer), CPU)
    (teacher.parent / "alone.safetensors").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"has no config\.json"):
        load_teacher(
            config_of(settings, teacher, distil=str(teacher.parent / "alone.safetensors")), CPU
        )
    with pytest.raises(ConfigError, match="no registered model"):
        load_teacher(config_of(settings, teacher, distil="nobody"), CPU)
    assert load_teacher(config_of(settings, teacher, distil=None), CPU) is None
