"""What the folders of a data set mean: classes, splits, images, masks.

`train`, `val`, `images`, `masks` and similar names are no classes. A mask is no image of its own if
the image it belongs to is in the same source.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from terraseek.catalogue.records import Unused

__all__ = ["MASKS", "FolderMeaning", "read_folders", "without_masks"]

MASKS = "masks of images in the same source"
"""Reason for which an import leaves a file out."""

_SPLITS = {
    **dict.fromkeys(("train", "training", "trainval"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_IMAGES = frozenset(
    {"image", "images", "img", "imgs", "jpegimages", "picture", "pictures", "photo", "photos"}
    | {"data", "tile", "tiles", "chip", "chips", "patch", "patches"}
)
_MASKS = frozenset(
    {"mask", "masks", "label", "labels", "gt", "gts", "groundtruth", "ground", "truth", "lbl"}
    | {"annotation", "annotations", "seg", "segmentation", "segmentations", "segmentationclass"}
    | {"target", "targets"}
)
_FORMATS = frozenset({"png", "jpg", "jpeg", "tif", "tiff", "rgb", "x", "px"})
"""Words that say nothing beside another one: `images_png`, `masks_512x512`."""
_MASK_STEM = re.compile(
    r"^mask[-_ ]|[-_ .](mask|masks|label|labels|lbl|gt|seg|segmentation|annotation)$", re.IGNORECASE
)
_IMAGE_STEM = re.compile(r"[-_ .](sat|image|img|rgb|leftimg8bit)$", re.IGNORECASE)


class FolderMeaning(NamedTuple):
    """What the folders of one image say about it."""

    classes: tuple[str, ...]
    """Folders that may be classes, outermost first."""
    split: str
    """`train`, `val` or `test`; empty if no folder says so."""


def read_folders(names: Sequence[str]) -> list[FolderMeaning]:
    """Meaning of the folders of every image path (with `/`) of a source.

    `train` alone among folders that are classes (airplane, ship, train) is one of them.
    """
    siblings: dict[tuple[str, ...], set[str]] = defaultdict(set)
    paths = [PurePosixPath(name).parts[:-1] for name in names]
    for parts in set(paths):
        for depth, part in enumerate(parts):
            siblings[parts[:depth]].add(part)
    known: dict[tuple[str, ...], FolderMeaning] = {}
    for parts in set(paths):
        structural = [_is_structural(p, siblings[parts[:n]]) for n, p in enumerate(parts)]
        words = [w for p, skip in zip(parts, structural, strict=True) if skip for w in _words(p)]
        splits = [_SPLITS[word] for word in words if word in _SPLITS]
        classes = tuple(p for p, skip in zip(parts, structural, strict=True) if not skip)
        known[parts] = FolderMeaning(classes, splits[0] if splits else "")
    return [known[parts] for parts in paths]


def without_masks(names: Sequence[str]) -> tuple[list[str], Unused]:
    """Image paths without the masks of other images, and how many masks there are.

    Masks are in a folder of a usual name whose sibling folders have images of the same names, or
    beside their image with an ending like `_mask`.
    """
    paths = [PurePosixPath(name) for name in names]
    at = [next((n for n, p in enumerate(path.parts[:-1]) if _is_mask(p)), None) for path in paths]
    roots = {path.parts[:n] for path, n in zip(paths, at, strict=True) if n is not None}
    suspects = {path.parent.parts for path in paths if _MASK_STEM.search(path.stem)}
    stems: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for path, n in zip(paths, at, strict=True):
        if n is not None or _MASK_STEM.search(path.stem):
            continue
        parent = path.parent.parts
        for root in (parent[:depth] for depth in range(len(parent) + 1)):
            if root in roots or (root == parent and root in suspects):
                stems[root].add(_plain_stem(path))
    kept = []
    for name, path, n in zip(names, paths, at, strict=True):
        in_folder = n is not None and _plain_stem(path) in stems[path.parts[:n]]
        beside = _MASK_STEM.search(path.stem) and _plain_stem(path) in stems[path.parent.parts]
        if not (in_folder or beside):
            kept.append(name)
    return kept, Unused(MASKS, len(names) - len(kept))


def _words(folder: str) -> list[str]:
    return [word for word in re.findall(r"[a-z]+", folder.lower()) if word not in _FORMATS]


def _is_structural(folder: str, siblings: set[str]) -> bool:
    """Whether a folder's name describes the layout of the data set and not a class."""
    words = _words(folder)
    if not words or any(w not in _SPLITS and w not in _IMAGES and w not in _MASKS for w in words):
        return False
    others = siblings - {folder}
    return words != ["train"] or not others or any(_is_structural(o, {o}) for o in others)


def _is_mask(folder: str) -> bool:
    return _is_structural(folder, {folder}) and any(word in _MASKS for word in _words(folder))


def _plain_stem(path: PurePosixPath) -> str:
    """Name without suffix and without the ending that tells masks and images apart."""
    return _IMAGE_STEM.sub("", _MASK_STEM.sub("", path.stem)).lower()
