"""Images that GDAL reads unlike a viewer: GIF, BMP, animated WebP, photographs on their side."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from terraseek.decoding import guarded, quiet
from terraseek.errors import SceneError
from terraseek.scenes.limits import SceneLimits
from terraseek.scenes.opening import decode_once, decoding

if TYPE_CHECKING:
    from PIL.Image import Image
    from rasterio.io import DatasetReader

__all__ = ["copy_by_pillow", "orientation_of", "upright", "upright_copy"]

_ORIENTATION_TAG = 0x0112
_TURNED = ("JPEG", "PNG", "WEBP")
_BY_PILLOW = ("GIF", "BMP")
"""Formats of which GDAL and Pillow, which reads items, accept different damaged files."""
_MAX_TURNED_BYTES = 1 << 28
"""Larger TIFF files are read as they are stored."""
_MAX_PIXELS = 180_000_000
"""Larger photographs are read as they are stored, because turning needs all pixels in memory."""


def orientation_of(image: "Image") -> int:
    """EXIF orientation of an open image, 1 to 8; 1 if there is none or the EXIF is damaged."""
    try:
        with guarded("EXIF"):
            value = int(image.getexif().get(_ORIENTATION_TAG, 1))
    except SceneError:  # viewers ignore damaged EXIF, too
        return 1
    return value if 1 <= value <= 8 else 1


def upright(image: "Image") -> "Image":
    """The image turned and mirrored as its EXIF orientation states."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    turn = turns.get(orientation_of(image))
    return image if turn is None else image.transpose(turn)


def upright_copy(dataset: "DatasetReader", path: Path) -> "tuple[DatasetReader | None, bool]":
    """A copy in memory of the first frame, upright; None where GDAL's own reading is right.

    Georeferenced images are not turned, because their transform is that of the stored pixels.

    Returns:
        The copy or None, and whether the file is an animation.

    Raises:
        SceneError: the image cannot be decoded.
    """
    if dataset.driver == "GTiff":
        return _turned_tiff(dataset, path), False
    if dataset.driver not in (*_TURNED, *_BY_PILLOW) or dataset.dtypes[0] != "uint8":
        return None, False
    image = _header(path, (*_TURNED, *_BY_PILLOW))
    if image is None:
        return None, False
    with image, guarded(path.name):
        animated = image.format != "MPO" and bool(getattr(image, "is_animated", False))
        turned = orientation_of(image) != 1 and dataset.transform.is_identity
        if turned and dataset.driver in ("JPEG", "PNG"):
            decode_once(dataset, path.name)  # Pillow, which turns it, does not report damage
        by_pillow = dataset.driver in _BY_PILLOW and dataset.transform.is_identity
        if not (turned or by_pillow or (animated and dataset.driver == "WEBP")):
            if dataset.driver not in ("JPEG", "PNG"):
                image.load()  # GDAL reports less damage than Pillow
            return None, animated
        return _in_memory(image), animated


def _turned_tiff(dataset: "DatasetReader", path: Path) -> "DatasetReader | None":
    """An upright copy of a TIFF file that is to be turned, which GDAL does not do; else None."""
    from rasterio.enums import MaskFlags
    from rasterio.io import MemoryFile

    size = dataset.width * dataset.height * dataset.count * np.dtype(dataset.dtypes[0]).itemsize
    placed = not dataset.transform.is_identity or dataset.gcps[0] or dataset.rpcs
    masked = any(
        MaskFlags.per_dataset in f and MaskFlags.alpha not in f for f in dataset.mask_flag_enums
    )
    if placed or masked or size > _MAX_TURNED_BYTES or len(set(dataset.dtypes)) > 1:
        return None
    orientation = 1
    with suppress(SceneError):  # a TIFF that Pillow cannot read
        image = _header(path, ("TIFF",))
        if image is not None:
            with image:
                orientation = orientation_of(image)
    if orientation == 1:
        return None
    with decoding(path.name):
        pixels = dataset.read()
    if orientation >= 5:
        pixels = pixels.swapaxes(1, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, :, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[:, ::-1]
    count, height, width = pixels.shape
    profile = {"count": count, "height": height, "width": width, "dtype": dataset.dtypes[0]}
    if dataset.nodata is not None:
        profile["nodata"] = dataset.nodata
    if dataset.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES":
        profile["photometric"] = "MINISWHITE"
    with quiet:
        memory = MemoryFile()
        with memory.open(driver="GTiff", **profile) as target:
            with suppress(ValueError):  # no palette
                target.write_colormap(1, dataset.colormap(1))
            target.colorinterp = dataset.colorinterp
            target.descriptions = dataset.descriptions
            target.write(np.ascontiguousarray(pixels))
        copy = memory.open()
    copy.memory_file = memory  # its bytes live as long as the dataset
    return copy


def copy_by_pillow(path: Path, limits: SceneLimits) -> "DatasetReader | None":
    """A copy in memory of the first frame of a GIF, BMP or WebP that GDAL cannot open.

    Returns:
        The copy, or None if Pillow cannot read it either, or it is too large.
    """
    with suppress(SceneError):
        image = _header(path, (*_BY_PILLOW, "WEBP")) if path.is_file() else None
        if image is not None:
            with image, guarded(path.name):
                limits.check_pixels(path, *image.size)
                return _in_memory(image)
    return None


def _header(path: Path, formats: tuple[str, ...]) -> "Image | None":
    """The image with its header read; None if it is too large to turn.

    Raises:
        TruncatedImageError: Pillow, which reads the images of items, cannot read it.
    """
    import PIL.Image

    try:
        with guarded(path.name), quiet:  # it warns of size, see the limit below, and EXIF
            image = PIL.Image.open(path, formats=formats)
    except SceneError as error:
        if isinstance(error.__cause__, PIL.Image.DecompressionBombError):
            return None
        raise
    if image.width * image.height > _MAX_PIXELS:
        image.close()
        return None
    return image


def _in_memory(image: "Image") -> "DatasetReader":
    """A dataset of the pixels of an image, upright."""
    from rasterio.enums import ColorInterp
    from rasterio.io import MemoryFile

    mode = "RGBA" if "A" in image.mode or "transparency" in image.info else "RGB"
    pixels = np.asarray(upright(image).convert(mode))
    height, width, count = pixels.shape
    profile: dict[str, Any] = {"count": count, "height": height, "width": width, "dtype": "uint8"}
    colours = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
    with quiet:
        memory = MemoryFile()
        with memory.open(driver="GTiff", **profile) as target:
            target.colorinterp = colours[:count]
            target.write(np.moveaxis(pixels, -1, 0))
        copy = memory.open()
    copy.memory_file = memory  # its bytes live as long as the dataset
    return copy
