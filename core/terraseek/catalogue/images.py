"""Decoding of images to RGB arrays; errors name the damaged or oversized image."""

import io
import warnings
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from terraseek.catalogue.records import ImageRef
from terraseek.catalogue.tars import read_range
from terraseek.errors import (
    EmptySceneError,
    NotAnImageError,
    SceneTooLargeError,
    TruncatedImageError,
)

__all__ = ["FORMATS", "MAX_PIXELS", "RASTER_SUFFIXES", "decode_image", "read_bytes", "read_image"]

MAX_PIXELS = 180_000_000
"""Largest image of a catalogue item, in pixels; larger rasters are scenes."""

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
        SceneTooLargeError: more than `MAX_PIXELS` pixels.
    """
    if not data:
        raise EmptySceneError(f"{name} has no bytes; remove it or download it again")
    if Path(name).suffix.lower() in RASTER_SUFFIXES:
        with NamedTemporaryFile(suffix=Path(name).suffix) as file:
            file.write(data)
            file.flush()
            return _raster(Path(file.name), max_side)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # own limit below
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        _check_size(image, name)
        if max_side is not None:
            image.draft("RGB", (max_side, max_side))  # JPEG decodes at a fraction, much faster
        image.load()
    except Image.DecompressionBombError as error:
        raise SceneTooLargeError(f"{name} is a decompression bomb: {error}") from error
    except UnidentifiedImageError as error:
        raise NotAnImageError(f"{name} is not an image of a known format") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise TruncatedImageError(f"{name} is damaged or cut short: {error}") from error
    return _to_rgb(ImageOps.exif_transpose(image), max_side)


def read_image(ref: ImageRef, max_side: int | None = None) -> UInt8[np.ndarray, "height width 3"]:
    """Decode the image of a reference to RGB.

    Raises:
        SceneError: it cannot be decoded.
        FileNotFoundError: its file is missing.
    """
    if ref.suffix in RASTER_SUFFIXES and not ref.member:
        return _raster(ref.file, max_side)
    return decode_image(read_bytes(ref), ref.label, max_side)


def read_bytes(ref: ImageRef) -> bytes:
    """Read the encoded bytes of a reference.

    Raises:
        TruncatedImageError: the file has become shorter since the import.
        FileNotFoundError: the file is missing.
    """
    data = read_range(ref.file, ref.offset, ref.size)
    if ref.size >= 0 and len(data) < ref.size:
        raise TruncatedImageError(
            f"{ref.label} is cut short; was {ref.file} replaced? Import it again"
        )
    return data


def _raster(path: Path, max_side: int | None) -> UInt8[np.ndarray, "height width 3"]:
    """Read a raster of any bit depth, stretched over valid pixels; at most 4096 pixels a side."""
    from terraseek.scenes import Scene

    with Scene.open(path) as scene:
        rgb, _ = scene.preview(min(max(scene.width, scene.height), max_side or 4096))
    return np.ascontiguousarray(rgb)


def _check_size(image: Image.Image, name: str) -> None:
    width, height = image.size
    if width * height == 0:
        raise EmptySceneError(f"{name} has no pixels ({width}x{height})")
    if width * height > MAX_PIXELS:
        raise SceneTooLargeError(
            f"{name} has {width}x{height} pixels, above the {MAX_PIXELS} of a catalogue item; "
            "cut it into chips or open it as a scene"
        )


def _to_rgb(image: Image.Image, max_side: int | None) -> UInt8[np.ndarray, "height width 3"]:
    if image.mode in _DEEP_MODES:
        image = Image.fromarray(_stretch(np.asarray(image, np.float32)))
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
