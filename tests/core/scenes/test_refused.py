"""Every kind of invalid file has its own exception, whose message says what to do."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.rasters import random_rgb, write_raster, write_rgb
from terraseek.errors import (
    ConfigError,
    EmptySceneError,
    NotAnImageError,
    NoValidPixelsError,
    SceneError,
    SceneTooLargeError,
    TruncatedImageError,
    UnsupportedSceneError,
)
from terraseek.scenes import Scene, SceneLimits


def read_all(path: Path) -> None:
    with Scene.open(path) as scene:
        scene.window(0, 0, scene.height, scene.width)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        Scene.open(tmp_path / "no.tif")
    assert caught.value.filename == str(tmp_path / "no.tif")


def test_no_bytes(tmp_path):
    (tmp_path / "a.tif").touch()
    with pytest.raises(EmptySceneError, match=r"a\.tif has no bytes"):
        Scene.open(tmp_path / "a.tif")


@pytest.mark.parametrize("content", [b"hello, this is text\n", b"\x00" * 5000, b"<html></html>"])
def test_not_an_image(tmp_path, content):
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(NotAnImageError, match=r"a\.tif is not an image"):
        Scene.open(tmp_path / "a.tif")


def test_a_folder(tmp_path):
    with pytest.raises(NotAnImageError, match="not a file"):
        Scene.open(tmp_path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_truncated(tmp_path, suffix, share):
    noise = np.random.default_rng(0).integers(0, 255, (300, 400, 3)).astype(np.uint8)
    whole = tmp_path / f"whole{suffix}"
    Image.fromarray(noise).save(whole)
    content = whole.read_bytes()
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(TruncatedImageError, match="cut short or damaged"):
        read_all(cut)


def test_truncated_striped_geotiff(tmp_path):
    path = write_rgb(tmp_path / "a.tif", random_rgb(400, 300), compress="deflate")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(TruncatedImageError):
        read_all(path)


def test_a_decompression_bomb_is_refused_before_decoding(tmp_path):
    path = write_raster(
        tmp_path / "a.tif",
        np.zeros((1, 1, 1), np.uint8),
    )
    del path
    import rasterio

    with rasterio.open(
        tmp_path / "bomb.tif",
        "w",
        driver="GTiff",
        width=60_000,
        height=60_000,
        count=1,
        dtype="uint8",
        tiled=True,
        sparse_ok=True,
        crs="EPSG:32633",
        transform=(1, 0, 5e5, 0, -1, 5e6),
    ):
        pass
    with pytest.raises(SceneTooLargeError, match=r"3,600\.0 megapixels.*TERRASEEK_MAX_PIXELS"):
        Scene.open(tmp_path / "bomb.tif")


def test_limits_come_from_the_environment(tmp_path, monkeypatch):
    path = write_rgb(tmp_path / "a.tif", random_rgb(40, 50))
    monkeypatch.setenv("TERRASEEK_MAX_PIXELS", "1999")
    with pytest.raises(SceneTooLargeError, match="50 x 40"):
        Scene.open(path)
    monkeypatch.delenv("TERRASEEK_MAX_PIXELS")
    monkeypatch.setenv("TERRASEEK_MAX_BYTES", "100")
    with pytest.raises(SceneTooLargeError, match="TERRASEEK_MAX_BYTES"):
        Scene.open(path)
    with Scene.open(path, SceneLimits(max_bytes=10**6)) as scene:
        assert scene.width == 50


@pytest.mark.parametrize("text", ["many", "0", "-5", "1e9"])
def test_a_limit_that_is_not_a_number(monkeypatch, text):
    monkeypatch.setenv("TERRASEEK_MAX_PIXELS", text)
    with pytest.raises(ConfigError, match="TERRASEEK_MAX_PIXELS"):
        SceneLimits()


def test_all_nodata(tmp_path):
    path = write_raster(tmp_path / "a.tif", np.zeros((3, 40, 40), np.uint8), nodata=0)
    with pytest.raises(NoValidPixelsError, match=r"a\.tif has no valid pixels"):
        read_all(path)


def test_all_nan(tmp_path):
    path = write_raster(tmp_path / "a.tif", np.full((1, 40, 40), np.nan, np.float32))
    with pytest.raises(NoValidPixelsError):
        read_all(path)


def test_complex_numbers(tmp_path):
    path = write_raster(tmp_path / "a.tif", np.ones((1, 20, 20), np.complex64))
    with pytest.raises(UnsupportedSceneError, match="complex numbers"):
        Scene.open(path)


def test_a_vrt_cannot_read_other_files(tmp_path):
    target = write_rgb(tmp_path / "a.tif", random_rgb(20, 20))
    vrt = tmp_path / "b.vrt"
    vrt.write_text(
        '<VRTDataset rasterXSize="20" rasterYSize="20"><VRTRasterBand dataType="Byte" band="1">'
        f"<SimpleSource><SourceFilename>{target}</SourceFilename></SimpleSource>"
        "</VRTRasterBand></VRTDataset>"
    )
    with pytest.raises(UnsupportedSceneError, match="VRT"):
        Scene.open(vrt)
    vrt.write_text(" <?xml version='1.0'?>" + vrt.read_text())
    with pytest.raises(SceneError):
        Scene.open(vrt)


def test_nothing_is_written_beside_a_scene(tmp_path):
    path = write_raster(tmp_path / "a.tif", np.ones((1, 30, 30), np.uint16) * 500)
    read_all(path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]
