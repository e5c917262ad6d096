"""Streamed images, for a corpus larger than memory: they stay in their files until drawn.

The headers of a tar are read once; after that every image is a byte range that can be read in any
order. So a streamed source is shuffled as a whole, weighted and resumed like one in memory, which
sequential readers of shards cannot do. It needs a disk with fast random access (an SSD).
"""

import logging
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from terraseek.catalogue.images import FORMATS
from terraseek.catalogue.importing.readers.webdataset import is_shard, read_shards
from terraseek.catalogue.records import IMAGE_SUFFIXES, Broken, ImageRef, Record
from terraseek.catalogue.tars import members, read_range
from terraseek.errors import NotAnImageError, SourceError
from terraseek_train.data.sources.images import class_folders, decode, stored_name
from terraseek_train.data.sources.sample import Sample
from terraseek_train.data.sources.templates import concept_of

__all__ = ["StreamedImages", "decode_fast", "index_images"]

_log = logging.getLogger(__name__)
_LARGE = 40_000
"""Bytes from which reading a JPEG's size before decoding it saves time."""


class StreamedImages:
    """Square images by row, decoded on access; safe to use from several threads."""

    def __init__(self, refs: Sequence[ImageRef], side: int) -> None:
        """Keep the positions of the images, at 20 bytes each.

        Args:
            refs: position of the image of each row.
            side: pixels; images of at least twice this side are reduced to it.
        """
        self._files = list(dict.fromkeys(ref.file for ref in refs))
        number = {file: k for k, file in enumerate(self._files)}
        self._file = np.array([number[ref.file] for ref in refs], np.int32)
        self._offset = np.array([ref.offset for ref in refs], np.int64)
        self._size = np.array([ref.size for ref in refs], np.int64)
        self._side = side

    def __len__(self) -> int:
        return len(self._file)

    def __getitem__(self, row: int) -> UInt8[np.ndarray, "s s 3"]:
        """Decode the centre square of an image, less than twice `side` pixels wide.

        An image that cannot be decoded becomes plain grey and is named in the log: among millions
        it costs nothing, while an error would end every attempt to resume at the same step.
        """
        try:
            return _square(decode_fast(self.encoded(row), self._name(row), self._side), self._side)
        except NotAnImageError as error:
            _log.warning("%s; replaced by a grey image", error)
            return np.full((self._side, self._side, 3), 128, np.uint8)

    def encoded(self, row: int) -> bytes:
        """Read the encoded bytes of an image."""
        file = self._files[self._file[row]]
        return read_range(file, int(self._offset[row]), int(self._size[row]))

    def _name(self, row: int) -> str:
        return f"{self._files[self._file[row]]} at byte {self._offset[row]}"


def decode_fast(content: bytes, name: str, side: int = 0) -> UInt8[np.ndarray, "h w 3"]:
    """Decode an image to RGB in half the time Pillow takes.

    Args:
        content: JPEG, PNG, WebP or any other format that OpenCV or Pillow reads.
        name: for the error message.
        side: a JPEG whose shorter side is at least twice this is decoded at a half, a quarter or
            an eighth of its size (DCT scaling), never below this; 0 decodes it in full.

    Raises:
        NotAnImageError: neither OpenCV nor Pillow can decode it.
    """
    flags = _reduction(content, side) | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        found = cv2.imdecode(np.frombuffer(content, np.uint8), flags) if content else None
    except cv2.error:  # a size OpenCV refuses
        found = None
    if found is None:
        return decode(content, name)
    return np.asarray(cv2.cvtColor(found, cv2.COLOR_BGR2RGB, dst=found), np.uint8)


def _reduction(content: bytes, side: int) -> int:
    """Choose OpenCV's flag for the size at which an image is decoded."""
    if not side or len(content) < _LARGE or not content.startswith(b"\xff\xd8"):
        return int(cv2.IMREAD_COLOR)
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:  # reads the header only
            ratio = min(image.size) // side
    except (UnidentifiedImageError, OSError):
        return int(cv2.IMREAD_COLOR)
    for least, flag in (
        (8, cv2.IMREAD_REDUCED_COLOR_8),
        (4, cv2.IMREAD_REDUCED_COLOR_4),
        (2, cv2.IMREAD_REDUCED_COLOR_2),
    ):
        if ratio >= least:
            return int(flag)
    return int(cv2.IMREAD_COLOR)


def _square(image: UInt8[np.ndarray, "h w 3"], side: int) -> UInt8[np.ndarray, "s s 3"]:
    height, width = image.shape[:2]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    square = image[top : top + short, left : left + short]
    if short < 2 * side:  # a view crops and reduces it in one step
        return square
    return np.asarray(cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def index_images(path: Path, keep_folders: bool = False) -> dict[str, tuple[Sample, ImageRef]]:
    """Index the images of a folder, a tar or a folder of tars: sample and position by name.

    An image of a webdataset shard (both of RS5M's layouts) has its caption, unless that only names
    a scene class; any other image has its class folder as label. Damaged members are skipped with
    a warning.

    Args:
        path: the folder or tar.
        keep_folders: name images `folder/file`, for class folders that repeat file names.

    Raises:
        SourceError: no such path, not a tar, or no image inside.
    """
    if not path.exists():
        raise SourceError(f"there is no folder or tar at {path}")
    if path.is_file():
        found = list(_images_of_tar(path, keep_folders))
    else:
        files = sorted(file for file in path.rglob("*") if file.is_file())
        found = list(_images_of_folder(path, files, keep_folders))
        if not found:
            tars = [file for file in files if file.suffix == ".tar"]
            found = [entry for tar in tars for entry in _images_of_tar(tar, keep_folders)]
    if not found:
        raise SourceError(f"{path} holds no image ({', '.join(sorted(IMAGE_SUFFIXES))})")
    return {sample.image: (sample, ref) for sample, ref in found}


def _images_of_folder(
    root: Path, files: Sequence[Path], keep_folders: bool
) -> Iterator[tuple[Sample, ImageRef]]:
    found = (f for f in files if f.suffix.lower() in IMAGE_SUFFIXES)
    for name, folder in class_folders(f.relative_to(root).as_posix() for f in found).items():
        yield Sample(stored_name(name, keep_folders), (), folder), ImageRef(root / name)


def _images_of_tar(tar: Path, keep_folders: bool) -> Iterator[tuple[Sample, ImageRef]]:
    if is_shard(tar):
        yield from _images_of_shard(tar)
        return
    images: dict[str, ImageRef] = {}
    for member in members(tar):
        if isinstance(member, Broken):
            _log.warning("%s skipped: %s", member.member, member.reason)
        elif PurePosixPath(member.name).suffix.lower() in IMAGE_SUFFIXES:
            images[member.name] = ImageRef(tar, member.offset, member.size, member.name)
    for name, folder in class_folders(images).items():
        yield Sample(stored_name(name, keep_folders), (), folder), images[name]


def _images_of_shard(shard: Path) -> Iterator[tuple[Sample, ImageRef]]:
    for record in read_shards([shard]):
        if isinstance(record, Broken):
            _log.warning("%s skipped: %s", record.member, record.reason)
        elif isinstance(record, Record) and record.image is not None:
            caption = str(record.columns.get("caption", ""))
            name = str(record.columns["img_name"])
            if concept_of(caption):
                yield Sample(name, (), caption), record.image
            else:
                yield Sample(name, (caption,) if caption else ()), record.image
