"""The optimized tower for many images gives the same vectors."""

from typing import Any

import numpy as np
import pytest
import torch

from helpers.ensemble_runs import ARCH
from terraseek.encoders.load import load_encoder
from terraseek.encoders.nets import open_clip_encoder
from terraseek.encoders.nets.build import build_model
from terraseek.encoders.nets.fuse import fold_batch_norms
from terraseek.encoders.nets.torchscript import optimize_for_cpu


def tower_with_statistics(arch: dict[str, Any]) -> Any:
    """An image tower whose batch norms have random statistics."""
    torch.manual_seed(3)
    tower: Any = build_model(arch).visual
    for part in tower.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(part.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(part.running_var, 0.5, 2.0)
    return tower


@pytest.mark.parametrize("name", ["regnetx_002", "mobilenetv4_conv_small", "resnet10t"])
def test_the_vectors_are_the_same_for_any_batch_size(name: str) -> None:
    projection = "" if name.startswith("mobilenet") else "linear"
    vision = ARCH["vision_cfg"] | {"timm_model_name": name, "timm_proj": projection}
    tower = tower_with_statistics(ARCH | {"vision_cfg": vision, "members": 2})
    fast = optimize_for_cpu(fold_batch_norms(tower, 32), 32)
    assert fast is not None
    for count in (1, 7, 3):
        pixels = torch.randn(count, 3, 32, 32).to(memory_format=torch.channels_last)
        with torch.inference_mode():
            assert torch.allclose(fast(pixels), tower(pixels), atol=1e-5)


def test_unsuitable_towers_are_not_optimized() -> None:
    vision = {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16}
    assert optimize_for_cpu(build_model(ARCH | {"vision_cfg": vision}).visual, 32) is None  # type: ignore[arg-type]
    tower = tower_with_statistics(ARCH)
    tower.trunk.forward = lambda pixels: torch.randn(len(pixels), 512)  # not deterministic
    assert optimize_for_cpu(tower, 32) is None


def test_the_encoder_optimizes_once_and_keeps_the_vectors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(open_clip_encoder, "_OPTIMIZE_AFTER", 5)
    encoder = load_encoder("terraseek-tiny", "cpu")
    images = list(np.random.default_rng(0).integers(0, 256, (4, 50, 60, 3), np.uint8))
    made: list[Any] = []
    monkeypatch.setattr(
        open_clip_encoder,
        "optimize_for_cpu",
        lambda *given: made.append(optimize_for_cpu(*given)) or made[-1],
    )
    few = encoder.encode_images(images)
    assert not made
    many = [encoder.encode_images(images) for _ in range(3)]
    assert len(made) == 1
    assert made[0] is not None
    for vectors in many:
        assert np.abs(vectors - few).max() < 1e-5
