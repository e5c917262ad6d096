"""The wheel contains model cards and weights."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from terraseek.encoders import list_models
from terraseek.encoders.weight_files import find_weights

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
def test_the_wheel_contains_cards_and_weights(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
    for card in list_models():
        assert f"terraseek/encoders/cards/{card.name}.json" in names
        if find_weights(card) is not None:
            assert f"terraseek/encoders/weights/{card.weights.file}" in names
    assert "terraseek/py.typed" in names


def test_packaged_weights_have_a_card_and_are_small():
    folder = ROOT / "core" / "terraseek" / "encoders" / "weights"
    described = {card.weights.file: card.weights for card in list_models()}
    for path in folder.glob("*.safetensors"):
        assert path.name in described, f"{path.name} has no card"
        assert described[path.name].sha256 is not None
        assert described[path.name].bytes == path.stat().st_size
        assert path.stat().st_size <= 40e6
