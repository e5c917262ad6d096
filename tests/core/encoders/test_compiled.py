"""Compiled image towers give the vectors of the towers themselves, for any number of images."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from helpers.ensemble_runs import ARCH
from terraseek.encoders.base import Precision
from terraseek.encoders.load import load_encoder
from terraseek.encoders.nets import compiled
from terraseek.encoders.nets.build import build_model
from terraseek.encoders.nets.compiled import (
    CompiledLater,
    PixelNetwork,
    compile_for_cpu,
    kept_file,
)
from terraseek.encoders.nets.fuse import fold_batch_norms
from terraseek.encoders.nets.open_clip_encoder import OpenClipEncoder, supports_bfloat16
from terraseek.encoders.registry import get_card

pytest.importorskip("openvino")
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")


def tower_with_statistics(arch: dict[str, Any]) -> Any:
    """An image tower whose batch norms have random statistics."""
    torch.manual_seed(3)
    tower: Any = build_model(arch).visual
    for part in tower.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(part.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(part.running_var, 0.5, 2.0)
    return tower


def on_pixels(network: Any) -> PixelNetwork:
    """A network with a normalisation of its own for each channel."""
    mean, std = (
        torch.tensor(values).view(1, 3, 1, 1) for values in ([90.0, 110, 120], [50, 60, 70.0])
    )
    return PixelNetwork(network, mean, std)


def squares(count: int) -> torch.Tensor:
    """Random RGB squares."""
    return torch.randint(256, (count, 32, 32, 3), dtype=torch.uint8)


@pytest.mark.parametrize("name", ["regnetx_002", "mobilenetv4_conv_small", "resnet10t"])
def test_the_vectors_are_the_same_for_any_batch_size(name: str) -> None:
    projection = "" if name.startswith("mobilenet") else "linear"
    vision = ARCH["vision_cfg"] | {"timm_model_name": name, "timm_proj": projection}
    tower = tower_with_statistics(ARCH | {"vision_cfg": vision, "members": 2})
    fast = compile_for_cpu(on_pixels(fold_batch_norms(tower, 32)), 32)
    assert fast is not None
    for count in (1, 7, 3):
        pixels = squares(count)
        normalised = (
            pixels.permute(0, 3, 1, 2).float() - torch.tensor([90.0, 110, 120])[:, None, None]
        )
        normalised /= torch.tensor([50.0, 60, 70])[:, None, None]
        with torch.inference_mode():
            assert torch.allclose(fast(pixels), tower(normalised), atol=1e-5)


def test_bfloat16_is_close() -> None:
    if not supports_bfloat16(torch.device("cpu")):
        pytest.skip("this CPU has no bfloat16 instructions")
    encoders = [OpenClipEncoder(get_card("terraseek-tiny"), "cpu", low) for low in PRECISIONS]
    encoders[1]._image_network._left_s = 1e-9  # type: ignore[attr-defined]
    images = list(np.random.default_rng(0).integers(0, 256, (4, 50, 60, 3), np.uint8))
    for _ in range(2):  # with the network itself, then compiled
        exact, close = (encoder.encode_images(images) for encoder in encoders)
        assert (exact * close).sum(1).min() > 0.999
        assert np.abs(exact - close).max() > 1e-5


def test_a_network_that_it_cannot_repeat_is_not_compiled(tmp_path: Path) -> None:
    tower = tower_with_statistics(ARCH)
    tower.trunk.forward = lambda pixels: torch.randn(len(pixels), 512)  # not deterministic
    assert compile_for_cpu(on_pixels(tower), 32, keep=tmp_path / "a.blob") is None
    assert not list(tmp_path.iterdir())


def test_a_kept_network_is_read_unless_it_is_damaged_or_of_other_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tower, keep = on_pixels(tower_with_statistics(ARCH)), tmp_path / "t-1.blob"
    (tmp_path / "t-0.blob").write_bytes(b"of another version")
    pixels = squares(3)
    assert compile_for_cpu(tower, 32, keep=keep) is not None
    assert [path.name for path in tmp_path.iterdir()] == ["t-1.blob"]

    recorded: list[int] = []
    record = compiled._recorded
    monkeypatch.setattr(compiled, "_recorded", lambda *a: recorded.append(1) or record(*a))
    again = compile_for_cpu(tower, 32, keep=keep)
    assert again is not None
    assert not recorded
    keep.write_bytes(keep.read_bytes()[:100])
    for _ in range(2):  # the second time with the weights of the first in the file
        repaired = compile_for_cpu(tower, 32, keep=keep)
        assert repaired is not None
        with torch.inference_mode():
            assert torch.allclose(repaired(pixels), tower(pixels), atol=1e-5)
            for weights in tower.parameters():
                weights.mul_(1.3)
    assert len(recorded) == 2


def test_files_of_other_weights_sizes_and_precisions_have_other_names() -> None:
    names = {
        kept_file("m-tower", key, side, bfloat16=bool(low)).name
        for key, side, low in (
            ("a", 32, False),
            ("b", 32, False),
            ("a", 64, False),
            ("a", 32, True),
        )
    }
    assert len(names) == 4


def test_the_encoder_compiles_its_tower_and_cells_and_keeps_the_vectors(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TERRASEEK_HOME", str(tmp_path))
    plain, fast = load_encoder("terraseek-tiny", "cpu"), load_encoder("terraseek-tiny", "cpu")
    images = list(np.random.default_rng(0).integers(0, 256, (4, 50, 60, 3), np.uint8))
    few = plain.encode_images(images)
    assert not list(tmp_path.rglob("*.blob"))
    tower = fast._image_network  # type: ignore[attr-defined]
    assert isinstance(tower, CompiledLater)
    tower._left_s = 1e-9
    for _ in range(3):
        assert np.abs(fast.encode_images(images) - few).max() < 1e-5
    assert tower.compiled is not None
    assert len(list(tmp_path.rglob("terraseek-tiny-tower-*.blob"))) == 1

    blocks = np.random.default_rng(1).integers(0, 256, (1, 512, 512, 3), np.uint8)
    assert plain.dense is not None
    assert fast.dense is not None
    expected = plain.dense.cells(blocks)
    monkeypatch.setattr(compiled, "_RECORDING_S", 1e-9)
    for _ in range(3):
        found = fast.dense.cells(blocks)
        assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()


def test_compiling_opens_no_connection(tmp_path: Path) -> None:
    code = (
        "import socket, sys\n"
        "def refuse(*_): print('CONNECTED'); raise OSError\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "import torch\n"
        "from terraseek.encoders.nets.compiled import PixelNetwork, compile_for_cpu\n"
        "net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten()).eval()\n"
        "one = torch.ones(1, 3, 1, 1)\n"
        "print(compile_for_cpu(PixelNetwork(net, one, one), 8))\n"
    )
    environment = os.environ | {"HOME": str(tmp_path)}
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    ).stdout
    assert "CompiledNetwork" in out
    assert "CONNECTED" not in out
