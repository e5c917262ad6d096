"""Settings that are refused, and the initial weights of a run."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from typer.testing import CliRunner

from terraseek.cli import build_app
from terraseek.encoders.load import load_encoder
from terraseek.encoders.nets.checkpoints import read_state
from terraseek.encoders.registry import get_card
from terraseek.encoders.weight_files import find_weights
from terraseek.errors import ConfigError, WeightsLayoutError, WeightsNotFoundError
from terraseek_train.config import TrainConfig, load_config
from terraseek_train.config_architecture import registered_card
from terraseek_train.loop.model import ClipWithHeads, build_clip
from terraseek_train.loop.start import initial_weights, initialize_weights
from terraseek_train.train import train


def config_of(settings: dict[str, Any], folder: Path, **changes: Any) -> TrainConfig:
    path = folder / "config.json"
    path.write_text(json.dumps(settings | changes))
    return load_config(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lr": "fast"}, "lr 'fast' must be a number"),
        ({"lr": 0}, "lr 0 must be above 0"),
        ({"steps": 2.5}, "steps 2.5 must be a whole number"),
        ({"batch": 0}, "batch 0 must be at least 1"),
        ({"chunk": -1}, "chunk -1 must be at least 0"),
        ({"accumulate": 0}, "accumulate 0 must be at least 1"),
        ({"bf16": 1}, "bf16 1 must be true or false"),
        ({"ema": 1.5}, "ema 1.5 must be from 0 to 1"),
        ({"data": []}, "data lists no source"),
        ({"data": "rsicd"}, "data 'rsicd' must be a list"),
        ({"data": ["rsicd"]}, "source 'rsicd' must be an object"),
        ({"data": [{"name": "x", "images": "y", "weight": "2"}]}, "weight '2' must be a number"),
        ({"sizes": [[0.5, 32]]}, "must begin at 0"),
        ({"sizes": [[0, 48]]}, r"squares of image_size 32 only; set sizes to \[\[0, 32\]\]"),
        ({"arch": {"embed_dim": 8}}, "arch lacks vision_cfg.image_size"),
        ({"init": "no-such-model"}, "no checkpoint folder, no weights file and no registered"),
        ({"init": 3}, "init 3 must be a text"),
    ],
)
def test_settings_of_wrong_type_or_range_are_refused(
    settings: dict[str, Any], tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    if "init" in change:
        settings.pop("arch")
    with pytest.raises(ConfigError, match=message):
        config_of(settings, tmp_path, **change)


def test_files_that_are_no_config_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read as a config"):
        load_config(tmp_path / "absent.json")
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(ConfigError, match="must hold a JSON object"):
        load_config(tmp_path / "list.json")


def test_an_architecture_can_be_named(settings: dict[str, Any], tmp_path: Path) -> None:
    settings.pop("sizes")
    settings.pop("stored_size")
    config = config_of(settings, tmp_path, arch="ViT-B-32-quickgelu")
    assert config.arch["quick_gelu"] is True
    assert config.arch["text_cfg"]["context_length"] == 77
    assert (config.sizes, config.stored_size) == (((0.0, 224),), 280)


def test_a_registered_model_brings_architecture_normalisation_and_weights(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    settings.pop("arch")
    config = config_of(settings, tmp_path, init="terraseek-tiny", sizes=[[0, 64]])
    card = get_card("terraseek-tiny")
    assert config.arch == card.architecture
    assert (config.means, config.stds) == (card.preprocess.mean, card.preprocess.std)
    model = ClipWithHeads(config.arch, 3)
    initialize_weights(model, config)
    stored = read_state(initial_weights("terraseek-tiny"))
    current = model.clip.state_dict()
    assert current.keys() == stored.keys()
    for key, value in stored.items():
        assert torch.equal(current[key], value.to(current[key].dtype)), key


def test_weights_of_another_trainer_are_taken_whole(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    torch.manual_seed(5)
    published = build_clip(settings["arch"]).state_dict()
    wrapped = {"epoch": 3, "state_dict": {f"module.{k}": v for k, v in published.items()}}
    torch.save(wrapped, tmp_path / "epoch_3.pt")
    config = config_of(settings, tmp_path, init=str(tmp_path / "epoch_3.pt"))
    model = ClipWithHeads(config.arch, 3)
    initialize_weights(model, config)
    for key, value in model.clip.state_dict().items():
        assert torch.equal(value, published[key]), key


def test_weights_that_do_not_fit_are_refused_by_key(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    state = build_clip(settings["arch"]).state_dict()
    state["visual.extra"] = state.pop("visual.proj")
    torch.save(state, tmp_path / "other.pt")
    config = config_of(settings, tmp_path, init=str(tmp_path / "other.pt"))
    message = r"lacks visual\.proj; it has unknown visual\.extra"
    with pytest.raises(WeightsLayoutError, match=message):
        initialize_weights(ClipWithHeads(config.arch, 3), config)


def test_another_runs_towers_are_taken_and_heads_that_fit(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    before = train(config_of(settings, tmp_path, steps=2))
    config = config_of(settings, tmp_path, init=str(before), out=str(tmp_path / "next"))
    stored = load_file(before / "model.safetensors")
    model = ClipWithHeads(config.arch, 7)  # the other run's corpus had three classes
    fresh = model.classes.weight.clone()
    initialize_weights(model, config)
    assert torch.equal(model.clip.visual.proj, stored["clip.visual.proj"])
    assert torch.equal(model.to_teacher.weight, stored["to_teacher.weight"])
    assert torch.equal(model.classes.weight, fresh)


def test_a_text_tower_alone_can_be_another_runs(settings: dict[str, Any], tmp_path: Path) -> None:
    before = train(config_of(settings, tmp_path, steps=2))
    config = config_of(settings, tmp_path, init_text=str(before), out=str(tmp_path / "next"))
    stored = load_file(before / "model.safetensors")
    model = ClipWithHeads(config.arch, 3)
    fresh = {key: value.clone() for key, value in model.clip.state_dict().items()}
    initialize_weights(model, config)
    for key, value in model.clip.state_dict().items():
        theirs = not key.startswith(("visual.", "logit_scale"))
        assert torch.equal(value, stored[f"clip.{key}"] if theirs else fresh[key]), key
    with pytest.raises(ConfigError, match="init_text"):
        config_of(settings, tmp_path, init_text=str(before), init=str(before))


def test_a_folder_without_weights_is_refused(settings: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"holds no model\.safetensors"):
        initial_weights(str(tmp_path / "empty"))
    assert registered_card(str(tmp_path / "empty")) is None


def models(*words: str) -> Any:
    return CliRunner().invoke(build_app(), ["models", *words], catch_exceptions=False)


def test_a_registered_run_encodes_like_the_trained_towers(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    run = train(config_of(settings, tmp_path, steps=3, means=[0.4, 0.3, 0.2]))
    done = models("add", "mine", "--run", str(run))
    assert done.exit_code == 0, done.output
    card = get_card("mine")
    assert card.preprocess.size == 32
    assert card.preprocess.mean == (0.4, 0.3, 0.2)
    shutil.rmtree(run)  # a copy is kept, because the run may go on or go away
    stored = find_weights(card)
    assert stored is not None
    state = load_file(stored)
    trained = ClipWithHeads(settings["arch"], int(state["classes.weight"].shape[0]))
    trained.load_state_dict(state)
    encoder = load_encoder("mine", device="cpu")
    tokens = encoder._tokenizer(["a red square"])
    expected = F.normalize(trained.eval().encode_texts(tokens), dim=-1).detach().numpy()
    np.testing.assert_allclose(encoder.encode_texts(["a red square"]), expected, atol=1e-6)
    assert encoder.encode_squares(np.zeros((1, 32, 32, 3), np.uint8)).shape == (1, 16)


def test_only_a_run_with_weights_can_be_registered(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="not the folder of a training run"):
        models("add", "mine", "--run", str(tmp_path / "nowhere"))
    run = train(config_of(settings, tmp_path), stop_after=1)
    with pytest.raises(WeightsNotFoundError, match="when the run validates"):
        models("add", "mine", "--run", str(run))
    done = models("add", "mine", "--run", str(run), "--weights", "x.pt")
    assert done.exit_code == 2
    assert "its own architecture and weights" in " ".join(done.output.split())
