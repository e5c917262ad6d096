"""Image files as people have them: odd forms and names that are right, and files that are not."""

import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from affine import Affine
from PIL import Image

from helpers.rasters import write_raster

RED = (215, 30, 25)


@dataclass(frozen=True)
class OddFile:
    """A file and what must become of it."""

    name: str
    right: bool
    """Whether it is an image; otherwise it must be refused in one line."""
    red: bool = True
    """Whether it looks red, so that "red" must find it."""


def red_pixels(height: int = 40, width: int = 56) -> np.ndarray:
    """Red with a little noise, so that no two pixels and no two bands are the same."""
    noise = np.random.default_rng(5).integers(-20, 21, (height, width, 3))
    return np.clip(np.array(RED) + noise, 0, 255).astype(np.uint8)


def encoded(kind: str, image: Image.Image | None = None, **options: object) -> bytes:
    """A red image in a format of Pillow."""
    out = io.BytesIO()
    (image or Image.fromarray(red_pixels())).save(out, kind, **options)
    return out.getvalue()


def _turned(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def _forms() -> dict[str, bytes]:
    red = Image.fromarray(red_pixels())
    frames = {"save_all": True, "append_images": [Image.new("RGB", red.size, (0, 0, 255))]}
    return {
        "plain.jpg": encoded("JPEG"),
        "progressive.jpeg": encoded("JPEG", progressive=True),
        "cmyk.jpg": encoded("JPEG", red.convert("CMYK"), quality=95),
        "turned.jpg": encoded("JPEG", exif=_turned(6)),
        "turned.png": encoded("PNG", exif=_turned(5)),
        "palette.png": encoded("PNG", red.quantize(32)),
        "alpha.png": encoded("PNG", red.convert("RGBA")),
        "animated.png": encoded("PNG", **frames),
        "animated.webp": encoded("WEBP", lossless=True, **frames),
        "animated.gif": encoded("GIF", red.quantize(64), **frames),
        "plain.bmp": encoded("BMP"),
        "plain.jp2": encoded("JPEG2000"),
        "lzw.tif": encoded("TIFF", compression="tiff_lzw"),
        "UPPER.PNG": encoded("PNG"),
        "jpeg named.png": encoded("JPEG"),
        "a b#c%41&d=e?.png": encoded("PNG"),
        "=1+1.png": encoded("PNG"),
        "'\"<script>alert(1)<_script>.png": encoded("PNG"),
        "機場 été 😀.png": encoded("PNG"),
        "two\nlines.png": encoded("PNG"),
        ("n" * 200) + ".png": encoded("PNG"),
        "dots.in.the.name.v1.2.png": encoded("PNG"),
        "one pixel.png": encoded("PNG", red.crop((0, 0, 1, 1))),
        "narrow.png": encoded("PNG", red.crop((0, 0, 2, 40))),
    }


def _grey_forms() -> dict[str, bytes]:
    red = Image.fromarray(red_pixels())
    return {
        "grey.png": encoded("PNG", red.convert("L")),
        "grey alpha.png": encoded("PNG", red.convert("LA")),
        "one bit.png": encoded("PNG", red.convert("1")),
        "transparent.png": encoded("PNG", Image.new("RGBA", (8, 8), (0, 0, 0, 0))),
    }


def _broken() -> dict[str, bytes]:
    jpeg, png, tiff = encoded("JPEG"), encoded("PNG"), encoded("TIFF")
    size = struct.pack(">IIBBBBB", 2_000_000, 1, 8, 2, 0, 0, 0)
    header = b"IHDR" + size
    claim = png[:8] + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return {
        "empty.png": b"",
        "page.jpg": b"<!doctype html><title>404 Not Found</title>",
        "words.tif": b'{"not": "an image"}',
        "cut.jpg": jpeg[: len(jpeg) // 2],
        "cut.png": png[: len(png) // 2],
        "cut.tif": tiff[: len(tiff) // 2],
        "cut.webp": encoded("WEBP")[:60],
        "damaged.jpg": jpeg[:-300] + bytes(200) + jpeg[-100:],
        "strip.png": claim + png[33:],
        "link.tif": b'<VRTDataset rasterXSize="1" rasterYSize="1"></VRTDataset>',
        "magic.jp2": b"\x00\x00\x00\x0cjP  \r\n\x87\n",
        "raw.bmp": b"BM" + bytes(60),
    }


def write_odd_files(folder: Path) -> list[OddFile]:
    """Write about 50 files, and say of each what it is."""
    folder.mkdir(parents=True, exist_ok=True)
    odd = []
    for right, red, files in (
        (True, True, _forms()),
        (True, False, _grey_forms()),
        (False, False, _broken()),
    ):
        for name, data in files.items():
            (folder / name).write_bytes(data)
            odd.append(OddFile(name, right, red))
    return odd + _write_rasters(folder)


def _write_rasters(folder: Path) -> list[OddFile]:
    bands = np.moveaxis(red_pixels(), -1, 0)
    deep = bands.astype(np.uint16) * 40
    grid = Affine(0.01, 0, 179.9, 0, -0.01, 10)
    write_raster(folder / "utm.tif", bands)
    write_raster(folder / "antimeridian.tif", bands, crs="EPSG:4326", transform=grid)
    write_raster(folder / "16 bit.tif", deep)
    write_raster(folder / "float.tif", (bands / 255).astype(np.float32), nodata=np.nan)
    write_raster(folder / "named bands.tif", deep[::-1], descriptions=("B2", "B3", "B4"))
    names = ("utm.tif", "antimeridian.tif", "16 bit.tif", "float.tif", "named bands.tif")
    # values that are not 8-bit are stretched per band, so that their colour is not that of RED
    return [OddFile(name, True, red=name in names[:2]) for name in names]
