"""Decoding of images to RGB arrays; errors name the damaged or oversized image."""

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from terraseek.catalogue.embedded_images import PARQUET_SUFFIXES, read_embedded
from terraseek.catalogue.records import ImageRef
from terraseek.catalogue.tars import read_range
from terraseek.decoding import check_time, guarded, quiet
from terraseek.errors import (
    EmptySceneError,
    NotAnImageError,
    SceneError,
    SceneTooLargeError,
    TruncatedImageError,
)
from terraseek.scenes.first_frame import upright
from terraseek.scenes.opening import VERIFIED_MAGIC, verify_bytes

__all__ = [
    "FORMATS",
    "MAX_ASPECT",
    "MAX_PIXELS",
    "RASTER_SUFFIXES",
    "check_image_size",
    "decode_image",
    "open_image",
    "read_bytes",
    "read_image",
    "temporary_copy",
]

MAX_PIXELS = 180_000_000
"""Largest image of a catalogue item, in pixels; larger rasters are scenes."""

MAX_ASPECT = 200
"""Largest ratio of the sides. An encoder resizes the shorter side to its input, so that a strip of
2,000,000 x 1 pixels would become 448,000,000 x 224."""

_DEEP_COST = 4
"""Bytes of memory per byte of an 8-bit image that 16-bit and float images need for the stretch."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "JPEG2000", "PPM")
"""Formats that Pillow may decode; it knows others, and would run Ghostscript for PostScript."""

RASTER_SUFFIXES = frozenset({".tif", ".tiff", ".jp2"})
"""Suffixes of files that are read by GDAL like scenes and may be georeferenced."""
_DEEP_MODES = frozenset({"I;16", "I;16B", "I;16L", "I;16N", "I", "F"})


def decode_image(
    data: bytes, name: str, max_side: int | None = None
) -> UInt8[np.ndarray, "height width 3"]:
    """Decode an image to RGB.

    Args:
        data: the encoded bytes.
        name: name of the image in errors; its suffix selects GDAL for rasters.
        max_side: shrink so that the longer side is at most this many pixels.

    Raises:
        EmptySceneError: no bytes, or no pixels.
        NotAnImageError: the format is not recognised or not allowed.
        TruncatedImageError: the data is cut short or damaged.
        SceneTooLargeError: more than `MAX_PIXELS` pixels (a quarter of it for 16-bit and float
            images), sides above `MAX_ASPECT`, or not enough memory.
    """
    if not data:
        raise EmptySceneError(f"{name} has no bytes; remove it or download it again")
    suffix = ".png" if _is_deep_png(data) else Path(name).suffix.lower()
    if _is_deep_png(data):
        width, height = struct.unpack(">II", data[16:24])
        check_image_size(name, width, height, MAX_PIXELS // _DEEP_COST)
    if suffix in RASTER_SUFFIXES or _is_deep_png(data):
        with temporary_copy(data, name, suffix) as path:
            return _raster(path, max_side, name)
    try:
        return _by_pillow(data, name, max_side)
    except TruncatedImageError:
        # damage that GDAL repairs: what is a scene is also an item
        if data.startswith(VERIFIED_MAGIC):
            with suppress(SceneError), temporary_copy(data, name, suffix) as path:
                return _raster(path, max_side, name)
        raise


def _by_pillow(data: bytes, name: str, max_side: int | None) -> UInt8[np.ndarray, "h w 3"]:
    with open_image(data, name) as image, guarded(name):
        cost = _DEEP_COST if image.mode in _DEEP_MODES else 1
        check_image_size(name, *image.size, MAX_PIXELS // cost)
        if max_side is not None:
            image.draft("RGB", (max_side, max_side))  # JPEG decodes at a fraction, much faster
        image.load()
        return _to_rgb(upright(image), max_side)


def open_image(data: bytes, name: str) -> Image.Image:
    """Open an image with Pillow; its header is read, its pixels are not.

    Raises:
        NotAnImageError: the format is not recognised or not allowed.
        SceneTooLargeError: Pillow takes it for a decompression bomb.
        TruncatedImageError: the header is damaged.
    """
    try:
        # own limit of pixels; EXIF that is damaged is ignored, as viewers do
        with guarded(name), quiet:
            return Image.open(_TimedBytes(data), formats=FORMATS)
    except TruncatedImageError as error:
        if isinstance(error.__cause__, UnidentifiedImageError):
            raise NotAnImageError(f"{name} is not an image of a known format") from error
        if isinstance(error.__cause__, Image.DecompressionBombError):
            raise SceneTooLargeError(
                f"{name} is a decompression bomb: {error.__cause__}"
            ) from error
        raise


class _TimedBytes(io.BytesIO):
    """Bytes that Pillow reads piece by piece while it decodes, so that it can be stopped."""

    def read(self, size: int | None = -1, /) -> bytes:
        check_time()
        return super().read(size)


@contextmanager
def temporary_copy(data: bytes, name: str, suffix: str) -> Iterator[Path]:
    """Write bytes to a file that GDAL can open, with the name that errors shall show."""
    with TemporaryDirectory(prefix="terraseek-") as folder:
        stem = Path(name.rsplit("#", 1)[-1]).stem.encode()[:100].decode(errors="ignore")
        path = Path(folder) / f"{stem}{suffix}"
        path.write_bytes(data)
        yield path


def _is_deep_png(data: bytes) -> bool:
    """Whether a PNG has 16 bits per channel, of which Pillow keeps only the upper 8."""
    return data.startswith(b"\x89PNG\r\n\x1a\n") and data[24:25] == b"\x10"


def read_image(
    ref: ImageRef, max_side: int | None = None, verify: bool = False
) -> UInt8[np.ndarray, "height width 3"]:
    """Decode the image of a reference to RGB.

    Args:
        ref: location of the image.
        max_side: shrink so that the longer side is at most this many pixels.
        verify: decode JPEG and PNG with GDAL, too, which finds more damage and takes as long again.

    Raises:
        SceneError: it cannot be decoded.
        FileNotFoundError: its file is missing.
    """
    if ref.suffix in RASTER_SUFFIXES and not ref.member:
        return _raster(ref.file, max_side, ref.label)
    data = read_bytes(ref)
    pixels = decode_image(data, ref.label, max_side)
    if verify:
        verify_bytes(data, ref.label)
    return pixels


def read_bytes(ref: ImageRef) -> bytes:
    """Read the encoded bytes of a reference.

    Raises:
        TruncatedImageError: the file has become shorter since the import.
        FileNotFoundError: the file is missing.
    """
    if ref.member and ref.file.suffix.lower() in PARQUET_SUFFIXES:
        data = read_embedded(ref.file, ref.offset)
    else:
        data = read_range(ref.file, ref.offset, ref.size)
    if ref.size >= 0 and len(data) < ref.size:
        raise TruncatedImageError(
            f"{ref.label} is cut short; was {ref.file} replaced? Import it again"
        )
    return data


def _raster(path: Path, max_side: int | None, name: str) -> UInt8[np.ndarray, "height width 3"]:
    """Read a raster of any bit depth, stretched over valid pixels; at most 4096 pixels a side."""
    from terraseek.scenes import Scene

    with guarded(name), Scene.open(path) as scene:
        check_image_size(name, scene.width, scene.height, MAX_PIXELS * scene.decimation**2)
        rgb, _ = scene.preview(min(max(scene.width, scene.height), max_side or 4096))
    return np.ascontiguousarray(rgb)


def check_image_size(name: str, width: int, height: int, max_pixels: int = MAX_PIXELS) -> None:
    """Refuse an image that is too large or too narrow for a catalogue item, before decoding.

    Raises:
        EmptySceneError: no pixels.
        SceneTooLargeError: more than `max_pixels` pixels, or sides above `MAX_ASPECT`.
    """
    if width * height == 0:
        raise EmptySceneError(f"{name} has no pixels ({width}x{height})")
    if width * height > max_pixels:
        raise SceneTooLargeError(
            f"{name} has {width}x{height} pixels, above the {max_pixels} that can be decoded for a "
            "catalogue item; cut it into chips, open it as a scene, or add overviews to a GeoTIFF "
            "with: gdaladdo -r average FILE"
        )
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise SceneTooLargeError(
            f"{name} has {width}x{height} pixels, sides of more than {MAX_ASPECT} to 1; cut it "
            "into chips"
        )


def _to_rgb(image: Image.Image, max_side: int | None) -> UInt8[np.ndarray, "height width 3"]:
    if image.mode in _DEEP_MODES:
        image = Image.fromarray(_stretch(np.asarray(image, np.float32)))
    if "A" in image.mode or "transparency" in image.info:
        image = _on_black(image.convert("RGBA"))
    image = image.convert("RGB")
    if max_side is not None and max(image.size) > max_side:
        image.thumbnail((max_side, max_side), Image.Resampling.BICUBIC)
    return np.array(image)


def _stretch(values: np.ndarray) -> UInt8[np.ndarray, "height width"]:
    """Stretch 16-bit or float grey values from their 2nd to 98th percentile to 8 bits."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return np.zeros(values.shape, np.uint8)
    low, high = np.percentile(finite, (2, 98))
    scaled = (np.nan_to_num(values, nan=low) - low) / max(float(high - low), 1e-9)
    grey: UInt8[np.ndarray, "height width"] = (np.clip(scaled, 0, 1) * 255).round().astype(np.uint8)
    return grey


def _on_black(image: Image.Image) -> Image.Image:
    """Black where the image is fully transparent, as scenes show invalid pixels."""
    pixels = np.array(image)
    pixels[pixels[..., 3] == 0] = 0
    return Image.fromarray(pixels[..., :3])
