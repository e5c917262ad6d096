"""Files that try to make GDAL read a private file or call an address, each made by code."""

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import tifffile
from PIL import Image
from rasterio.errors import NotGeoreferencedWarning

SIDE = 2048
"""Large enough that every reader wants an overview, which is what hostile files replace."""
GREY = 100
"""The one value of hostile pictures; any other in an answer was read elsewhere."""


@dataclass
class Canary:
    """What an attacker wants: a private text, a private raster, and to be called back."""

    text: Path
    raster: Path
    port: int
    log: Path

    @property
    def calls(self) -> list[str]:
        """Every request the server has had."""
        return self.log.read_text(encoding="utf-8").splitlines()

    @property
    def url(self) -> str:
        """An address that counts who asks for it."""
        return f"http://127.0.0.1:{self.port}/called.tif"


Builder = Callable[[Path, Canary], Path]


def plain(path: Path, tag: str = "") -> Path:
    """A grey TIFF with GDAL's metadata tag 42112 as it is given."""
    pixels = np.full((SIDE, SIDE), GREY, np.uint8)
    extra = [(42112, "s", 0, tag, True)] if tag else []
    tifffile.imwrite(path, pixels, compression="zlib", rowsperstrip=64, extratags=extra)
    return path


def overview_tag(target: str, name: str = "OVERVIEW_FILE", domain: str = "OVERVIEWS") -> str:
    """GDAL's metadata with another file as overviews."""
    safe = target.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return f'<GDALMetadata><Item name="{name}" domain="{domain}">{safe}</Item></GDALMetadata>'


def raw_vrt(file: Path | str) -> str:
    """The bytes of any file as pixels."""
    half = SIDE // 2
    return (
        f'<VRTDataset rasterXSize="{half}" rasterYSize="{half}">'
        '<VRTRasterBand dataType="Byte" band="1" subClass="VRTRawRasterBand">'
        f'<SourceFilename relativeToVRT="0">{file}</SourceFilename><ImageOffset>0</ImageOffset>'
        "<PixelOffset>1</PixelOffset><LineOffset>1</LineOffset></VRTRasterBand></VRTDataset>"
    )


def source_vrt(file: Path | str) -> str:
    """The pixels of another raster."""
    half = SIDE // 2
    return (
        f'<VRTDataset rasterXSize="{half}" rasterYSize="{half}">'
        '<VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        f'<SourceFilename relativeToVRT="0">{file}</SourceFilename><SourceBand>1</SourceBand>'
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )


def _tagged(target: Callable[[Canary], str], **tag: str) -> Builder:
    return lambda folder, canary: plain(folder / "scene.tif", overview_tag(target(canary), **tag))


def _beside(ending: str, content: Callable[[Canary], str]) -> Builder:
    def build(folder: Path, canary: Canary) -> Path:
        path = plain(folder / "scene.tif")
        Path(f"{path}{ending}").write_text(content(canary), encoding="utf-8")
        return path

    return build


def _pam(ending: str) -> Builder:
    def build(folder: Path, canary: Canary) -> Path:
        path = folder / f"scene{ending}"
        if ending == ".tif":
            plain(path)
        else:
            Image.fromarray(np.full((SIDE, SIDE), GREY, np.uint8)).save(path)
        Path(f"{path}.aux.xml").write_text(
            '<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">'
            f"{canary.raster}</MDI></Metadata></PAMDataset>"
        )
        return path

    return build


def _linked(ending: str) -> Builder:
    def build(folder: Path, canary: Canary) -> Path:
        path = plain(folder / "scene.tif")
        os.symlink(canary.raster, f"{path}{ending}")
        return path

    return build


def _overview_with_tag(folder: Path, canary: Canary) -> Path:
    path = plain(folder / "scene.tif")
    half = np.full((SIDE // 2 + 200, SIDE // 2 + 200), GREY, np.uint8)
    tag = [(42112, "s", 0, overview_tag(str(canary.raster)), True)]
    tifffile.imwrite(f"{path}.ovr", half, compression="zlib", extratags=tag, photometric=1)
    return path


def _bare_raw(folder: Path, canary: Canary) -> Path:
    path = folder / "scene.tif"
    os.symlink(canary.text, path)
    side = int(canary.text.stat().st_size ** 0.5)
    path.with_suffix(".hdr").write_text(
        f"ENVI\nsamples = {side}\nlines = {side}\nbands = 1\nheader offset = 0\n"
        "data type = 1\ninterleave = bsq\nbyte order = 0\n"
    )
    return path


def _content(ending: str, content: Callable[[Canary], str]) -> Builder:
    def build(folder: Path, canary: Canary) -> Path:
        path = folder / f"scene{ending}"
        path.write_text(content(canary), encoding="utf-8")
        return path

    return build


def _wms(canary: Canary) -> str:
    return (
        f'<GDAL_WMS><Service name="TMS"><ServerUrl>{canary.url}/${{z}}/${{x}}/${{y}}</ServerUrl>'
        "</Service><DataWindow><UpperLeftX>0</UpperLeftX><UpperLeftY>0</UpperLeftY>"
        "<LowerRightX>1</LowerRightX><LowerRightY>-1</LowerRightY><TileLevel>3</TileLevel>"
        "</DataWindow><BandsCount>1</BandsCount><BlockSizeX>256</BlockSizeX>"
        "<BlockSizeY>256</BlockSizeY></GDAL_WMS>"
    )


ALONE: dict[str, Builder] = {
    "tag names a raster": _tagged(lambda c: str(c.raster)),
    "tag names a raster, letters escaped": _tagged(
        lambda c: str(c.raster), name="OVERVIEW&#95;FILE", domain="OVER&#86;IEWS"
    ),
    "tag names a raster, small letters": _tagged(
        lambda c: str(c.raster), name="overview_file", domain="overviews"
    ),
    "tag holds a VRT of a text": _tagged(lambda c: raw_vrt(c.text)),
    "tag holds a VRT of a raster": _tagged(lambda c: source_vrt(c.raster)),
    "tag names an address": _tagged(lambda c: c.url),
    "tag names /vsicurl/": _tagged(lambda c: f"/vsicurl/{c.url}"),
    "tag names /vsicurl_streaming/": _tagged(lambda c: f"/vsicurl_streaming/{c.url}"),
    "tag names a zip by /vsicurl/": _tagged(lambda c: f"/vsizip//vsicurl/{c.url}.zip/a.tif"),
    "tag names WMS": _tagged(lambda c: f"WMS:{c.url}?"),
    "tag holds a WMS": _tagged(_wms),
    "VRT called tif": _content(".tif", lambda c: source_vrt(c.raster)),
    "VRT called png": _content(".png", lambda c: raw_vrt(c.text)),
    "WMS called tif": _content(".tif", _wms),
}
"""Attacks of one file, which go through every door."""

WITH_SIDECARS: dict[str, Builder] = {
    "ovr is a VRT of a text": _beside(".ovr", lambda c: raw_vrt(c.text)),
    "OVR is a VRT of a text": _beside(".OVR", lambda c: raw_vrt(c.text)),
    "ovr is a VRT of an address": _beside(".ovr", lambda c: source_vrt(f"/vsicurl/{c.url}")),
    "msk is a VRT": _beside(".msk", lambda c: source_vrt(c.raster)),
    "msk is a VRT of an address": _beside(".msk", lambda c: source_vrt(f"/vsicurl/{c.url}")),
    "aux.xml names a raster": _pam(".tif"),
    "ovr has the tag": _overview_with_tag,
    "ovr is a link": _linked(".ovr"),
    "msk is a link": _linked(".msk"),
    "a link and an ENVI header": _bare_raw,
}
"""Attacks of several files, which go through folders only."""

PICTURE: dict[str, Builder] = {"aux.xml of a PNG names a raster": _pam(".png")}
"""An attack on what opens pictures with GDAL."""


def private_raster(path: Path) -> Path:
    """Noise that no hostile file holds itself."""
    pixels = np.random.default_rng(5).integers(0, 256, (1, SIDE // 2, SIDE // 2), np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver="GTiff", width=SIDE // 2, height=SIDE // 2, count=1, dtype="uint8"
        ) as out:
            out.write(pixels)
    return path


def leaks(pixels: np.ndarray) -> bool:
    """Whether anything but the hostile file's own grey is shown."""
    return bool(np.ptp(pixels[..., :3]) > 0)
