"""Every recipe of `training/recipes` for the loop runs on made data, with its own method."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from terraseek.cli import build_app
from terraseek_train.config import load_config
from terraseek_train.dry_run import dry_run
from terraseek_train.train import learning_rate

RECIPES = Path(__file__).resolve().parents[3] / "training" / "recipes"
OF_PAPERS = sorted(
    path.stem
    for path in RECIPES.glob("*.json")
    if "method" in json.loads(path.read_text(encoding="utf-8"))
)
LIKE_CLIP: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "patch_size": 16, "head_width": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2},
}


def test_the_papers_have_recipes() -> None:
    assert len(OF_PAPERS) >= 13


@pytest.mark.parametrize("name", OF_PAPERS)
def test_a_recipe_of_a_paper_runs_on_made_data(name: str, tmp_path: Path) -> None:
    recipe = load_config(RECIPES / f"{name}.json", keep_unset=True)
    small = replace(
        recipe, arch=LIKE_CLIP, sizes=((0.0, 32),), stored_size=40, threads=1, workers=1
    )
    found = dry_run(small, tmp_path, batch=4, classifier="test_resnet")
    assert (found.method, found.tune) == (recipe.method, recipe.tuning().kind)
    assert len(found.losses) == 2
    assert np.isfinite(found.losses).all()
    assert found.trained > 0
    stored = json.loads((tmp_path / "run" / "config.json").read_text())
    for key in ("method", "tune", "lr", "weight_decay", "clip", "ema", "final_lr", "smoothing"):
        assert stored[key] == getattr(recipe, key)


@pytest.mark.parametrize("name", OF_PAPERS)
def test_a_recipe_names_the_published_architecture(name: str) -> None:
    recipe = load_config(RECIPES / f"{name}.json", keep_unset=True)
    assert recipe.arch["embed_dim"] == 512
    assert recipe.arch["vision_cfg"]["image_size"] == 224
    if name in ("pir", "priorclip-closed"):
        assert recipe.arch["vision_cfg"]["timm_model_name"] == "swin_tiny_patch4_window7_224"
        assert recipe.arch["text_cfg"] == {
            "hf_model_name": "bert-base-uncased",
            "context_length": 47,
        }
        assert (recipe.init, recipe.init_image is None, recipe.init_text is None) == (None, 0, 0)
    else:
        assert recipe.arch.get("quick_gelu") is True
    assert recipe.means == (0.48145466, 0.4578275, 0.40821073)


def test_recipes_have_the_numbers_of_the_papers() -> None:
    def of(name: str) -> Any:
        return load_config(RECIPES / f"{name}.json", keep_unset=True)

    for kind in ("", "-lora", "-pfeiffer", "-prefix", "-unipelt"):
        recipe = of(f"georsclip{kind}")
        assert recipe.tuning().kind == (kind[1:] or "full")
        numbers = (recipe.lr, recipe.weight_decay, recipe.batch, recipe.epochs)
        assert numbers == (1e-6, 0.5, 700, 20)
    merged = of("georsclip-ret2")
    numbers = (merged.lr, merged.batch, merged.epochs, merged.warmup, merged.clip)
    assert numbers == (5e-6, 600, 7, 100, 50)
    for name in ("ebaker", "ebaker-released", "ebaker-mam", "ebaker-irr"):
        recipe = of(name)
        numbers = (recipe.lr, recipe.weight_decay, recipe.warmup, recipe.clip, recipe.epochs)
        assert numbers == (1.5e-5, 0.7, 200, 50, 7)
        assert (recipe.batch, recipe.merge_bits, len(recipe.data)) == (100, 2, 3)
        options = recipe.method_options()
        assert (options.alpha, options.drop_ratio, options.first_epoch) == (0.5, 0.01, 4)
        assert (options.keywords, options.weights) == (512, (0.6, 0.4))
        assert options.blocks == (2 if name == "ebaker-released" else 4)
    closed = of("priorclip-closed").method_options()
    assert (closed.belief, closed.temporal, closed.dropout, closed.layers) == ("soft", True, 0.2, 2)
    for name in ("pir", "priorclip-closed", "pir-clip", "priorclip-closed-clip"):
        recipe = of(name)
        assert (recipe.lr, recipe.batch, recipe.epochs, recipe.seed) == (6e-5, 256, 50, 42)
        assert (recipe.betas, recipe.weight_decay) == ((0.9, 0.98), 0.01)
        rates = [learning_rate(step, replace(recipe, steps=1000)) for step in (49, 99, 550, 999)]
        assert rates == pytest.approx([3e-5, 6e-5, 3e-5, 6e-5 / 900])  # a tenth up, a line down
    assert (of("pir").method_options().belief, of("pir").method_options().keep) == ("hard", 40)
    second = of("priorclip-open-2")
    assert (second.init, second.tune) == (of("priorclip-open-1").out, "frozen-text")
    assert second.method_options().belief == "tower"


@pytest.mark.slow
def test_the_command_tries_a_recipe_at_its_published_size() -> None:
    done = CliRunner().invoke(build_app(), ["train", str(RECIPES / "ebaker.json"), "--dry-run"])
    assert done.exit_code == 0, done.exception
    found = json.loads(done.stdout)
    assert (found["method"], len(found["losses"])) == ("ebaker", 2)
