"""Streamed images: indexed, decoded, and drawn as from memory."""

import io
import json
import logging
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from terraseek.errors import ConfigError, NotAnImageError, SourceError
from terraseek_train.config import DataSource, TrainConfig, load_config
from terraseek_train.data.batch import make_batch
from terraseek_train.data.corpus import build_corpus, epoch_order
from terraseek_train.data.read_source import read_streamed
from terraseek_train.data.sources.images import decode
from terraseek_train.data.stream import StreamedImages, decode_fast, index_images


def encoded(pixels: np.ndarray, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def noise(side: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


def smooth(height: int, width: int) -> np.ndarray:
    down, across = np.mgrid[0:height, 0:width]
    bands = [down * 255 / height, across * 255 / width, (down + across) * 255 / (height + width)]
    return np.stack(bands, -1).astype(np.uint8)


def pack(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def config_of(settings: dict[str, Any], folder: Path, **changes: Any) -> TrainConfig:
    path = folder / "config.json"
    path.write_text(json.dumps(settings | changes))
    return load_config(path)


def streamed(settings: dict[str, Any]) -> dict[str, Any]:
    return settings | {"data": [source | {"stream": True} for source in settings["data"]]}


def test_a_streamed_batch_is_the_one_from_memory(settings: dict[str, Any], tmp_path: Path) -> None:
    in_memory = config_of(settings, tmp_path)
    streaming = config_of(streamed(settings), tmp_path)
    here, there = build_corpus(in_memory), build_corpus(streaming)
    assert isinstance(there.images[0], StreamedImages)
    rows = epoch_order(here, 0, 0)[:7]
    assert np.array_equal(rows, epoch_order(there, 0, 0)[:7])
    one = make_batch(here, rows, in_memory, 4)
    with ThreadPoolExecutor(3) as pool:
        two = make_batch(there, rows, streaming, 4, pool=pool)
    assert np.array_equal(one.pixels, two.pixels)
    assert np.array_equal(one.tokens, two.tokens)
    assert np.array_equal(one.positive, two.positive)


def test_both_shard_layouts_give_their_captions(tmp_path: Path) -> None:
    one, two = noise(8, 1), noise(8, 2)
    pack(
        tmp_path / "a-train-0000.tar",
        {
            "0.caption": b"a river bends",
            "0.img_content": encoded(one),
            "0.img_name": b"river_1.jpg",
        },
    )
    pack(
        tmp_path / "a-train-0001.tar",
        {
            "9.input.image": encoded(two),
            "9.input.name": b"woods.jpg",
            "9.input.caption": b"forest",
        },
    )
    samples, images = read_streamed(DataSource("a", str(tmp_path)), 8)
    assert [sample.image for sample in samples] == ["river_1.jpg", "woods.jpg"]
    assert samples[0].captions == ("a river bends",)
    assert (samples[1].captions, samples[1].label) == ((), "forest")  # the name of a scene class
    assert len(images) == 2
    assert np.array_equal(images[0], one)
    assert np.array_equal(images[1], two)


def test_class_folders_keep_images_of_one_name_apart(tmp_path: Path) -> None:
    members = {"x/lake/1.png": encoded(noise(8, 1)), "x/forest/1.png": encoded(noise(8, 2))}
    samples, images = read_streamed(DataSource("s", str(pack(tmp_path / "s.tar", members))), 8)
    assert [(s.image, s.label) for s in samples] == [
        ("lake/1.png", "lake"),
        ("forest/1.png", "forest"),
    ]
    assert not np.array_equal(images[0], images[1])


def test_a_damaged_shard_gives_what_is_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    members = {f"x/lake/{k}.png": encoded(noise(16, k)) for k in range(4)}
    tar = pack(tmp_path / "s.tar", members)
    content = tar.read_bytes()
    tar.write_bytes(content[: content.index(b"x/lake/3.png") + 700])
    with caplog.at_level(logging.WARNING):
        found = index_images(tar)
    assert list(found) == ["0.png", "1.png", "2.png"]
    assert "skipped" in caplog.text


def test_a_broken_image_is_grey_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "bad.png").write_bytes(encoded(noise(16))[:60])
    _, images = read_streamed(DataSource("s", str(tmp_path)), 12)
    with caplog.at_level(logging.WARNING):
        assert np.array_equal(images[0], np.full((12, 12, 3), 128, np.uint8))
    assert "bad.png" in caplog.text


def test_a_caption_without_its_image_is_refused(settings: dict[str, Any]) -> None:
    source = settings["data"][0]
    captions = json.loads(Path(source["captions"]).read_text())
    captions["images"][0]["filename"] = "gone.png"
    Path(source["captions"]).write_text(json.dumps(captions))
    with pytest.raises(ConfigError, match=r"1 images are missing, first gone\.png"):
        read_streamed(DataSource(**source), 8)
    assert len(read_streamed(DataSource(**source, partial=True), 8)[0]) == 14


def test_sources_that_are_not_there_or_empty_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no folder or tar"):
        index_images(tmp_path / "nothing")
    with pytest.raises(SourceError, match="holds no image"):
        index_images(tmp_path)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_the_fast_decoder_sees_what_pillow_sees(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(smooth(31, 47), kind, **options)
    assert np.array_equal(decode_fast(content, "x"), decode(content, "x"))


@pytest.mark.parametrize(
    ("height", "width", "shown"), [(900, 700, (450, 350)), (640, 640, (640, 640))]
)
def test_large_jpegs_are_decoded_at_a_fraction_never_below_the_side(
    height: int, width: int, shown: tuple[int, int]
) -> None:
    rng = np.random.default_rng(0)
    pixels = (smooth(height, width) * 0.8 + rng.integers(0, 50, (height, width, 1))).astype(
        np.uint8
    )
    content = encoded(pixels, "JPEG", quality=95)
    assert decode_fast(content, "x", 340).shape[:2] == shown
    whole = np.asarray(Image.open(io.BytesIO(content)).resize(shown[::-1], Image.Resampling.BOX))
    assert np.abs(decode_fast(content, "x", 340) - whole.astype(float)).mean() < 3


def test_turning_by_exif_is_left_to_nobody() -> None:
    image = Image.fromarray(smooth(20, 40))
    exif = image.getexif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", exif=exif)
    assert decode_fast(buffer.getvalue(), "x").shape == (20, 40, 3)


def test_bytes_that_are_no_image_are_refused_by_name() -> None:
    for content in (b"", b"no picture", encoded(noise(16))[:40]):
        with pytest.raises(NotAnImageError, match="thing cannot be decoded"):
            decode_fast(content, "thing")


def test_a_larger_image_is_its_centre_square_reduced(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    Image.fromarray(smooth(40, 60)).save(tmp_path / "lake" / "wide.png")
    _, images = read_streamed(DataSource("s", str(tmp_path)), 20)
    expected = smooth(40, 60)[:, 10:50].reshape(20, 2, 20, 2, 3).mean((1, 3))
    assert np.abs(images[0] - expected).max() <= 1
