"""Encoded images by name, in a folder, a tar, or RS5M's webdataset shards."""

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
from terraseek.catalogue.importing.dataset_folders import read_folders, without_masks
from terraseek.catalogue.importing.readers.webdataset import read_shards
from terraseek.catalogue.records import Broken, ImageRef, Record
from terraseek.catalogue.tars import Member, members, read_range
from terraseek.errors import NotAnImageError, SourceError
from terraseek_train.data.sources.sample import Sample
from terraseek_train.data.sources.templates import concept_of

__all__ = [
    "ImageBytes",
    "class_folders",
    "decode",
    "open_images",
    "pair_images",
    "stored_name",
]

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}

_RS5M = {"img_content", "img_name", "caption", "input.image", "input.name", "input.caption"}
"""Suffixes of the members of RS5M's shards, and of those of its older release."""
_PEEK = 30
"""Members of a tar that are read to recognise a shard."""
_Entry = tuple[str, bytes | Path | ImageRef]
"""Class folder and image, or for a shard (ImageRef) caption and image."""
_log = logging.getLogger(__name__)


class ImageBytes:
    """Encoded images by name, each with its class folder; nothing is decoded."""

    def __init__(self, path: Path, entries: Mapping[str, _Entry]) -> None:
        self.path = path
        self._entries = entries
        self._by_stem = {PurePosixPath(name).stem: name for name in entries}

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def find(self, name: str) -> str | None:
        """Find an image by the name in a caption file, whose suffix may differ; None if absent."""
        plain = PurePosixPath(name).name
        for candidate in (name, plain):
            if candidate in self._entries:
                return candidate
        return self._by_stem.get(PurePosixPath(plain).stem)

    def folder(self, name: str) -> str:
        """Return the class folder of an image; for an image of a shard, its caption."""
        return self._entries[name][0]

    def sample(self, name: str) -> Sample:
        """Make the sample of an image, for sources without a caption file.

        The class folder is the label. An image of a shard has its caption, unless that only names
        a scene class (as a template made of a label does); then it is the label.
        """
        text, content = self._entries[name]
        if isinstance(content, ImageRef) and not concept_of(text):
            return Sample(name, (text,) if text else ())
        return Sample(name, (), text)

    def read(self, name: str) -> bytes:
        """Read the encoded image."""
        content = self._entries[name][1]
        if isinstance(content, ImageRef):
            return read_range(content.file, content.offset, content.size)
        return content if isinstance(content, bytes) else content.read_bytes()

    def image(self, name: str) -> UInt8[np.ndarray, "h w 3"]:
        """Decode the image to RGB.

        Raises:
            NotAnImageError: its bytes cannot be decoded.
        """
        return decode(self.read(name), name)


def decode(content: bytes, name: str) -> UInt8[np.ndarray, "h w 3"]:
    """Decode an image to RGB.

    Raises:
        NotAnImageError: the bytes cannot be decoded; the message contains `name`.
    """
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            return np.asarray(image.convert("RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise NotAnImageError(f"{name} cannot be decoded as an image: {error}") from error


def open_images(path: Path, keep_folders: bool = False) -> ImageBytes:
    """Open the images of a folder (with its subfolders), of a tar, or of RS5M shards.

    A tar of webdataset samples (both of RS5M's layouts, or images with a `.txt` each) is a shard;
    its images are named by their name members and stay on disk until they are read, and damaged
    samples are skipped with a warning. A folder of such tars is read shard by shard.

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
        raise SourceError(f"{path} holds no image ({', '.join(sorted(_SUFFIXES))})")
    return ImageBytes(path, entries)


def class_folders(paths: Iterable[str]) -> dict[str, str]:
    """Class folder of each image path (with `/`), empty without one; masks are left out.

    Folders such as `train` and `images` are no classes, see `dataset_folders`.
    """
    kept, _ = without_masks(list(paths))
    return {
        name: meaning.classes[-1] if meaning.classes else ""
        for name, meaning in zip(kept, read_folders(kept), strict=True)
    }


def stored_name(path: str, keep_folders: bool) -> str:
    """Name of the image at a path in a source: of its file, with its folder if asked for."""
    inside = PurePosixPath(path)
    folder = inside.parent.name
    return f"{folder}/{inside.name}" if keep_folders and folder else inside.name


def _from_folder(path: Path, keep: bool) -> Iterator[tuple[str, _Entry]]:
    files = (f for f in sorted(path.rglob("*")) if f.suffix.lower() in _SUFFIXES and f.is_file())
    for name, folder in class_folders(f.relative_to(path).as_posix() for f in files).items():
        yield stored_name(name, keep), (folder, path / name)


def _from_tar(path: Path, keep: bool) -> Iterator[tuple[str, _Entry]]:
    if _is_shard(path):
        yield from _from_shard(path)
        return
    try:
        with tarfile.open(path) as archive:
            images = {
                member.name: member
                for member in archive
                if member.isfile() and PurePosixPath(member.name).suffix.lower() in _SUFFIXES
            }
            for name, folder in class_folders(images).items():
                content = archive.extractfile(images[name])
                if content is not None:
                    yield stored_name(name, keep), (folder, content.read())
    except (tarfile.TarError, OSError, EOFError) as error:
        raise SourceError(f"{path} is not a readable tar: {error}") from error


def _is_shard(path: Path) -> bool:
    """Whether the first members are webdataset samples; a text beside class folders is not one."""
    suffixes: dict[str, set[str]] = {}
    try:
        for member in islice(members(path), _PEEK):
            if isinstance(member, Member):
                key, _, ending = member.name.rpartition("/")[2].partition(".")
                suffixes.setdefault(f"{member.name.rpartition('/')[0]}/{key}", set()).add(ending)
    except (SourceError, OSError):
        return False  # compressed, or not a tar
    return any(found & _RS5M or ("txt" in found and len(found) > 1) for found in suffixes.values())


def _from_shard(path: Path) -> Iterator[tuple[str, _Entry]]:
    for record in read_shards([path]):
        if isinstance(record, Broken):
            _log.warning("%s skipped: %s", record.member, record.reason)
        elif isinstance(record, Record) and record.image is not None:
            caption = str(record.columns.get("caption", ""))
            yield str(record.columns["img_name"]), (caption, record.image)


def pair_images(samples: Iterable[Sample], images: ImageBytes) -> list[tuple[Sample, str]]:
    """Pair samples with the stored name of their image.

    Raises:
        SourceError: the image of a sample is missing; the message has their number and the first.
    """
    pairs = [(sample, images.find(sample.image)) for sample in samples]
    missing = [sample.image for sample, name in pairs if name is None]
    if missing:
        raise SourceError(
            f"{len(missing)} of {len(pairs)} captioned images are not in {images.path}, "
            f"first {missing[0]}; check that images and captions belong together"
        )
    return [(sample, name) for sample, name in pairs if name is not None]
