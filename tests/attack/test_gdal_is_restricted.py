"""What GDAL can do in this process, whatever code calls it."""

import subprocess
import sys
from pathlib import Path

import pytest

from attack.hostile import Canary, leaks, overview_tag, plain, source_vrt
from terraseek.scenes.gdal_restrictions import READ_DRIVERS

_OPENED = """
import sys
{first}
from terraseek.scenes import Scene
try:
    Scene.open(sys.argv[1]).close()
except Exception as error:
    print("refused", type(error).__name__)
import rasterio, warnings
warnings.simplefilter("ignore")
with rasterio.Env() as env:
    print("drivers", *sorted(env.drivers()), sep=",")
try:
    with rasterio.open(sys.argv[2]) as opened:
        pixels = opened.read(1, out_shape=(512, 512))
        print("varies", pixels.min() != pixels.max())
except rasterio.errors.RasterioIOError:
    print("not read")
"""


def ask(first: str, scene: Path, target: str) -> list[str]:
    code = _OPENED.replace("{first}", first)
    done = subprocess.run(
        [sys.executable, "-c", code, str(scene), target],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("first", ["", "import rasterio\nwith rasterio.Env(): pass"])
def test_only_listed_drivers_are_left_and_no_address_is_called(
    first: str, canary: Canary, tmp_path: Path
) -> None:
    """Also when somebody else had GDAL register everything before."""
    plain(tmp_path / "a.tif")
    bait = plain(tmp_path / "bait.tif", overview_tag(f"/vsicurl/{canary.url}"))
    said = ask(first, tmp_path / "a.tif", str(bait))
    drivers = next(line for line in said if line.startswith("drivers")).split(",")[1:]
    assert set(drivers) == {*READ_DRIVERS, "COG", "MEM", "Memory"}
    assert canary.calls == []


@pytest.mark.parametrize("place", ["/vsicurl/{}", "/vsicurl_streaming/{}", "{}"])
def test_an_address_given_to_rasterio_is_not_called(
    place: str, canary: Canary, tmp_path: Path
) -> None:
    plain(tmp_path / "a.tif")
    assert ask("", tmp_path / "a.tif", place.format(canary.url))[-1] == "not read"
    assert canary.calls == []


def test_a_vrt_as_overviews_is_not_followed_even_past_our_own_check(
    canary: Canary, tmp_path: Path
) -> None:
    """The second wall: the tag is not looked at here, and GDAL still has no driver for it."""
    plain(tmp_path / "a.tif")
    bait = plain(tmp_path / "bait.tif", overview_tag(source_vrt(canary.raster)))
    assert ask("", tmp_path / "a.tif", str(bait))[-1] in ("varies False", "not read")


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_the_private_raster_would_be_noticed(canary: Canary) -> None:
    import rasterio

    with rasterio.open(canary.raster) as opened:
        assert leaks(opened.read().transpose(1, 2, 0))


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"EHFA_HEADER_TAG\0", "Erdas Imagine"),
        (b"NITF02.10", "NITF"),
        (b"NSIF01.00", "NSIF"),
        (b"<GDAL_WMS>", "WMS"),
        (b"  <VRTDataset>", "VRT"),
    ],
)
def test_formats_that_name_other_files_are_refused_in_words(
    start: bytes, words: str, tmp_path: Path
) -> None:
    from terraseek.errors import UnsupportedSceneError
    from terraseek.scenes import Scene

    path = tmp_path / "scene.tif"
    path.write_bytes(start.ljust(500, b"\0"))
    with pytest.raises(UnsupportedSceneError, match=words):
        Scene.open(path)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_overviews_and_masks_of_ones_own_are_still_used(tmp_path: Path) -> None:
    import numpy as np
    import rasterio

    from terraseek.scenes import Scene

    path = plain(tmp_path / "scene.tif")
    with rasterio.Env(TIFF_USE_OVR="YES"), rasterio.open(path, "r+") as opened:
        opened.build_overviews([2, 4])
    assert Path(f"{path}.ovr").exists()
    with Scene.open(path) as scene:
        assert scene.overview_factors == (2, 4)
        rgb, valid = scene.preview(64)
    assert valid.all()
    assert len(np.unique(rgb)) == 1
