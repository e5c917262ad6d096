"""Images in folders or a tar; where every image lies in a folder of its class, with labels."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from terraseek.catalogue.importing.lookup import OUTSIDE, links_out, walk_images
from terraseek.catalogue.records import IMAGE_SUFFIXES, Broken, ImageRef, Reading, Record
from terraseek.catalogue.tars import members

__all__ = ["has_classes", "read_folder", "read_tar"]


def has_classes(names: Iterable[str]) -> bool:
    """Whether image paths (with `/`) are sorted into two or more folders at one depth."""
    parents, depths = set(), set()
    for name in names:
        path = PurePosixPath(name)
        parents.add(path.parent)
        depths.add(len(path.parts))
    return len(parents) > 1 and len(depths) == 1 and depths != {1}


def read_folder(folder: Path, labels: bool) -> Reading:
    """Every image below a folder, or one image file; labels are the names of the folders."""
    paths = [folder] if folder.is_file() else walk_images(folder)
    base = folder.parent if folder.is_file() else folder
    if folder.is_dir():
        for path in links_out(folder):
            yield Broken(path.relative_to(base).as_posix(), f"it is a link that {OUTSIDE}")
    for path in paths:
        name = path.relative_to(base).as_posix()
        columns = {"img_name": name}
        if labels and path.parent != base:
            columns["label"] = path.parent.name
        yield Record(name, ImageRef(path.resolve()), columns)


def read_tar(tar: Path, labels: bool | None) -> Reading:
    """Every image in a tar; `labels` None finds out whether its folders are classes."""
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
