"""Trained methods as models: saved by a study, registered, listed, and used like any model."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine
from torch import nn
from typer.testing import CliRunner

from helpers.method_cases import random_classifier
from terraseek.cli import build_app
from terraseek.encoders.cards import Preprocess
from terraseek.encoders.load import load_encoder
from terraseek.encoders.registry import add_adapter, add_model, get_card
from terraseek.encoders.user_cards import CardOptions
from terraseek.errors import ConfigError, TerraSeekError, WeightsLayoutError
from terraseek.files import read_json, sha256_of, write_json
from terraseek_train.config import DataSource
from terraseek_train.evaluate.retrieval import Retrieved, retrieve
from terraseek_train.loop.checkpoint import load_ranks
from terraseek_train.loop.model import ClipWithHeads
from terraseek_train.loop.validate import ValidationSet, load_validation
from terraseek_train.methods.options import read_options
from terraseek_train.methods.prior.guided import (
    GuideConfig,
    RenormalizedBackbone,
    instruction_width,
)
from terraseek_train.methods.prior.instruction import InstructionEncoder
from terraseek_train.methods.prior.released import split_released
from terraseek_train.methods.prior.scene_classifier import SceneClassifier
from terraseek_train.methods.prior.spatial import OpenDomainVision
from terraseek_train.peft import PeftConfig, apply, load, save
from terraseek_train.study.config import Arm, StudyConfig
from terraseek_train.study.one_run import recipe_of
from terraseek_train.train import train

HOW = Preprocess(32, (0.4, 0.4, 0.4), (0.2, 0.2, 0.2))
SOFT: dict[str, Any] = {"heads": 2, "belief": "soft", "zero_heads": False}
HARD = SOFT | {"belief": "hard", "keep": 3}
ARMS = [
    Arm("EBAKER", "ebaker", "lora", options={"heads": 2, "depth": 1, "keywords": 4}),
    Arm("soft", "priorclip", "lora", options=SOFT),
    Arm("hard", "pir", options=HARD | {"temporal": False}),
    Arm("tower", "priorclip", "prefix"),
    Arm("released", "priorclip", options={"release_compatible": True}),
    Arm("affiliation", "priorclip", "lora", options={"belief": "none"}),
]


@pytest.fixture
def small(settings: dict[str, Any], tmp_path: Path) -> str:
    """A registered model with random weights."""
    torch.manual_seed(0)
    torch.save(ClipWithHeads(settings["arch"], 2).clip.state_dict(), tmp_path / "small.pt")
    wishes = CardOptions(mean=HOW.mean, std=HOW.std, quick_gelu=False)
    add_model("small", settings["arch"], tmp_path / "small.pt", wishes)
    return "small"


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """Folder of a scene classifier with random weights."""
    return random_classifier(tmp_path / "classes")


def trained(
    arm: Arm, settings: dict[str, Any], classes: Path, folder: Path
) -> tuple[ValidationSet, Retrieved]:
    """Validation set and its ranks after two epochs; the adapter is in `folder / "adapter"`."""
    train_on, val = DataSource(**settings["data"][0]), DataSource(**settings["val"])
    config = StudyConfig(
        "unused",
        "small",
        train_on,
        val,
        (arm,),
        epochs=2,
        batch=5,
        lr=0.02,
        warmup=1,
        instruction=str(classes),
        keep=True,
        cache=str(folder / "cache"),
    )
    recipe = recipe_of(config, arm, 0, folder)
    train(recipe)
    (found,) = load_validation(recipe)
    return found, load_ranks(folder)


@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: arm.name)
def test_a_saved_arm_is_a_model_with_the_scores_of_the_study(
    arm: Arm, small: str, settings: dict[str, Any], classes: Path, tmp_path: Path
) -> None:
    pairs, ranks = trained(arm, settings, classes, tmp_path / "run")
    card = add_adapter("tuned", small, tmp_path / "run" / "adapter", copy=True)
    assert card.adapter is not None
    options = read_options(arm.method, arm.options)
    belief = getattr(options, "belief", "none")
    assert card.adapter.kind == (f"prior-{belief}" if belief != "none" else arm.tune)
    encoder = load_encoder("tuned", "cpu")
    texts = [f"{c} ground number {n} ." for c, n in (("red", 15), ("green", 16), ("blue", 17))]
    images, sentences = encoder.encode_images(list(pairs.squares)), encoder.encode_texts(texts)
    plain = load_encoder(small, "cpu").encode_images(list(pairs.squares))
    assert float((plain * images).sum(axis=1).max()) < 0.9999  # something was learned
    assert sentences.shape == (3, 16)
    if arm.method != "ebaker":  # its score has a local part, which no index holds
        assert [s for s in (tmp_path / "run").iterdir() if s.name == "model.safetensors"] == []
        every = encoder.encode_texts(validation_texts())
        found = retrieve(images, every, pairs.image_of)
        assert found.caption_rank.tolist() == ranks.caption_rank.tolist()
        assert found.image_rank.tolist() == ranks.image_rank.tolist()


def validation_texts() -> list[str]:
    """Captions of the validation images, as the tiny captioned set has them."""
    named = zip(("red", "green", "blue"), range(15, 18), strict=True)
    return [text for c, n in named for text in (f"a {c} square", f"{c} ground number {n} .")]


def test_a_guided_model_is_listed_and_searched_with(
    small: str, settings: dict[str, Any], classes: Path, captioned: Path, tmp_path: Path
) -> None:
    trained(ARMS[1], settings, classes, tmp_path / "run")

    def terraseek(*words: object) -> Any:
        done = CliRunner().invoke(build_app(), [str(word) for word in words])
        assert done.exit_code == 0, (done.output, done.exception)
        return done

    adding = ("--base", small, "--adapter", tmp_path / "run" / "adapter")
    assert "prior-soft on small" in terraseek("models", "add", "guided", *adding).stderr
    (facts,) = [
        f for f in json.loads(terraseek("models", "--json").stdout) if f["name"] == "guided"
    ]
    assert facts["status"] == "ready"
    catalogue = tmp_path / "catalogue"
    terraseek("import", captioned / "images", "--out", catalogue)
    terraseek("embed", catalogue, "--model", "guided")
    words = ("search", catalogue, "a red square", "--model", "guided", "--json", "-k", "4")
    hits = json.loads(terraseek(*words).stdout)
    assert len(hits) == 4
    assert all(-1 <= hit["score"] <= 1 for hit in hits)
    scene = tmp_path / "scene.tif"
    bands = np.random.default_rng(0).integers(0, 255, (3, 96, 128), dtype=np.uint8)
    grid = Affine(2.0, 0.0, 500_000.0, 0.0, -2.0, 5_000_000.0)
    kind = {"driver": "GTiff", "dtype": "uint8", "crs": "EPSG:32633", "transform": grid}
    with rasterio.open(scene, "w", count=3, height=96, width=128, **kind) as raster:
        raster.write(bands)
    words = ("localize", scene, "a red square", "--model", "guided", "--scales", "32,64")
    out = tmp_path / "heat.tif"
    terraseek(*words, "--out", out, "--no-cache")
    with rasterio.open(out) as heat:
        assert (heat.width, heat.height) == (128, 96)
        assert np.isfinite(heat.read(1, masked=True)).all()
    done = CliRunner().invoke(build_app(), [str(w) for w in (*words, "--method", "dense")])
    assert isinstance(done.exception, TerraSeekError)
    assert "dense" in str(done.exception)


def normalized(squares: np.ndarray) -> torch.Tensor:
    """Input of the image tower."""
    pixels = torch.from_numpy(squares).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (HOW.mean, HOW.std))
    return (pixels - mean) / std


def test_the_classifier_gets_pixels_as_in_its_training(classes: Path) -> None:
    classifier = SceneClassifier.open(classes)
    squares = np.random.default_rng(0).integers(0, 255, (3, 32, 32, 3), dtype=np.uint8)
    with torch.no_grad():
        backbone = RenormalizedBackbone(classifier, HOW.mean, HOW.std)
        features = backbone(normalized(squares))
        assert backbone(torch.zeros(2, 3, 48, 48)).shape == (2, classifier.width)
    np.testing.assert_allclose(features.numpy(), classifier.features(squares), rtol=1e-3, atol=1e-4)


def test_an_adapter_that_does_not_fit_is_refused_and_not_registered(
    small: str, settings: dict[str, Any], classes: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run" / "adapter"
    trained(ARMS[2], settings, classes, tmp_path / "run")
    other = settings["arch"] | {"embed_dim": 8}
    torch.manual_seed(0)
    torch.save(ClipWithHeads(other, 2).clip.state_dict(), tmp_path / "other.pt")
    add_model("other", other, tmp_path / "other.pt")
    with pytest.raises(WeightsLayoutError, match=r"does not fit this model: .* is \["):
        add_adapter("tuned", "other", folder)
    record = read_json(folder / "adapter.json")
    record["config"]["guide"]["colour"] = 1
    write_json(folder / "adapter.json", record)
    with pytest.raises(ConfigError, match="describes no guided tower"):
        add_adapter("tuned", small, folder)
    assert sha256_of(folder / "adapter.safetensors") == record["sha256"]
    with pytest.raises(Exception, match="no model is named 'tuned'"):
        get_card("tuned")


def test_the_tower_belief_needs_a_transformer() -> None:
    with pytest.raises(ConfigError, match="needs an open_clip ViT, not Linear"):
        instruction_width(nn.Linear(2, 2), GuideConfig("tower"), 8)


def test_an_arm_with_temporal_pae_cannot_be_saved(settings: dict[str, Any]) -> None:
    source = DataSource(**settings["data"][0])
    arm = Arm("x", "priorclip", options={"belief": "none", "temporal": True})
    with pytest.raises(ConfigError, match="temporal=true after its text tower cannot be saved"):
        StudyConfig("out", "small", source, source, (arm,), keep=True)


def test_statistics_of_trained_batch_norms_are_saved(tmp_path: Path) -> None:
    from terraseek.encoders.nets.build import build_model

    timm = {"timm_model_name": "test_resnet", "timm_model_pretrained": False, "image_size": 32}
    text = {"context_length": 12, "vocab_size": 50, "width": 16, "heads": 2, "layers": 1}
    vision = timm | {"timm_pool": "avg", "timm_proj": "linear"}
    arch = {"embed_dim": 8, "vision_cfg": vision, "text_cfg": text}
    torch.manual_seed(0)
    model: Any = build_model(arch)
    base: Any = build_model(arch)
    base.load_state_dict(model.state_dict())
    apply(model, PeftConfig("full"))
    model.train()
    pixels = 3 + torch.randn(8, 3, 32, 32)
    model.encode_image(pixels)  # moves the statistics
    save(model.eval(), tmp_path)
    load(base, tmp_path)
    with torch.no_grad():
        torch.testing.assert_close(base.eval().encode_image(pixels), model.encode_image(pixels))


# --- published checkpoints -------------------------------------------------------------------


@pytest.fixture
def published(settings: dict[str, Any], tmp_path: Path) -> tuple[Path, Any]:
    """A checkpoint laid out as PriorCLIP's, and the tower it describes, made by hand."""
    from open_clip.modified_resnet import ModifiedResNet

    torch.manual_seed(0)
    clip: Any = ClipWithHeads(settings["arch"], 2).clip.eval()
    width = clip.visual.conv1.out_channels
    resnet = ModifiedResNet([1, 2, 1, 1], output_dim=12, heads=4, image_size=32, width=8).eval()
    mapped = nn.Linear(12, width)
    state = {f"module.{name}": value for name, value in clip.state_dict().items()}
    state |= {f"module.res_visual.{name}": value for name, value in resnet.state_dict().items()}
    state |= {f"module.vision_proj_res.{k}": value for k, value in mapped.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "published.pt")
    instruction = InstructionEncoder(resnet, 12, width)
    instruction.project = mapped
    return tmp_path / "published.pt", OpenDomainVision(clip.visual, instruction, True).eval()


def test_a_published_checkpoint_becomes_a_base_and_a_guided_tower(
    published: tuple[Path, Any], settings: dict[str, Any], tmp_path: Path
) -> None:
    checkpoint, tower = published
    words = ["import-priorclip", str(checkpoint), "--out", str(tmp_path / "parts"), "--json"]
    done = CliRunner().invoke(build_app(), words)
    assert done.exit_code == 0, done.exception
    parts = json.loads(done.stdout)
    wishes = CardOptions(mean=HOW.mean, std=HOW.std, quick_gelu=False)
    add_model("published-base", settings["arch"], Path(parts["base"]), wishes)
    card = add_adapter("published", "published-base", Path(parts["adapter"]))
    assert card.adapter is not None
    assert card.adapter.kind == "prior-tower"
    assert card.adapter.parameters == 13 * 32
    squares = np.random.default_rng(0).integers(0, 255, (3, 32, 32, 3), dtype=np.uint8)
    with torch.no_grad():
        wanted = nn.functional.normalize(tower(normalized(squares)), dim=-1).numpy()
    got = load_encoder("published", "cpu").encode_images(list(squares))
    np.testing.assert_allclose(got, wanted, atol=1e-5)


def test_other_checkpoints_are_refused_as_priorclip(small: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsLayoutError, match=r"lacks res_visual\.\* or vision_proj_res"):
        split_released(tmp_path / "small.pt", tmp_path / "parts")
    state = {"vision_proj_res.weight": torch.zeros(2, 2), "vision_proj_res.bias": torch.zeros(2)}
    torch.save(state | {"res_visual.fc.weight": torch.zeros(2)}, tmp_path / "odd.pt")
    with pytest.raises(WeightsLayoutError, match="is no open_clip ResNet, it lacks"):
        split_released(tmp_path / "odd.pt", tmp_path / "parts")
    assert not (tmp_path / "parts").exists()
