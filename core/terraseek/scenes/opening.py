"""Opening a file with GDAL so that every way to fail has its own error.

GDAL reads GeoTIFF, PNG, JPEG, WebP and more through one door. Only formats that hold their own
pixels are let in, see `gdal_safety`: a VRT, for example, may name any other file of this computer.
"""

import errno
import logging
import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terraseek.errors import (
    EmptySceneError,
    NotAnImageError,
    SceneTooLargeError,
    TruncatedImageError,
    UnsupportedSceneError,
)
from terraseek.scenes.gdal_safety import (
    READ_DRIVERS,
    refuse_references,
    restrict_gdal,
    sidecars,
)
from terraseek.scenes.limits import MAX_BLOCK_BYTES, SceneLimits

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

__all__ = ["decoding", "gdal_settings", "open_dataset"]

_PNG = b"\x89PNG\r\n\x1a\n"
_MAGIC = {
    _PNG: "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"II+\x00": "BigTIFF",
    b"MM\x00+": "BigTIFF",
    b"RIFF": "WebP",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"\x00\x00\x00\x0cjP": "JPEG 2000",
}
_MAY_NAME_OTHERS = (
    "which may take its pixels from other files; convert it with: gdal_translate -of COG IN OUT"
)
_CONTAINERS = {
    b"<VRTDataset": "a GDAL VRT, which names other files; convert it with gdal_translate",
    b"<GDAL_WMS": "a GDAL WMS description, which names a server; save its picture as GeoTIFF",
    b"<WMS_": "a GDAL WMS description, which names a server; save its picture as GeoTIFF",
    b"EHFA_HEADER_TAG": f"an Erdas Imagine file, {_MAY_NAME_OTHERS}",
    b"NITF0": f"a NITF file, {_MAY_NAME_OTHERS}",
    b"NSIF0": f"a NSIF file, {_MAY_NAME_OTHERS}",
    b"CDF": "a netCDF file; export one variable as GeoTIFF",
    b"\x89HDF": "an HDF5 file; export one variable as GeoTIFF",
    b"%PDF": "a PDF; export the page as PNG",
}

_logger = logging.getLogger(__name__)


def gdal_settings() -> dict[str, Any]:
    """GDAL options every read here uses."""
    return {
        # a JPEG cut short would otherwise be filled up with grey and called good
        "GDAL_ERROR_ON_LIBJPEG_WARNING": "YES",
        # statistics beside somebody's file are a surprise, and the folder may be read-only
        "GDAL_PAM_ENABLED": "YES",
        # side-cars are asked for by name, in no other spelling than those `gdal_safety.sidecars`
        # looks for, and a folder of 100,000 pictures is not listed for each of them
        "GDAL_DISABLE_READDIR_ON_OPEN": "TRUE",
        "GDAL_CACHEMAX": 256,
    }


def open_dataset(path: Path, limits: SceneLimits) -> "DatasetReader":
    """Open `path` for reading; nothing is decoded yet.

    Raises:
        FileNotFoundError: there is no such file.
        EmptySceneError: the file has no bytes, or the raster no pixels.
        SceneTooLargeError: the file, its pixels or one of its strips is beyond the limits.
        NotAnImageError: no reader knows it.
        TruncatedImageError: it starts like an image and cannot be opened.
        UnsupportedSceneError: a container without an image of its own, complex numbers, or a file
            that takes overviews, a mask or pixels from elsewhere.
    """
    head = _check_bytes(path, limits)
    restrict_gdal()
    for side in sidecars(path):
        _check_sidecar(side)
    dataset = _open(path, head, READ_DRIVERS)
    try:
        refuse_references(dataset, path.name)
        _check_header(dataset, path, limits)
    except BaseException:
        dataset.close()
        raise
    return dataset


def _check_bytes(path: Path, limits: SceneLimits) -> bytes:
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    if not path.is_file():
        raise NotAnImageError(f"{path} is not a file; give one picture or raster")
    size = path.stat().st_size
    if size == 0:
        raise EmptySceneError(f"{path.name} has no bytes; the download or copy may have failed")
    limits.check_file(path, size)
    with path.open("rb") as source:
        head = source.read(64)
    for start, what in _CONTAINERS.items():
        if head.lstrip().startswith(start):
            raise UnsupportedSceneError(f"{path.name} is {what}")
    if head.startswith(_PNG) and not _png_is_whole(path, size):
        raise TruncatedImageError(
            f"{path.name} is a PNG cut short or damaged: its end is missing; "
            "copy or download it again"
        )
    return head


def _png_is_whole(path: Path, size: int) -> bool:
    """Whether the chunks lead to the end mark; GDAL gives a cut PNG out as if it were whole."""
    position = len(_PNG)
    with path.open("rb") as source:
        while position + 12 <= size:
            source.seek(position)
            length, kind = struct.unpack(">I4s", source.read(8))
            if kind == b"IEND":
                return True
            position += 12 + length
    return False


def _check_sidecar(path: Path) -> None:
    """Refuse overviews and masks beside a raster that are no GeoTIFF, or name others in turn."""
    try:
        with _open(path, b"", ("GTiff",)) as side:
            refuse_references(side, path.name)
    except NotAnImageError as error:
        raise UnsupportedSceneError(
            f"{path.name}, which lies beside the picture, is no GeoTIFF; remove it or make it anew "
            "with gdaladdo"
        ) from error


def _open(path: Path, head: bytes, drivers: tuple[str, ...]) -> "DatasetReader":
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioIOError
    from rasterio.io import DatasetReader

    try:
        with rasterio.Env(**gdal_settings()), warnings.catch_warnings():
            # an image without a CRS is a first-class scene here, in pixel space
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            # rasterio.open takes one driver only
            # an absolute path cannot be taken for an address or an archive
            return DatasetReader(str(path.absolute()), driver=list(drivers))
    except RasterioIOError as error:
        kind = next((name for start, name in _MAGIC.items() if head.startswith(start)), None)
        if kind is None:
            raise NotAnImageError(
                f"{path.name} is no picture or raster that can be read; "
                "give a GeoTIFF, PNG, JPEG, WebP or JPEG 2000 file"
            ) from error
        raise TruncatedImageError(
            f"{path.name} starts like a {kind} file but cannot be opened, it is cut short or "
            f"damaged ({_reason(error)}); copy or download it again"
        ) from error


def _check_header(dataset: "DatasetReader", path: Path, limits: SceneLimits) -> None:
    if dataset.count == 0:
        parts = f" ({len(dataset.subdatasets)} sub-datasets)" if dataset.subdatasets else ""
        raise UnsupportedSceneError(
            f"{path.name} holds no bands of its own{parts}; export the one you mean as GeoTIFF"
        )
    if dataset.width == 0 or dataset.height == 0:
        raise EmptySceneError(f"{path.name} has {dataset.width} x {dataset.height} pixels")
    limits.check_pixels(path, dataset.width, dataset.height)
    if any(dtype.startswith("complex") for dtype in dataset.dtypes):
        raise UnsupportedSceneError(
            f"{path.name} holds complex numbers ({dataset.dtypes[0]}), not a picture; "
            "convert it to amplitude first"
        )
    rows, cols = dataset.block_shapes[0]
    block = rows * cols * (dataset.count if dataset.interleaving else 1) * 8
    if block > 8 * MAX_BLOCK_BYTES:
        raise SceneTooLargeError(
            f"{path.name} is stored as pieces of {cols:,} x {rows:,} pixels that must be decoded "
            "whole; store it in tiles, for example with: rio cogeo create IN OUT"
        )


@contextmanager
def decoding(name: str) -> Iterator[None]:
    """Settings for reads, and GDAL's failures in the block become `TruncatedImageError`.

    Raises:
        TruncatedImageError: the pixels could not be decoded.
    """
    restrict_gdal()
    import rasterio
    from rasterio.errors import RasterioIOError

    try:
        with rasterio.Env(**gdal_settings()):
            yield
    except RasterioIOError as error:
        raise TruncatedImageError(
            f"{name} could not be decoded, it is cut short or damaged ({_reason(error)}); "
            "copy or download it again"
        ) from error


def _reason(error: BaseException) -> str:
    """GDAL's own words, found at the end of rasterio's chain of causes."""
    last: BaseException = error
    while last.__cause__ is not None:
        last = last.__cause__
    return " ".join(str(last).split())[:160]
