"""Where images are kept: a folder, a tar, or RS5M's webdataset shards; read by name."""

import logging
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from itertools import islice
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from terraseek.catalogue.images import FORMATS
from terraseek.catalogue.importing.readers.webdataset import read_shards
from terraseek.catalogue.records import Broken, ImageRef
from terraseek.catalogue.tars import Member, members, read_range
from terraseek.errors import NotAnImageError, SourceError
from terraseek_train.data.sources.sample import Sample
from terraseek_train.data.sources.templates import concept_of

__all__ = ["ImageBytes", "decode", "open_images", "pair_images"]

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}

_RS5M = {"img_content", "img_name", "caption", "input.image", "input.name", "input.caption"}
"""Endings of the members of RS5M's shards, and of its older release's."""
_PEEK = 30
_Entry = tuple[str, bytes | Path | ImageRef]
"""Folder or caption, and the encoded image or where it is; an ImageRef is that of a shard."""
_log = logging.getLogger(__name__)


class ImageBytes:
    """Encoded images by name, with the folder each lies in, without decoding any."""

    def __init__(self, path: Path, entries: Mapping[str, _Entry]) -> None:
        self.path = path
        self._entries = entries
        self._by_stem = {PurePosixPath(name).stem: name for name in entries}

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def find(self, name: str) -> str | None:
        """The stored name for a caption file's name, whose suffix may differ; None if absent."""
        plain = PurePosixPath(name).name
        for candidate in (name, plain):
            if candidate in self._entries:
                return candidate
        return self._by_stem.get(PurePosixPath(plain).stem)

    def folder(self, name: str) -> str:
        """The class folder the image lies in; for an image of a shard, its caption."""
        return self._entries[name][0]

    def sample(self, name: str) -> Sample:
        """What the source itself says of an image, for sources without a caption file.

        The class folder is its label. A shard's caption is its caption, unless it only words a
        scene class (as templates made of labels do); then it is the label.
        """
        said, content = self._entries[name]
        if isinstance(content, ImageRef) and not concept_of(said):
            return Sample(name, (said,) if said else ())
        return Sample(name, (), said)

    def read(self, name: str) -> bytes:
        """The encoded image."""
        content = self._entries[name][1]
        if isinstance(content, ImageRef):
            return read_range(content.file, content.offset, content.size)
        return content if isinstance(content, bytes) else content.read_bytes()

    def image(self, name: str) -> UInt8[np.ndarray, "h w 3"]:
        """The image as RGB.

        Raises:
            NotAnImageError: its bytes cannot be decoded.
        """
        return decode(self.read(name), name)


def decode(content: bytes, name: str) -> UInt8[np.ndarray, "h w 3"]:
    """RGB pixels of an encoded image.

    Raises:
        NotAnImageError: the bytes cannot be decoded; the message carries `name`.
    """
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            return np.asarray(image.convert("RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise NotAnImageError(f"{name} cannot be decoded as a picture: {error}") from error


def open_images(path: Path, keep_folders: bool = False) -> ImageBytes:
    """Images of a folder (searched to any depth), of a tar, or of RS5M shards.

    A tar of webdataset samples (both of RS5M's layouts, or images with a `.txt` each) is a
    shard; its images are named by their name members and stay on disk until they are read, and
    damaged samples are left out with a warning. A folder holding such tars is read shard by shard.

    Args:
        path: the folder or tar.
        keep_folders: name images `folder/file`, for class folders that repeat file names.

    Raises:
        SourceError: no such path, an unreadable tar, or no image inside.
    """
    if path.is_dir():
        entries: dict[str, _Entry] = dict(_from_folder(path, keep_folders))
        if not entries:
            for shard in sorted(path.glob("*.tar")):
                entries.update(_from_tar(shard, keep_folders))
    elif path.is_file():
        entries = dict(_from_tar(path, keep_folders))
    else:
        raise SourceError(f"there is no folder or tar at {path}")
    if not entries:
        raise SourceError(f"{path} holds no picture ({', '.join(sorted(_SUFFIXES))})")
    return ImageBytes(path, entries)


def _named(inside: PurePosixPath, keep_folders: bool) -> tuple[str, str]:
    folder = inside.parent.name
    return (f"{folder}/{inside.name}" if keep_folders and folder else inside.name), folder


def _from_folder(path: Path, keep: bool) -> Iterator[tuple[str, _Entry]]:
    for file in sorted(path.rglob("*")):
        if file.suffix.lower() in _SUFFIXES and file.is_file():
            name, folder = _named(PurePosixPath(file.relative_to(path).as_posix()), keep)
            yield name, (folder, file)


def _from_tar(path: Path, keep: bool) -> Iterator[tuple[str, _Entry]]:
    if _is_shard(path):
        yield from _from_shard(path)
        return
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                inside = PurePosixPath(member.name)
                content = archive.extractfile(member) if member.isfile() else None
                if content is not None and inside.suffix.lower() in _SUFFIXES:
                    name, folder = _named(inside, keep)
                    yield name, (folder, content.read())
    except (tarfile.TarError, OSError, EOFError) as error:
        raise SourceError(f"{path} is no readable tar: {error}") from error


def _is_shard(path: Path) -> bool:
    """Whether the first members are webdataset samples; a text beside class folders is none."""
    parts: dict[str, set[str]] = {}
    try:
        for member in islice(members(path), _PEEK):
            if isinstance(member, Member):
                key, _, ending = member.name.rpartition("/")[2].partition(".")
                parts.setdefault(f"{member.name.rpartition('/')[0]}/{key}", set()).add(ending)
    except (SourceError, OSError):
        return False  # compressed, or no tar at all
    return any(found & _RS5M or ("txt" in found and len(found) > 1) for found in parts.values())


def _from_shard(path: Path) -> Iterator[tuple[str, _Entry]]:
    for record in read_shards([path]):
        if isinstance(record, Broken):
            _log.warning("%s left out: %s", record.member, record.reason)
        elif record.image is not None:
            caption = str(record.columns.get("caption", ""))
            yield str(record.columns["img_name"]), (caption, record.image)


def pair_images(samples: Iterable[Sample], images: ImageBytes) -> list[tuple[Sample, str]]:
    """Samples with the stored name of their image.

    Raises:
        SourceError: a sample's image is missing; the message counts and names the first.
    """
    pairs = [(sample, images.find(sample.image)) for sample in samples]
    missing = [sample.image for sample, name in pairs if name is None]
    if missing:
        raise SourceError(
            f"{len(missing)} of {len(pairs)} captioned pictures are not in {images.path}, "
            f"first {missing[0]}; check that images and captions belong together"
        )
    return [(sample, name) for sample, name in pairs if name is not None]
