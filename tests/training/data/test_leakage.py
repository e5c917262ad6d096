"""Copies of evaluation images in training data: found whatever the transformation, and refused."""

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from terraseek.cli import build_app
from terraseek.errors import AnnotationError, ConfigError, SourceError
from terraseek_train.config import DataSource, load_config
from terraseek_train.data.leakage import (
    Fingerprints,
    check_leakage,
    find_config_leaks,
    find_leaks,
    fingerprints,
)


def scene(seed: int, side: int = 96) -> np.ndarray:
    """An image with structure at all scales."""
    rng = np.random.default_rng(seed)
    total = np.zeros((side, side, 3))
    for cells in (3, 6, 12, 24, 48):
        layer = rng.normal(0, 30 / np.sqrt(cells / 3), (cells, cells, 3))
        total += cv2.resize(layer, (side, side), interpolation=cv2.INTER_CUBIC)
    return (128 + total).clip(0, 255).astype(np.uint8)


def fill(folder: Path, images: dict[str, np.ndarray], **options: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, pixels in images.items():
        Image.fromarray(pixels).save(folder / name, **options)
    return folder


def prints(folder: Path, cache: Path, **more: Any) -> Fingerprints:
    return fingerprints(DataSource(folder.name, str(folder), **more), cache)


TRANSFORMS = {
    "same": lambda a: a,
    "turned": lambda a: np.rot90(a),
    "upside-down": lambda a: np.rot90(a, 2),
    "mirrored": lambda a: a[:, ::-1],
    "transposed": lambda a: a.swapaxes(0, 1),
    "smaller": lambda a: cv2.resize(a, (64, 64), interpolation=cv2.INTER_AREA),
    "larger": lambda a: cv2.resize(a, (200, 200), interpolation=cv2.INTER_CUBIC),
    "brighter": lambda a: np.clip(a * 1.15 + 10, 0, 255).astype(np.uint8),
    "grey": lambda a: np.repeat(cv2.cvtColor(a, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2),
}


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_transformed_copies_are_found_and_nothing_else(transform: str, tmp_path: Path) -> None:
    train = fill(tmp_path / "train", {f"{k}.png": scene(k) for k in range(40)})
    copy = np.ascontiguousarray(TRANSFORMS[transform](scene(7)))
    evaluation = fill(tmp_path / "evaluation", {"copy.jpg": copy, "own.jpg": scene(99)}, quality=60)
    (leak,) = find_leaks(prints(train, tmp_path / "c"), prints(evaluation, tmp_path / "c"))
    assert (leak.train_source, leak.train) == ("train", "7.png")
    assert (leak.eval_source, leak.eval) == ("evaluation", "copy.jpg")
    assert leak.bits <= 10
    assert leak.correlation > 0.92


def test_hashes_that_are_near_by_chance_need_pixels_that_agree() -> None:
    rng = np.random.default_rng(0)
    thumbs = rng.integers(0, 255, (2, 32, 32)).astype(np.uint8)
    hashes = np.full((1, 8), 12345, np.uint64)
    one, two = (Fingerprints(name, ("x",), hashes, thumbs[k][None]) for k, name in enumerate("ab"))
    assert find_leaks(one, two) == []
    assert len(find_leaks(one, two, min_correlation=-1)) == 1
    assert len(find_leaks(one, replace(two, thumbs=one.thumbs))) == 1


def test_plain_images_are_no_copies_of_each_other(tmp_path: Path) -> None:
    plain = {f"{k}.png": np.full((64, 64, 3), 100 + k, np.uint8) for k in range(3)}
    train, evaluation = fill(tmp_path / "train", plain), fill(tmp_path / "evaluation", plain)
    assert find_leaks(prints(train, tmp_path), prints(evaluation, tmp_path)) == []


def test_fingerprints_are_kept_until_the_files_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fill(tmp_path / "set", {"a.png": scene(1), "b.png": scene(2)})
    first = prints(folder, tmp_path / "c")
    with monkeypatch.context() as patch:
        patch.setattr("terraseek_train.data.leakage.image_hashes", None)  # would fail if called
        again = prints(folder, tmp_path / "c")
    np.testing.assert_array_equal(first.hashes, again.hashes)
    np.testing.assert_array_equal(first.thumbs, again.thumbs)
    assert first.names == again.names == ("a.png", "b.png")
    fill(folder, {"c.png": scene(3)})
    assert prints(folder, tmp_path / "c").names == ("a.png", "b.png", "c.png")


def test_a_broken_image_is_left_out_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = fill(tmp_path / "set", {"a.png": scene(1)})
    (folder / "b.png").write_bytes(b"nothing")
    assert prints(folder, tmp_path).names == ("a.png",)
    assert "b.png" in caplog.text
    (folder / "a.png").unlink()
    nothing = prints(folder, tmp_path)
    assert nothing.hashes.shape == (0, 8)
    assert find_leaks(nothing, nothing) == []


def test_streamed_shards_are_read_where_they_lie(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "s-0000.tar", "w") as archive:
        buffer = io.BytesIO()
        Image.fromarray(scene(4)).save(buffer, "PNG")
        parts = {"img_content": buffer.getvalue(), "img_name": b"a.jpg", "caption": b"a road"}
        for part, content in parts.items():
            info = tarfile.TarInfo(f"00.{part}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    streamed = DataSource("s", str(tmp_path / "s-0000.tar"), stream=True)
    found = fingerprints(streamed, tmp_path / "c")
    evaluation = fill(tmp_path / "evaluation", {"copy.png": scene(4)[::-1]})
    assert [leak.train for leak in find_leaks(found, prints(evaluation, tmp_path / "c"))] == [
        "a.jpg"
    ]


@pytest.fixture
def leaking(settings: dict[str, Any], captioned: Path, tmp_path: Path) -> Path:
    """A config whose validation split holds a training image, turned."""
    pixels = scene(3, 40)
    Image.fromarray(pixels).save(captioned / "images" / "red_0.png")
    Image.fromarray(np.rot90(pixels)).save(captioned / "images" / "red_15.png")
    path = tmp_path / "config.json"
    path.write_text(json.dumps(settings))
    return path


def test_training_is_refused_unless_leakage_is_allowed(
    leaking: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = load_config(leaking)
    assert [(leak.train, leak.eval) for leak in find_config_leaks(config)] == [
        ("red_0.png", "red_15.png")
    ]
    with pytest.raises(ConfigError, match=r"1 validation images .* first red_15\.png .*allow_le"):
        check_leakage(config)
    check_leakage(replace(config, allow_leakage=True))
    assert "allowed by the config" in caplog.text
    check_leakage(replace(config, val=None))


def test_training_checks_leakage_before_it_begins(leaking: Path, settings: dict[str, Any]) -> None:
    from terraseek_train.train import train

    with pytest.raises(ConfigError, match="are in the training data"):
        train(load_config(leaking))
    assert not (Path(settings["out"]) / "resume.pt").exists()


def leakage(*arguments: str | Path) -> Any:
    command = ["evaluate", "leakage", *map(str, arguments)]
    return CliRunner().invoke(build_app(), command, catch_exceptions=False)


def test_the_command_lists_pairs_and_says_so_by_its_exit_code(
    leaking: Path, captioned: Path
) -> None:
    pair = f"{captioned / 'images'},{captioned / 'captions.json'}"
    found = leakage("--train", f"{pair},train", "--eval", f"{pair},val", "--json")
    assert found.exit_code == 1
    value = json.loads(found.stdout)
    assert (value["n_pairs"], value["most_bits"], value["least_correlation"]) == (1, 10, 0.92)
    (entry,) = value["pairs"]
    assert (entry["train"], entry["eval"]) == ("red_0.png", "red_15.png")
    assert entry["eval_source"] == "images val"
    table = leakage("--config", leaking)
    assert table.exit_code == 1
    assert "val: red_15.png = squares: red_0.png" in table.stdout.replace(
        "squares: red_15", "val: red_15"
    )
    (captioned / "images" / "red_0.png").write_bytes(
        (captioned / "images" / "red_3.png").read_bytes()
    )
    clean = leakage("--config", leaking)
    assert clean.exit_code == 0
    assert "0 evaluation images are in the training data" in clean.stdout


def test_what_the_command_cannot_use(captioned: Path, tmp_path: Path) -> None:
    images = captioned / "images"
    with pytest.raises(ConfigError, match="--train and --eval"):
        leakage("--train", images)
    with pytest.raises(ConfigError, match="must be IMAGES or"):
        leakage("--train", f"{images},a,b,c", "--eval", images)
    with pytest.raises(SourceError, match="no folder or tar"):
        leakage("--train", tmp_path / "nothing", "--eval", images)
    absent = f"{images},{captioned / 'captions.json'},test"
    with pytest.raises(AnnotationError, match="split 'test'"):
        leakage("--train", images, "--eval", absent)
