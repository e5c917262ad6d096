"""TIFFs whose end is missing are refused when they are opened, whatever their layout."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from terraseek.encoders.fake import FakeEncoder
from terraseek.errors import EmptyQueryError, LatticeError, TruncatedImageError
from terraseek.localization import LocalizeOptions, localize
from terraseek.scenes import Scene

LAYOUTS = {
    "strips": {},
    "tiles": {"tiled": True, "blockxsize": 64, "blockysize": 64},
    "deflate": {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"},
    "bands": {"interleave": "band", "compress": "lzw"},
    "big": {"BIGTIFF": "YES", "compress": "deflate"},
}


def write(path: Path, **layout: object) -> Path:
    pixels = np.random.default_rng(0).integers(1, 255, (3, 200, 300), np.uint8)
    profile = {"driver": "GTiff", "width": 300, "height": 200, "count": 3, "dtype": "uint8"}
    place = {"crs": "EPSG:32631", "transform": rasterio.Affine(1, 0, 448_000, 0, -1, 5_412_000)}
    with rasterio.open(path, "w", **profile, **place, **layout) as target:
        target.write(pixels)
    return path


@pytest.mark.parametrize("share", [0.5, 0.98])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_truncated_tiff_is_refused_at_once(tmp_path: Path, layout: str, share: float) -> None:
    whole = write(tmp_path / "whole.tif", **LAYOUTS[layout])
    with Scene.open(whole) as scene:
        assert scene.window(0, 0, 200, 300)[1].all()
    content = whole.read_bytes()
    cut = tmp_path / "cut.tif"
    cut.write_bytes(content[: int(share * len(content))])
    with pytest.raises(TruncatedImageError, match=r"cut\.tif.*cut short or damaged"):
        Scene.open(cut)


def test_sparse_tiff_is_complete(tmp_path: Path) -> None:
    profile = {"driver": "GTiff", "width": 300, "height": 200, "count": 3, "dtype": "uint8"}
    tiles = {"tiled": True, "blockxsize": 64, "blockysize": 64, "SPARSE_OK": True}
    with rasterio.open(tmp_path / "s.tif", "w", crs="EPSG:32631",
                       transform=rasterio.Affine(1, 0, 448_000, 0, -1, 5_412_000),
                       **profile, **tiles) as target:  # fmt: skip
        target.write(np.full((3, 64, 64), 9, np.uint8), window=((0, 64), (0, 64)))
    with Scene.open(tmp_path / "s.tif") as scene:
        assert (scene.window(0, 0, 64, 64)[0] == 9).all()


@pytest.mark.parametrize("text", [";;;", "...", " - "])
def test_a_sentence_without_words_is_refused(tmp_path: Path, text: str) -> None:
    with Scene.open(write(tmp_path / "a.tif")) as scene, pytest.raises(EmptyQueryError):
        localize(scene, text, FakeEncoder())


def test_a_window_larger_than_the_scene_is_refused(tmp_path: Path) -> None:
    options = LocalizeOptions(scales=(64, 999_999))
    with Scene.open(write(tmp_path / "a.tif")) as scene:
        with pytest.raises(
            LatticeError, match=r"999,999 px is far larger than a\.tif.*at most 300"
        ):
            localize(scene, "red", FakeEncoder(), options)
        assert localize(scene, "red", FakeEncoder(), LocalizeOptions(scales=(300,))).n_windows
