"""Opening of rasters with GDAL; every kind of failure has its own exception.

Only formats that contain their own pixels are opened (GeoTIFF, PNG, JPEG, WebP and others, see
`gdal_restrictions`), because a VRT, for example, can name any other file of this computer.
"""

import errno
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from terraseek.decoding import check_time, failure, guarded, quiet
from terraseek.errors import (
    EmptySceneError,
    NotAnImageError,
    SceneTooLargeError,
    TruncatedImageError,
    UnsupportedSceneError,
)
from terraseek.scenes.gdal_restrictions import (
    READ_DRIVERS,
    refuse_references,
    restrict_gdal,
    sidecars,
)
from terraseek.scenes.limits import (
    MAX_BLOCK_BYTES,
    MAX_SEQUENTIAL_BYTES,
    SEQUENTIAL_DRIVERS,
    SceneLimits,
)
from terraseek.scenes.tiff_blocks import missing_bytes

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

__all__ = [
    "VERIFIED_MAGIC",
    "decode_once",
    "decoding",
    "gdal_settings",
    "open_dataset",
    "verify_bytes",
]

_MAX_VERIFIED_AT_ONCE = 1 << 28
"""Bytes of pixels that `decode_once` has in memory."""
_PNG = b"\x89PNG\r\n\x1a\n"
VERIFIED_MAGIC = (b"\xff\xd8\xff", _PNG)
"""First bytes of JPEG and PNG files, which GDAL checks."""
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
_CAN_NAME_OTHER_FILES = (
    "which can take its pixels from other files; convert it with: gdal_translate -of COG IN OUT"
)
_UNSUPPORTED_FORMATS = {
    b"<VRTDataset": "a GDAL VRT, which names other files; convert it with gdal_translate",
    b"<GDAL_WMS": "a GDAL WMS description, which names a server; save its image as GeoTIFF",
    b"<WMS_": "a GDAL WMS description, which names a server; save its image as GeoTIFF",
    b"EHFA_HEADER_TAG": f"an Erdas Imagine file, {_CAN_NAME_OTHER_FILES}",
    b"NITF0": f"a NITF file, {_CAN_NAME_OTHER_FILES}",
    b"NSIF0": f"a NSIF file, {_CAN_NAME_OTHER_FILES}",
    b"CDF": "a netCDF file; export one variable as GeoTIFF",
    b"\x89HDF": "an HDF5 file; export one variable as GeoTIFF",
    b"%PDF": "a PDF; export the page as PNG",
}


def gdal_settings() -> dict[str, Any]:
    """GDAL options of every read."""
    return {
        # otherwise a truncated JPEG is filled with grey without an error
        "GDAL_ERROR_ON_LIBJPEG_WARNING": "YES",
        # read the `.aux.xml` of a raster; Scene never writes one
        "GDAL_PAM_ENABLED": "YES",
        # sidecars are opened only under the names that `gdal_restrictions.sidecars` checks, and a
        # folder of 100,000 images is not listed for each image
        "GDAL_DISABLE_READDIR_ON_OPEN": "TRUE",
        "GDAL_CACHEMAX": 256,
    }


def open_dataset(path: Path, limits: SceneLimits) -> "DatasetReader":
    """Open `path` for reading; nothing is decoded yet.

    Raises:
        FileNotFoundError: there is no such file.
        EmptySceneError: the file has no bytes, or the raster has no pixels.
        SceneTooLargeError: the file, its pixels or one of its strips exceeds the limits.
        NotAnImageError: the format is not recognised.
        TruncatedImageError: it starts like an image but cannot be opened.
        UnsupportedSceneError: the format contains no image or is not allowed, the values are
            complex numbers, or the file takes overviews, a mask or pixels from other files.
    """
    head = _check_bytes(path, limits)
    restrict_gdal()
    for sidecar in sidecars(path):
        _check_sidecar(sidecar)
    with guarded(path.name):
        dataset = _open(path, head, READ_DRIVERS)
        _read_exif(dataset)
    try:
        with guarded(path.name):
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
        raise NotAnImageError(f"{path} is not a file; give one image or raster")
    size = path.stat().st_size
    if size == 0:
        raise EmptySceneError(f"{path.name} has no bytes; the download or copy may have failed")
    limits.check_file(path, size)
    with path.open("rb") as source:
        head = source.read(64)
    for start, description in _UNSUPPORTED_FORMATS.items():
        if head.lstrip().startswith(start):
            raise UnsupportedSceneError(f"{path.name} is {description}")
    if head.startswith(_PNG) and not _png_is_complete(path, size):
        raise TruncatedImageError(
            f"{path.name} is a PNG cut short or damaged: its end is missing; "
            "copy or download it again"
        )
    return head


def _png_is_complete(path: Path, size: int) -> bool:
    """Whether the chunks lead to the end marker; GDAL reads a truncated PNG without an error."""
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
    """Refuse an overview or mask file that is not a GeoTIFF, or that names other files."""
    try:
        with _open(path, b"", ("GTiff",)) as sidecar:
            refuse_references(sidecar, path.name)
    except NotAnImageError as error:
        raise UnsupportedSceneError(
            f"{path.name}, a sidecar of the image, is not a GeoTIFF; remove it or make it again "
            "with gdaladdo"
        ) from error


def _open(path: Path, head: bytes, drivers: tuple[str, ...]) -> "DatasetReader":
    import rasterio
    from rasterio.errors import RasterioIOError
    from rasterio.io import DatasetReader

    try:
        # an image without a CRS, of which rasterio warns, is a valid scene in pixel space
        with rasterio.Env(**gdal_settings()), quiet:
            # rasterio.open takes one driver only; an absolute path cannot be mistaken for an
            # address or an archive
            return DatasetReader(str(path.absolute()), driver=list(drivers))
    except RasterioIOError as error:
        kind = next((name for start, name in _MAGIC.items() if head.startswith(start)), None)
        if kind is None:
            raise NotAnImageError(
                f"{path.name} is not an image or raster that can be read; "
                "give a GeoTIFF, PNG, JPEG, WebP or JPEG 2000 file"
            ) from error
        raise failure(f"{path.name} ({kind})", error) from error


def _read_exif(dataset: "DatasetReader") -> None:
    """Make GDAL read the EXIF, which it does once; damaged EXIF does not concern the pixels."""
    if dataset.driver in ("JPEG", "PNG", "WEBP"):
        for read in (dataset.tags, lambda: dataset.colorinterp):
            with suppress(Exception):  # GDAL's errors have no public base class
                read()


def _check_header(dataset: "DatasetReader", path: Path, limits: SceneLimits) -> None:
    if dataset.count == 0:
        parts = f" ({len(dataset.subdatasets)} sub-datasets)" if dataset.subdatasets else ""
        raise UnsupportedSceneError(
            f"{path.name} contains no bands of its own{parts}; export one sub-dataset as GeoTIFF"
        )
    if dataset.width == 0 or dataset.height == 0:
        raise EmptySceneError(f"{path.name} has {dataset.width} x {dataset.height} pixels")
    limits.check_pixels(path, dataset.width, dataset.height)
    if any(dtype.startswith("complex") for dtype in dataset.dtypes):
        raise UnsupportedSceneError(
            f"{path.name} contains complex numbers ({dataset.dtypes[0]}), not an image; "
            "convert it to amplitude first"
        )
    _check_decoded_bytes(dataset, path)
    missing = missing_bytes(dataset, path)
    if missing:
        raise TruncatedImageError(
            f"{path.name} is a TIFF cut short or damaged: {missing:,} bytes at its end are "
            "missing; copy or download it again"
        )


def _check_decoded_bytes(dataset: "DatasetReader", path: Path) -> None:
    rows, cols = dataset.block_shapes[0]
    pixel_bytes = dataset.count * np.dtype(dataset.dtypes[0]).itemsize
    decoded = dataset.width * dataset.height * pixel_bytes
    if dataset.driver in SEQUENTIAL_DRIVERS and decoded > MAX_SEQUENTIAL_BYTES:
        raise SceneTooLargeError(
            f"{path.name} has {decoded / 1e6:,.0f} MB of pixels, the limit for a {dataset.driver}, "
            f"which must be decoded from its first row, is {MAX_SEQUENTIAL_BYTES / 1e6:,.0f} MB; "
            "store it in tiles, for example with: rio cogeo create IN OUT"
        )
    separate = dataset.interleaving is not None and dataset.interleaving.name == "band"
    if rows * cols * (pixel_bytes // dataset.count if separate else pixel_bytes) > MAX_BLOCK_BYTES:
        raise SceneTooLargeError(
            f"{path.name} is stored in blocks of {cols:,} x {rows:,} pixels, which must be decoded "
            "as a whole; store it in tiles, for example with: rio cogeo create IN OUT"
        )


def verify_bytes(data: bytes, name: str) -> None:
    """Decode a JPEG or PNG with GDAL, and ignore other formats.

    Pillow fills damaged parts of a JPEG with grey and does not compare the checksum of a PNG's
    pixels. An image that is accepted as an item must also be one as a scene, and the reverse.

    Raises:
        TruncatedImageError: it is damaged.
    """
    from rasterio.io import MemoryFile

    if not data.startswith(VERIFIED_MAGIC):
        return
    with (
        decoding(name),
        quiet,
        MemoryFile(data) as memory,
        memory.open(driver=["JPEG", "PNG"]) as dataset,
    ):
        _read_exif(dataset)
        decode_once(dataset, name)


def decode_once(dataset: "DatasetReader", name: str) -> None:
    """Decode all pixels, and forget them.

    A JPEG is decoded at an eighth of its size, which reads all of its bytes in half the time.

    Raises:
        TruncatedImageError: it is damaged.
    """
    scale = 8 if dataset.driver == "JPEG" else 1
    rows = max(1, _MAX_VERIFIED_AT_ONCE // (dataset.width * dataset.count))
    with decoding(name):
        for row in range(0, dataset.height, rows):
            check_time()
            height = min(rows, dataset.height - row)
            shape = (dataset.count, -(-height // scale), -(-dataset.width // scale))
            dataset.read(window=((row, row + height), (0, dataset.width)), out_shape=shape)


@contextmanager
def decoding(name: str) -> Iterator[None]:
    """Apply the GDAL options of reads, and convert every error to one of a `SceneError`.

    Raises:
        TruncatedImageError: the pixels cannot be decoded.
        UnsupportedSceneError: this build lacks the codec.
    """
    restrict_gdal()
    import rasterio

    with guarded(name), rasterio.Env(**gdal_settings()):
        yield
