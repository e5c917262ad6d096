"""Adapters as models: LoRA on timm towers, attaching, registering, output of the commands."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer
from torch import nn
from typer.testing import CliRunner

from terraseek.commands import models
from terraseek.encoders.adapters import adapters_folder
from terraseek.encoders.load import load_encoder
from terraseek.encoders.nets.build import build_model
from terraseek.encoders.registry import add_adapter, add_model, get_card
from terraseek.errors import (
    ConfigError,
    MissingExtraError,
    TerraSeekError,
    WeightsChecksumError,
    WeightsLayoutError,
    WeightsNotFoundError,
)
from terraseek_train.peft import PeftConfig, apply, attach, load, merge, peft_state, save
from terraseek_train.peft.pointwise import PointwiseDelta, pointwise_layers

TEXT = {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
VIT: dict[str, Any] = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": TEXT,
}
TIMM: dict[str, Any] = {
    "embed_dim": 8,
    "vision_cfg": {
        "timm_model_name": "test_resnet",
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": "linear",
        "image_size": 32,
    },
    "text_cfg": TEXT,
}


def make(arch: dict[str, Any]) -> Any:
    torch.manual_seed(0)
    model = build_model(arch)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):  # at their start they hide what is folded wrongly
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.normal_(module.running_mean, std=0.2)
    return model


def tuned(arch: dict[str, Any], config: PeftConfig) -> Any:
    """A model whose adapter has values other than those it starts with."""
    model = make(arch)
    names = set(apply(model, config))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name in names:
                value += 0.2 * torch.randn(value.shape, generator=generator)
    return model.eval()


def outputs(model: Any) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    pixels = torch.randn(3, 3, 32, 32, generator=generator)
    tokens = torch.randint(1, 49405, (3, 12), generator=generator)
    tokens[:, -1] = 49407
    with torch.no_grad():
        return torch.cat([model.encode_image(pixels), model.encode_text(tokens)])


# --- LoRA on a timm tower --------------------------------------------------------------------


@pytest.mark.parametrize("stride", [1, 2])
def test_a_delta_beside_a_convolution_is_the_published_formula(stride: int) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(5, 7, 1, stride=stride, dtype=torch.float64)
    delta = PointwiseDelta(layer, rank=3, alpha=6)
    nn.init.normal_(delta.b)
    x = torch.randn(2, 5, 6, 6, dtype=torch.float64)
    slow = np.zeros((2, 7, 6 // stride, 6 // stride))
    a, b = delta.a.detach().numpy(), delta.b.detach().numpy()
    for n in range(2):
        for row in range(slow.shape[2]):
            for column in range(slow.shape[3]):
                seen = x[n, :, row * stride, column * stride].numpy()
                slow[n, :, row, column] = 6 / 3 * (b @ (a @ seen))
    np.testing.assert_allclose(delta(x).detach().numpy(), slow, atol=1e-12)


def test_lora_on_a_timm_tower_starts_as_the_base_and_trains_deltas_alone() -> None:
    base = make(TIMM)
    before = outputs(base)
    model = copy.deepcopy(base)
    names = apply(model, PeftConfig("lora"))
    torch.testing.assert_close(outputs(model), before)
    layers = pointwise_layers(model.visual)
    wanted = 8 * sum(sum(layer.weight.shape[:2]) for layer in layers) + 4 * 8 * 16
    sizes = {name: value.numel() for name, value in model.named_parameters()}
    assert sum(sizes[name] for name in names) == wanted
    assert sum("visual" in name for name in names) == 2 * len(layers) > 4
    model.encode_image(torch.randn(2, 3, 32, 32)).sum().backward()
    touched = {n for n, p in model.named_parameters() if p.grad is not None}
    assert touched == {name for name in names if name.startswith("visual")}
    model.load_state_dict(base.state_dict(), strict=False)  # names of the base stay


def test_merged_lora_on_a_timm_tower_computes_the_same_and_is_plain() -> None:
    model = tuned(TIMM, PeftConfig("lora"))
    before = outputs(model)
    assert not torch.allclose(before, outputs(make(TIMM)), atol=1e-2)
    merge(model)
    torch.testing.assert_close(outputs(model), before, atol=1e-5, rtol=1e-5)
    assert set(model.state_dict()) == set(make(TIMM).state_dict())
    assert peft_state(model) is None


@pytest.mark.parametrize("kind", ["pfeiffer", "prefix", "unipelt"])
def test_kinds_that_a_timm_tower_cannot_carry_are_refused(kind: Any) -> None:
    model = make(TIMM)
    with pytest.raises(ConfigError, match=r"the kinds 'lora' \(image towers of timm\)"):
        apply(model, PeftConfig(kind))
    assert peft_state(model) is None
    assert apply(model, PeftConfig(kind, towers=("text",)))


# --- attaching -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["lora", "pfeiffer", "prefix", "unipelt", "linear-probe", "full"])
def test_attached_adapters_compute_what_was_trained(kind: Any, tmp_path: Path) -> None:
    model = tuned(VIT, PeftConfig(kind))
    save(model, tmp_path)
    base = make(VIT)
    attach(base, tmp_path)
    torch.testing.assert_close(outputs(base), outputs(model), atol=1e-5, rtol=1e-5)
    assert not any(value.requires_grad for value in base.parameters())
    assert not base.training


def test_an_adapter_of_another_timm_tower_is_refused(tmp_path: Path) -> None:
    save(tuned(TIMM, PeftConfig("lora")), tmp_path)
    other = TIMM["vision_cfg"] | {"timm_model_name": "test_efficientnet"}
    with pytest.raises(WeightsLayoutError, match="load it onto the base it was trained on"):
        load(make(TIMM | {"vision_cfg": other}), tmp_path)


# --- as models -------------------------------------------------------------------------------


def run(*words: str) -> Any:
    app = typer.Typer()
    models.register(app)
    return CliRunner().invoke(app, ["models", *words])


@pytest.fixture
def registered(tmp_path: Path) -> Path:
    """A base `own` in the registry and the folder of a LoRA adapter on it."""
    torch.save(make(TIMM).state_dict(), tmp_path / "own.pt")
    add_model("own", TIMM, tmp_path / "own.pt")
    folder = tmp_path / "adapter"
    save(tuned(TIMM, PeftConfig("lora")), folder)
    return folder


def test_an_adapter_is_listed_on_its_base_and_encodes_as_trained(registered: Path) -> None:
    done = run("add", "own-lora", "--base", "own", "--adapter", str(registered))
    assert done.exit_code == 0, done.output
    assert "lora on own" in done.stderr
    (facts,) = [f for f in json.loads(run("--json").stdout) if f["name"] == "own-lora"]
    assert facts["status"] == "ready"
    assert facts["adapter"]["base"] == "own"
    assert facts["adapter"]["kind"] == "lora"
    assert "lora on own" in " ".join(run().stdout.split())
    image = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    encoder, base = load_encoder("own-lora", "cpu"), load_encoder("own", "cpu")
    assert encoder.encoder_id != base.encoder_id
    got = encoder.encode_images([image])[0]
    how = get_card("own").preprocess
    pixels = (torch.from_numpy(image) / 255 - torch.tensor(how.mean)) / torch.tensor(how.std)
    with torch.no_grad():
        wanted = tuned(TIMM, PeftConfig("lora")).encode_image(pixels.permute(2, 0, 1)[None])
    np.testing.assert_allclose(got, nn.functional.normalize(wanted)[0].numpy(), atol=1e-4)
    assert abs(float(got @ base.encode_images([image])[0])) < 0.999
    assert np.linalg.norm(encoder.encode_texts(["a lake"])) == pytest.approx(1, abs=1e-5)


def test_a_copied_adapter_outlives_its_folder(registered: Path) -> None:
    add_adapter("own-lora", "own", registered, copy=True)
    for file in registered.iterdir():
        file.unlink()
    assert load_encoder("own-lora", "cpu").dim == 8
    assert (adapters_folder() / "own-lora" / "adapter.json").is_file()


def test_a_changed_or_lost_adapter_is_refused(registered: Path) -> None:
    card = add_adapter("own-lora", "own", registered)
    weights = registered / "adapter.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(WeightsChecksumError, match="--replace"):
        load_encoder("own-lora", "cpu")
    weights.unlink()
    with pytest.raises(WeightsNotFoundError, match="is missing from"):
        load_encoder("own-lora", "cpu")
    assert json.loads(run("show", "own-lora", "--json").stdout)["status"] == "adapter missing"
    assert get_card("own-lora") == card


def test_wrong_uses_are_refused_and_register_nothing(registered: Path, tmp_path: Path) -> None:
    folder = str(registered)
    for words, message in (
        (["--base", "own"], "needs --base and --adapter"),
        (["--adapter", folder], "needs --base and --adapter"),
        (["--base", "own", "--adapter", folder, "--arch", "RN50"], "but no --weights"),
        ([], "give --arch and --weights"),
    ):
        done = run("add", "x", *words)
        assert done.exit_code == 2
        assert message in " ".join(done.stderr.replace("│", " ").split())
    for base, place, message in (
        ("nobody", registered, "no model is named 'nobody'"),
        ("own", tmp_path / "none", r"no adapter\.json in"),
    ):
        with pytest.raises(TerraSeekError, match=message):
            add_adapter("x", base, place)
    other = tmp_path / "other"
    save(tuned(VIT, PeftConfig("lora")), other)
    with pytest.raises(WeightsLayoutError, match="was made for towers"):
        add_adapter("x", "own", other)
    (other / "adapter.json").write_text("{}")
    with pytest.raises(ConfigError, match="does not describe an adapter"):
        add_adapter("x", "own", other)
    add_adapter("first", "own", registered)
    with pytest.raises(ConfigError, match="is an adapter on 'own' already"):
        add_adapter("x", "first", registered)
    assert isinstance(run("show", "x").exception, TerraSeekError)


def test_a_missing_training_package_is_reported(
    registered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("terraseek.encoders.adapters.entry_points", lambda **_: [])
    with pytest.raises(MissingExtraError, match="reinstall terraseek"):
        add_adapter("x", "own", registered)
