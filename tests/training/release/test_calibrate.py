"""`terraseek models calibrate`: background and fitted significance of a user's model."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import ConfigError
from terraseek.significance.model import SignificanceModel
from terraseek_train.release.calibrate import calibrate, calibration_of

COLOURS = {
    "red": (220, 30, 30),
    "green": (30, 190, 40),
    "blue": (30, 50, 220),
    "bright": (245, 245, 245),
    "dark": (12, 12, 12),
    "red_blue": (190, 30, 190),
}


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Twelve images of each of six colours in class folders."""
    rng = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(12):
            pixels = np.clip(np.array(colour) + rng.integers(-25, 25, (8, 8, 3)), 0, 255)
            path = tmp_path / "images" / name / f"{name}{number}.png"
            Image.fromarray(pixels.astype(np.uint8)).save(path)
    return tmp_path / "images"


def test_classes_give_background_and_significance(folders: Path) -> None:
    found = calibration_of(FakeEncoder(), folders)
    assert found["images"] == 72
    assert -1 < found["mean"] < 0.5
    assert found["pairs"] > 1000
    model = SignificanceModel.read(found["significance"]["search"])
    assert model.likely_from > model.possible_from
    assert model.fit > 0


def test_few_classes_give_a_background_only(folders: Path) -> None:
    for name in ("bright", "dark", "red_blue"):
        for path in (folders / name).iterdir():
            path.unlink()
        (folders / name).rmdir()
    found = calibration_of(FakeEncoder(), folders)
    assert "significance" not in found
    assert found["images"] == 36


def test_images_without_classes_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(ConfigError, match="has a class"):
        calibration_of(FakeEncoder(), tmp_path)


def test_a_shipped_card_is_not_written(folders: Path) -> None:
    with pytest.raises(ConfigError, match="--out FILE"):
        calibrate("terraseek-tiny", folders, None, None, None, "cpu")
