"""Images of a corpus that is larger than memory: left in their files, decoded when drawn.

A tar is read once for its headers; after that every image is a byte range that can be read in
any order. So a streamed source is shuffled as a whole, weighted and resumed like one in memory,
which sequential readers of shards cannot do. It wants a disk that seeks well (an SSD).
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
from terraseek.catalogue.records import IMAGE_SUFFIXES, Broken, ImageRef
from terraseek.catalogue.tars import members, read_range
from terraseek.errors import NotAnImageError, SourceError
from terraseek_train.data.sources.images import decode
from terraseek_train.data.sources.sample import Sample
from terraseek_train.data.sources.templates import concept_of

__all__ = ["StreamedImages", "decode_fast", "index_images"]

_log = logging.getLogger(__name__)
_LARGE = 40_000
"""Bytes from which it pays to look up a JPEG's size before decoding it."""


class StreamedImages:
    """Squares of encoded images by row; safe to ask from several threads."""

    def __init__(self, refs: Sequence[ImageRef], side: int) -> None:
        """Remember where the images are, at 20 bytes each.

        Args:
            refs: one a row.
            side: pixels; images of twice this and more are reduced to it.
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
        """The image's centre square, less than twice `side` pixels wide.

        One that cannot be decoded is plain grey and named in the log: among millions that costs
        nothing, while an error would end every attempt to resume at the same step.
        """
        try:
            return _square(decode_fast(self.encoded(row), self._name(row), self._side), self._side)
        except NotAnImageError as error:
            _log.warning("%s; a grey picture takes its place", error)
            return np.full((self._side, self._side, 3), 128, np.uint8)

    def encoded(self, row: int) -> bytes:
        """The image as it is stored."""
        file = self._files[self._file[row]]
        return read_range(file, int(self._offset[row]), int(self._size[row]))

    def _name(self, row: int) -> str:
        return f"{self._files[self._file[row]]} at byte {self._offset[row]}"


def decode_fast(content: bytes, name: str, side: int = 0) -> UInt8[np.ndarray, "h w 3"]:
    """RGB pixels of an encoded image, in half the time Pillow takes.

    Args:
        content: JPEG, PNG, WebP or whatever else OpenCV or, failing that, Pillow reads.
        name: for the error.
        side: a JPEG whose shorter side is at least twice this is decoded at half its size, a
            quarter or an eighth (DCT scaling), never below this; 0 decodes all of it.

    Raises:
        NotAnImageError: neither can decode it.
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
    if not side or len(content) < _LARGE or not content.startswith(b"\xff\xd8"):
        return int(cv2.IMREAD_COLOR)
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:  # reads the header only
            times = min(image.size) // side
    except (UnidentifiedImageError, OSError):
        return int(cv2.IMREAD_COLOR)
    for least, flag in (
        (8, cv2.IMREAD_REDUCED_COLOR_8),
        (4, cv2.IMREAD_REDUCED_COLOR_4),
        (2, cv2.IMREAD_REDUCED_COLOR_2),
    ):
        if times >= least:
            return int(flag)
    return int(cv2.IMREAD_COLOR)


def _square(image: UInt8[np.ndarray, "h w 3"], side: int) -> UInt8[np.ndarray, "s s 3"]:
    height, width = image.shape[:2]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    square = image[top : top + short, left : left + short]
    if short < 2 * side:  # a view of it is cut and reduced in one go
        return square
    return np.asarray(cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def index_images(path: Path, keep_folders: bool = False) -> dict[str, tuple[Sample, ImageRef]]:
    """Every image of a folder, tar or folder of tars by name: what is said of it, where it lies.

    An image of a webdataset shard (both of RS5M's layouts) has its caption, unless that is the
    name of a scene class; of any other one the class folder is the label. Damaged members are left
    out with a warning.

    Args:
        path: the folder or tar.
        keep_folders: name images `folder/file`, for class folders that repeat file names.

    Raises:
        SourceError: no such path, no tar, or no image inside.
    """
    if not path.exists():
        raise SourceError(f"there is no folder or tar at {path}")
    if path.is_file():
        found = list(_packed(path, keep_folders))
    else:
        files = sorted(file for file in path.rglob("*") if file.is_file())
        found = list(_loose(path, files, keep_folders))
        if not found:
            tars = [file for file in files if file.suffix == ".tar"]
            found = [entry for tar in tars for entry in _packed(tar, keep_folders)]
    if not found:
        raise SourceError(f"{path} holds no picture ({', '.join(sorted(IMAGE_SUFFIXES))})")
    return {sample.image: (sample, ref) for sample, ref in found}


def _loose(root: Path, files: Sequence[Path], keep: bool) -> Iterator[tuple[Sample, ImageRef]]:
    for file in files:
        if file.suffix.lower() in IMAGE_SUFFIXES:
            yield _in_folder(PurePosixPath(file.relative_to(root).as_posix()), keep), ImageRef(file)


def _packed(tar: Path, keep: bool) -> Iterator[tuple[Sample, ImageRef]]:
    if is_shard(tar):
        for record in read_shards([tar]):
            if isinstance(record, Broken):
                _log.warning("%s left out: %s", record.member, record.reason)
                continue
            if record.image is None:
                continue
            said = str(record.columns.get("caption", ""))
            named = str(record.columns["img_name"])
            if concept_of(said):
                yield Sample(named, (), said), record.image
            else:
                yield Sample(named, (said,) if said else ()), record.image
        return
    for member in members(tar):
        if isinstance(member, Broken):
            _log.warning("%s left out: %s", member.member, member.reason)
            continue
        inside = PurePosixPath(member.name)
        if inside.suffix.lower() in IMAGE_SUFFIXES:
            ref = ImageRef(tar, member.offset, member.size, member.name)
            yield _in_folder(inside, keep), ref


def _in_folder(inside: PurePosixPath, keep: bool) -> Sample:
    folder = inside.parent.name
    return Sample(f"{folder}/{inside.name}" if keep else inside.name, (), folder)
