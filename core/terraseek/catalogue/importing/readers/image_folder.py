"""Images in folders or a tar; if every image is in a folder of its class, with labels."""

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath

from terraseek.catalogue.importing.dataset_folders import read_folders, without_masks
from terraseek.catalogue.importing.lookup import unread_images, unusable_links, walk_images
from terraseek.catalogue.importing.readers.reader import OpenedSource, Reader
from terraseek.catalogue.records import IMAGE_SUFFIXES, Broken, ImageRef, Record, Records
from terraseek.catalogue.tars import members
from terraseek.errors import SourceError

__all__ = ["CLASSES", "FOLDER", "has_classes", "read_folder", "read_tar"]

_MAX_NAMES = 100_000


def has_classes(names: Sequence[str]) -> bool:
    """Whether image paths (with `/`) are sorted into two or more class folders at one depth.

    Folders like `train`, `images` and `masks` are no classes, see `dataset_folders`.
    """
    classes = [meaning.classes for meaning in read_folders(without_masks(names)[0])]
    depths = {len(parts) for parts in classes}
    return len(set(classes)) > 1 and len(depths) == 1 and depths != {0}


def read_folder(folder: Path, labels: bool) -> Records:
    """Read all images below a folder, or one image file; masks of other images are left out.

    Args:
        folder: the folder, or the image.
        labels: whether the name of an image's class folder is its label.
    """
    if folder.is_file():
        yield Record(folder.name, ImageRef(folder.resolve()), {"img_name": folder.name})
        return
    yield from unusable_links(folder)
    yield from unread_images(folder)
    names = [path.relative_to(folder).as_posix() for path in walk_images(folder)]
    yield from _records(((n, ImageRef((folder / n).resolve())) for n in names), labels)


def read_tar(tar: Path, labels: bool | None) -> Records:
    """Read all images in a tar; `labels` None decides by `has_classes` whether there are labels."""
    found: list[tuple[str, ImageRef]] = []
    for member in members(tar):
        if isinstance(member, Broken):
            yield member
        elif PurePosixPath(member.name).suffix.lower() in IMAGE_SUFFIXES:
            found.append((member.name, ImageRef(tar, member.offset, member.size, member.name)))
    labelled = has_classes([name for name, _ in found]) if labels is None else labels
    yield from _records(found, labelled)


def _records(found: Iterable[tuple[str, ImageRef]], labels: bool) -> Records:
    refs = list(found)
    kept, masks = without_masks([name for name, _ in refs])
    if masks.count:
        yield masks
    images = set(kept)
    refs = [(name, ref) for name, ref in refs if name in images]
    meanings = read_folders([name for name, _ in refs])
    for (name, ref), meaning in zip(refs, meanings, strict=True):
        columns = {"img_name": name}
        if labels and meaning.classes:
            columns["label"] = meaning.classes[-1]
        if meaning.split:
            columns["split"] = meaning.split
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
