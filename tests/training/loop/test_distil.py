"""A finished encoder's scores among the targets: what they are, and that they are learnt."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from helpers.joinable import ARCH, encoder, run
from terraseek.errors import ConfigError
from terraseek_train.config import TrainConfig, load_config
from terraseek_train.data.batch import Batch
from terraseek_train.data.text_table import tokenize
from terraseek_train.loop.distil import finished, scores_of
from terraseek_train.loop.objective import ready
from terraseek_train.loop.parallel import Team
from terraseek_train.release.ensemble import join
from terraseek_train.train import train

ALONE = torch.device("cpu")
SENTENCES = ["many planes next to a terminal", "a river", "green trees around a lake with boats"]


@pytest.fixture
def elder(tmp_path: Path) -> Path:
    """Two encoders side by side."""
    torch.manual_seed(9)
    table = torch.randn(49408, 16) * 0.1
    runs = [run(tmp_path / name, seed, table) for seed, name in enumerate(["a", "b"])]
    join(tmp_path / "elder", runs)
    return tmp_path / "elder"


def config_of(settings: dict[str, Any], elder: Path, **changes: Any) -> TrainConfig:
    own = json.loads((elder / "config.json").read_text())
    like = {"means": own["means"], "stds": own["stds"], "distil": str(elder), "arch": ARCH}
    path = elder.parent / "recipe.json"
    path.write_text(json.dumps(settings | like | {"sizes": [[0, 32]]} | changes))
    return load_config(path)


def batch_of(pixels: np.ndarray, config: TrainConfig) -> Batch:
    count = len(pixels)
    length = config.arch["text_cfg"]["context_length"]
    return Batch(
        pixels=pixels,
        tokens=tokenize(SENTENCES[:count], length).astype(np.int32),
        same=np.eye(count, dtype=bool),
        neutral=np.zeros((count, count), bool),
        label=np.full(count, -1, np.int16),
        source=np.zeros(count, np.int16),
        teacher=None,
        teacher_all=None,
    )


@pytest.mark.parametrize("chunk", [0, 2])
def test_scores_are_those_of_the_shipped_encoder(
    settings: dict[str, Any], elder: Path, chunk: int
) -> None:
    config = config_of(settings, elder, chunk=chunk)
    model = finished(config, ALONE)
    assert model is not None
    assert not any(p.requires_grad for p in model.parameters())
    side = ARCH["vision_cfg"]["image_size"]
    pixels = np.random.default_rng(0).integers(0, 256, (3, side, side, 3), np.uint8)
    part = ready(batch_of(pixels, config), config, Team(), ALONE)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) * 255 for v in (config.means, config.stds))
    found = scores_of(model, part, mean, std, config, Team())
    whole = encoder(elder)
    expected = whole.logit_scale * (
        whole.encode_images(list(pixels)) @ whole.encode_texts(SENTENCES).T
    )
    assert np.abs(found.numpy() - expected).max() < 1e-4 * whole.logit_scale


def test_a_run_comes_nearer_to_what_it_is_told(settings: dict[str, Any], elder: Path) -> None:
    """By its scores of training images, against a run of the same length that is told nothing."""

    def apart(share: float) -> float:
        out = elder.parent / f"told-{share}"
        config = config_of(
            settings,
            elder,
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
        said = ["a red square", "a green square", "a blue square"]
        answers = []
        for folder in (elder, out):
            made = encoder(folder)
            scores = made.logit_scale * (made.encode_images(images) @ made.encode_texts(said).T)
            answers.append(F.softmax(torch.from_numpy(np.asarray(scores)), dim=1))
        return float((answers[0] - answers[1]).abs().mean())

    assert apart(1.0) < 0.5 * apart(0.0)


def test_an_encoder_that_reads_otherwise_is_refused(settings: dict[str, Any], elder: Path) -> None:
    with pytest.raises(ConfigError, match="means of distil"):
        finished(config_of(settings, elder, means=[0.5, 0.5, 0.5]), ALONE)
    longer = ARCH | {"text_cfg": ARCH["text_cfg"] | {"context_length": 20}}
    with pytest.raises(ConfigError, match="another length than 20"):
        finished(config_of(settings, elder, arch=longer), ALONE)
    (elder.parent / "alone.safetensors").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"has no config\.json"):
        finished(config_of(settings, elder, distil=str(elder.parent / "alone.safetensors")), ALONE)
    with pytest.raises(ConfigError, match="no registered model"):
        finished(config_of(settings, elder, distil="nobody"), ALONE)
    assert finished(config_of(settings, elder, distil=None), ALONE) is None
