"""Shapes at the published sizes on the `meta` device, and every method on a GPU if there is one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from terraseek_train.config import DataSource, load_config
from terraseek_train.dry_run import dry_run
from terraseek_train.methods.ebaker import KeywordReasoner, local_similarity
from terraseek_train.methods.prior import SpatialPae, TemporalPae
from terraseek_train.methods.tokens import image_tokens, text_tokens
from terraseek_train.peft import PeftConfig, apply

RECIPES = Path(__file__).resolve().parents[3] / "training" / "recipes"
COUNTS = {"lora": 491_520, "pfeiffer": 1_294_272, "prefix": 16_454_144, "unipelt": 18_275_872}


@pytest.fixture
def published() -> Any:
    """CLIP ViT-B/32 without memory."""
    from terraseek.encoders.architecture import model_config
    from terraseek_train.loop.model import build_clip

    with torch.device("meta"):
        return build_clip(model_config("ViT-B-32-quickgelu"))


def test_towers_give_the_published_tokens_without_memory(published: Any) -> None:
    pixels = torch.empty(3, 3, 224, 224, device="meta")
    tokens = torch.empty(3, 77, dtype=torch.long, device="meta")
    pooled, patches = image_tokens(published, pixels)
    sentence, words = text_tokens(published, tokens)
    assert (pooled.shape, patches.shape) == ((3, 512), (3, 49, 512))
    assert (sentence.shape, words.shape) == ((3, 512), (3, 77, 512))
    assert local_similarity(patches, words).shape == (3, 3)


@pytest.mark.parametrize("kind", COUNTS)
def test_adapters_have_the_published_number_of_parameters(kind: Any, published: Any) -> None:
    names = set(apply(published, PeftConfig(kind)))
    sizes = {name: p.numel() for name, p in published.named_parameters()}
    assert sum(sizes[name] for name in names) == COUNTS[kind]
    assert {name for name, p in published.named_parameters() if p.requires_grad} == names


def test_parts_of_the_papers_keep_their_shapes_without_memory() -> None:
    with torch.device("meta"):
        head = KeywordReasoner(512, 8, 4, 49_408)
        spatial, temporal = SpatialPae(512, 8, 2, 40, "hard"), TemporalPae(512, 8, 3)
        images, words = torch.empty(3, 50, 512), torch.empty(3, 77, 512)
        assert head(words, images).shape == (3, 77, 512)
        assert head.head(head(words, images)).shape == (3, 77, 49_408)
        assert spatial(images, torch.empty(3, 512)).shape == (3, 512)
        assert temporal(words, torch.zeros(3, dtype=torch.long)).shape == (3, 512)


@pytest.mark.gpu
@pytest.mark.parametrize(
    "name",
    [
        *("georsclip", "georsclip-lora", "georsclip-pfeiffer", "georsclip-prefix"),
        *("georsclip-unipelt", "ebaker", "ebaker-released", "pir", "priorclip-closed"),
        "priorclip-open-2",
    ],
)
def test_a_method_trains_on_a_gpu_at_its_published_size(name: str, tmp_path: Path) -> None:
    """All in one go: `pytest -m gpu tests/training/objectives --durations=0`."""
    recipe = load_config(RECIPES / f"{name}.json", keep_unset=True)
    found = dry_run(recipe, tmp_path, batch=32)
    assert np.isfinite(found.losses).all()
    assert found.peak_gib is not None
    assert found.peak_gib > 0.5


@pytest.mark.gpu
def test_the_contrastive_method_trains_on_a_gpu(tmp_path: Path) -> None:
    recipe = load_config(RECIPES / "georsclip.json", keep_unset=True)
    plain = replace(recipe, method="contrastive", data=(DataSource("made", "unused"),))
    found = dry_run(plain, tmp_path, batch=32)
    assert np.isfinite(found.losses).all()
