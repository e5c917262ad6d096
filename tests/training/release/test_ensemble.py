"""Ensembles: a cosine is the weighted mean of the members' cosines, through the shipped encoder."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer
from safetensors.torch import load_file
from typer.testing import CliRunner

from helpers.ensemble_runs import ARCH, encoder, run
from terraseek.encoders.base import Encoder
from terraseek.encoders.nets.build import build_model
from terraseek.encoders.nets.fuse import fold_batch_norms
from terraseek.errors import ConfigError, WeightsLayoutError
from terraseek.files import read_json
from terraseek_train.peft import PeftConfig, apply, remove
from terraseek_train.release.ensemble import build_ensemble, main
from terraseek_train.release.split import split_ensemble

OTHER_TOWER = {"timm_model_name": "regnetx_002"}
SENTENCES = ["many planes next to a terminal", "a river", "green trees around a lake with boats"]


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    torch.manual_seed(9)
    table = torch.randn(49408, 16) * 0.1
    return [run(tmp_path / name, seed, table) for seed, name in enumerate(["a", "b"])]


@pytest.fixture
def inputs() -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (5, 40, 48, 3), np.uint8))


def cosines(model: Encoder, inputs: list[np.ndarray]) -> np.ndarray:
    """Of images with the sentences."""
    return model.encode_images(inputs) @ model.encode_texts(SENTENCES).T


def test_a_cosine_is_the_mean_of_the_members(
    runs: list[Path], inputs: list[np.ndarray], tmp_path: Path
) -> None:
    build_ensemble(tmp_path / "both", runs)
    both = encoder(tmp_path / "both")
    own = [cosines(encoder(folder), inputs) for folder in runs]
    images, texts = both.encode_images(inputs), both.encode_texts(SENTENCES)
    assert images.shape == (5, 16)
    assert np.abs(np.linalg.norm(images, axis=1) - 1).max() < 1e-5
    assert np.abs(images @ texts.T - np.mean(own, axis=0)).max() < 1e-5
    assert np.abs(own[0] - own[1]).max() > 0.01  # otherwise the mean would prove nothing
    alone = [float(encoder(folder).logit_scale) for folder in runs]
    assert both.logit_scale == pytest.approx(np.mean(alone), rel=1e-4)


def test_feature_cells_average_to_the_vectors_and_norms_are_folded(
    runs: list[Path], tmp_path: Path
) -> None:
    build_ensemble(tmp_path / "both", runs)
    both = encoder(tmp_path / "both")
    dense = both.dense
    assert dense is not None
    assert dense.kind == "average"
    block = np.random.default_rng(1).integers(0, 256, (2, dense.side, dense.side, 3), np.uint8)
    cells = dense.cells(block)
    assert dense.project(cells.mean(axis=(1, 2))).shape == (2, 16)
    vision = ARCH["vision_cfg"] | {"timm_model_name": "regnetx_002"}
    lean = fold_batch_norms(build_model(ARCH | {"members": 2, "vision_cfg": vision}).visual, 32)
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in lean.modules())


def test_a_batch_with_longer_sentences_changes_no_vector(runs: list[Path], tmp_path: Path) -> None:
    build_ensemble(tmp_path / "both", runs)
    both = encoder(tmp_path / "both")
    alone = np.concatenate([both.encode_texts([text]) for text in SENTENCES])
    assert np.abs(both.encode_texts(SENTENCES) - alone).max() < 1e-6


def test_runs_that_cannot_form_an_ensemble_are_refused(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no runs to combine"):
        build_ensemble(tmp_path / "both", [])
    with pytest.raises(WeightsLayoutError, match="freeze_words"):
        build_ensemble(tmp_path / "both", [runs[0], run(tmp_path / "c", 2)])
    with pytest.raises(ConfigError, match="means of the runs"):
        build_ensemble(tmp_path / "both", [runs[0], run(tmp_path / "d", 0, means=(0.5, 0.5, 0.5))])
    assert not (tmp_path / "both").exists()


def test_weights_apply_to_the_cosines_of_unlike_towers(
    runs: list[Path], inputs: list[np.ndarray], tmp_path: Path
) -> None:
    table = load_file(runs[0] / "model.safetensors")["clip.token_embedding.weight"]
    other = ARCH | {"vision_cfg": ARCH["vision_cfg"] | OTHER_TOWER}
    runs.append(run(tmp_path / "c", 5, table, arch=other))
    weights = [0.5, 1.0, 0.25]
    build_ensemble(tmp_path / "three", runs, weights)
    three = encoder(tmp_path / "three")
    own = [cosines(encoder(folder), inputs) for folder in runs]
    images, texts = three.encode_images(inputs), three.encode_texts(SENTENCES)
    assert images.shape == (5, 24)
    assert np.abs(images @ texts.T - np.average(own, axis=0, weights=weights)).max() < 1e-5
    assert np.abs(images @ texts.T - np.mean(own, axis=0)).max() > 1e-3
    assert three.dense is not None
    block = np.random.default_rng(1).integers(0, 256, (1, three.dense.side, three.dense.side, 3))
    cells = three.dense.cells(block.astype(np.uint8))
    assert three.dense.project(cells.mean(axis=(1, 2))).shape == (1, 24)
    folders = split_ensemble(tmp_path / "split", str(tmp_path / "three"))
    build_ensemble(tmp_path / "again", folders, weights)
    again = encoder(tmp_path / "again")
    assert np.abs(again.encode_images(inputs) - images).max() < 1e-6


def test_the_command_takes_weights_by_both_names(runs: list[Path], tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(main)
    folders = [str(folder) for folder in runs]
    for name in ("--weight", "--share"):
        out = tmp_path / name.strip("-")
        done = CliRunner().invoke(app, [str(out), *folders, name, "0.5", name, "1"])
        assert done.exit_code == 0, done.output
        assert ("is now --weight" in done.output) == (name == "--share")
        members = read_json(out / "config.json")["arch"]["members"]
        assert members == [{"share": 0.5}, {"share": 1.0}]


def test_weights_that_do_not_fit_are_refused(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="3 weights for 2 runs"):
        build_ensemble(tmp_path / "both", runs, [1, 1, 1])
    deeper = ARCH | {"text_cfg": ARCH["text_cfg"] | {"layers": 2}}
    with pytest.raises(ConfigError, match="arch of the runs"):
        build_ensemble(tmp_path / "both", [runs[0], run(tmp_path / "c", 2, arch=deeper)])


@pytest.mark.parametrize(
    "members", [0, "two", [], [{"share": 0}], [{"vision_cfg": "resnet10t"}], [{"width": 3}], True]
)
def test_members_that_cannot_be_built_are_named(members: object) -> None:
    with pytest.raises(ConfigError, match=r"members must be a whole number"):
        build_model(ARCH | {"members": members})


def test_members_need_equal_parts() -> None:
    with pytest.raises(ConfigError, match="3 members cannot have equal parts of embed_dim 8"):
        build_model(ARCH | {"members": 3})


def test_towers_without_a_trunk_cannot_form_an_ensemble() -> None:
    vision = {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16}
    with pytest.raises(ConfigError, match="timm image towers"):
        build_model(ARCH | {"members": 2, "vision_cfg": vision})


def test_adapters_reach_every_member() -> None:
    torch.manual_seed(0)
    model: Any = build_model(ARCH | {"embed_dim": 16, "members": 2})
    tokens = torch.tensor([[49406, 320, 1047, 49407] + [0] * 8])
    pixels = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        before = model.encode_text(tokens), model.encode_image(pixels)
        trained = apply(model, PeftConfig("lora"))
        assert torch.allclose(model.encode_text(tokens), before[0], atol=1e-6)
        assert torch.allclose(model.encode_image(pixels), before[1], atol=1e-6)
    for part in ("texts.0.", "texts.1.", "visual.parts.0.", "visual.parts.1."):
        assert any(name.startswith(part) for name in trained), part
    remove(model)
    assert set(apply(model, PeftConfig("linear-probe"))) == {
        "logit_scale", "visual.parts.0.head.proj.weight", "visual.parts.1.head.proj.weight",
        "texts.0.text_projection", "texts.1.text_projection",
    }  # fmt: skip


def test_prefixes_are_made_for_the_blocks_of_every_member() -> None:
    torch.manual_seed(0)
    model: Any = build_model(ARCH | {"embed_dim": 16, "members": 2})
    tokens = torch.tensor([[49406, 320, 1047, 49407] + [0] * 8])
    before = model.encode_text(tokens)
    apply(model, PeftConfig("prefix", towers=("text",)))
    assert not torch.allclose(model.encode_text(tokens), before, atol=1e-6)
    remove(model)
    assert torch.allclose(model.encode_text(tokens), before, atol=1e-6)


def test_split_members_equal_the_runs(runs: list[Path], tmp_path: Path) -> None:
    build_ensemble(tmp_path / "both", runs)
    folders = split_ensemble(tmp_path / "split", str(tmp_path / "both"))
    build_ensemble(tmp_path / "again", folders)
    before = load_file(tmp_path / "both" / "model.safetensors")
    after = load_file(tmp_path / "again" / "model.safetensors")
    assert before.keys() == after.keys()
    for key, value in before.items():
        assert torch.allclose(after[key], value), key
    with pytest.raises(ConfigError, match="has no members"):
        split_ensemble(tmp_path / "none", str(runs[0]))
    with pytest.raises(ConfigError, match="neither a registered model nor"):
        split_ensemble(tmp_path / "none", str(tmp_path))


def test_the_shipped_ensemble_can_be_split(tmp_path: Path) -> None:
    first, second = split_ensemble(tmp_path, "terraseek-tiny")
    assert encoder(first, 128).encode_texts(["a river"]).shape == (1, 256)
    assert not np.allclose(
        encoder(first, 128).encode_texts(["a river"]),
        encoder(second, 128).encode_texts(["a river"]),
    )
