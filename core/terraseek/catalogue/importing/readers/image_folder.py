"""Images in folders or a tar; if every image is in a folder of its class, with labels."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path, PurePosixPath

from terraseek.catalogue.importing.lookup import (
    OUTSIDE_SOURCE,
    links_leading_outside,
    walk_images,
)
from terraseek.catalogue.importing.readers.reader import OpenedSource, Reader
from terraseek.catalogue.records import IMAGE_SUFFIXES, Broken, ImageRef, Record, Records
from terraseek.catalogue.tars import members
from terraseek.errors import SourceError

__all__ = ["CLASSES", "FOLDER", "has_classes", "read_folder", "read_tar"]

_MAX_NAMES = 100_000


def has_classes(names: Iterable[str]) -> bool:
    """Whether image paths (with `/`) are sorted into two or more folders at one depth."""
    parents, depths = set(), set()
    for name in names:
        path = PurePosixPath(name)
        parents.add(path.parent)
        depths.add(len(path.parts))
    return len(parents) > 1 and len(depths) == 1 and depths != {1}


def read_folder(folder: Path, labels: bool) -> Records:
    """Read all images below a folder, or one image file.

    Args:
        folder: the folder, or the image.
        labels: whether the name of an image's folder is its label.
    """
    paths = [folder] if folder.is_file() else walk_images(folder)
    base = folder.parent if folder.is_file() else folder
    if folder.is_dir():
        for path in links_leading_outside(folder):
            yield Broken(path.relative_to(base).as_posix(), f"it is a link that {OUTSIDE_SOURCE}")
    for path in paths:
        name = path.relative_to(base).as_posix()
        columns = {"img_name": name}
        if labels and path.parent != base:
            columns["label"] = path.parent.name
        yield Record(name, ImageRef(path.resolve()), columns)


def read_tar(tar: Path, labels: bool | None) -> Records:
    """Read all images in a tar; `labels` None decides by `has_classes` whether there are labels."""
    found: list[tuple[str, ImageRef]] = []
    for member in members(tar):
        if isinstance(member, Broken):
            yield member
        elif PurePosixPath(member.name).suffix.lower() in IMAGE_SUFFIXES:
            found.append((member.name, ImageRef(tar, member.offset, member.size, member.name)))
    labelled = has_classes(name for name, _ in found) if labels is None else labels
    for name, ref in found:
        columns = {"img_name": name}
        if labelled and "/" in name:
            columns["label"] = PurePosixPath(name).parent.name
        yield Record(name, ref, columns)


def _is_class_folder(path: Path) -> bool:
    if path.is_file():
        return path.suffix.lower() == ".tar"
    names = [p.relative_to(path).as_posix() for p in islice(walk_images(path), _MAX_NAMES)]
    return has_classes(names) if names else len(list(path.glob("*.tar"))) == 1


def _is_image_folder(path: Path) -> bool:
    if path.is_file():
        return path.suffix.lower() in IMAGE_SUFFIXES
    return next(walk_images(path), None) is not None


def _open_classes(path: Path, images: Path | None) -> OpenedSource:
    if path.is_dir() and next(walk_images(path), None) is not None:
        return OpenedSource("classes", path.name, path, lambda: read_folder(path, labels=True))
    tars = sorted(path.glob("*.tar")) if path.is_dir() else [path]
    if len(tars) != 1:
        raise SourceError(f"{path} contains no images in class folders and no single tar of them")
    return OpenedSource("classes", tars[0].stem, tars[0], lambda: read_tar(tars[0], None))


def _open_folder(path: Path, images: Path | None) -> OpenedSource:
    return OpenedSource("folder", path.stem, path, lambda: read_folder(path, labels=False))


CLASSES = Reader("classes", _is_class_folder, _open_classes)
FOLDER = Reader("folder", _is_image_folder, _open_folder)
