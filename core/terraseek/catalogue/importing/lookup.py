"""Lookup of the images that a table names, as files or in tars beside it."""

import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from terraseek.catalogue.importing.dataset_folders import without_masks
from terraseek.catalogue.records import IMAGE_SUFFIXES, Broken, ImageRef, Unused
from terraseek.catalogue.tars import Member, members
from terraseek.errors import SourceError

__all__ = [
    "OUTSIDE_SOURCE",
    "ImageLookup",
    "is_inside",
    "unread_images",
    "unusable_links",
    "walk_images",
]

OUTSIDE_SOURCE = (
    "lies outside of the source; import the folder that holds both, or name it with --images"
)
"""Reason for refusing an image outside of the source that a table, a STAC item or a link names: the
author of a source must not be able to choose which files of this computer are shown."""


_OTHER_IMAGES = frozenset(
    f".{name}"
    for name in (
        *("avif", "cr2", "dds", "dng", "ecw", "eps", "hdr", "heic", "heif", "ico", "img", "j2k"),
        *("jls", "jpx", "jxl", "lbl", "mrf", "nc", "nef", "nitf", "ntf", "pcx", "pgm", "ppm"),
        *("psd", "sid", "svg", "tga", "vrt", "xcf"),
    )
)
"""Suffixes of images of formats that are not read."""
_IMAGE_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"II*\0", b"MM\0*", b"RIFF")
_MAX_FOLLOWED = 1000
"""Links to folders that are followed: a few that lead to each other make millions of paths."""


def is_inside(path: Path, *folders: Path) -> bool:
    """Whether a file is in one of the folders, after links and `..` are resolved."""
    real = Path(os.path.realpath(path))  # unlike `resolve`, it does not raise for links in a circle
    return any(real.is_relative_to(os.path.realpath(folder)) for folder in folders)


def unusable_links(folder: Path) -> Iterator[Broken]:
    """Links below a folder that lead to images or folders outside of it, or to nothing.

    Of the latter, those that are named like a folder or an image.
    """
    for path in sorted(path for path in folder.rglob("*") if path.is_symlink()):
        is_image = path.suffix.lower() in IMAGE_SUFFIXES
        missing = not path.exists()
        name = path.relative_to(folder).as_posix()
        if missing and (is_image or not path.suffix):
            yield Broken(name, f"it is a link to what does not exist: {os.readlink(path)}")
        elif not missing and (is_image or path.is_dir()) and not is_inside(path, folder):
            yield Broken(name, f"it is a link that {OUTSIDE_SOURCE}")


def walk_images(folder: Path) -> Iterator[Path]:
    """Files below `folder` with the suffix of an image, sorted, without hidden ones.

    Links to files and folders are followed inside of the folder; those that lead outside of it are
    skipped, see `unusable_links`.
    """
    yield from sorted(
        path
        for path in _walk(folder, folder, (Path(os.path.realpath(folder)),), [])
        if path.suffix.lower() in IMAGE_SUFFIXES
    )


def unread_images(folder: Path) -> Iterator[Unused]:
    """Files below a folder that are images, but not of a format and name that is read."""
    found: Counter[str] = Counter()
    for path in _walk(folder, folder, (Path(os.path.realpath(folder)),), []):
        suffix = path.suffix.lower()
        if suffix in _OTHER_IMAGES:
            found[f"{suffix} files, a format that is not read"] += 1
        elif not suffix and _starts_like_an_image(path):
            found["images whose name has no suffix"] += 1
    yield from (Unused(what, count) for what, count in found.items())


def _starts_like_an_image(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(8).startswith(_IMAGE_STARTS)
    except OSError:
        return False


def _walk(
    folder: Path, root: Path, above: tuple[Path, ...], followed: list[Path]
) -> Iterator[Path]:
    """Files in a folder, its subfolders, and in linked folders inside of `root`.

    `above` are the real paths of the folders that lead here, in which a link would never end;
    `followed` collects the links to folders.
    """
    with suppress(PermissionError), os.scandir(folder) as entries:
        for entry in entries:
            path = folder / entry.name
            is_link = entry.is_symlink()
            if entry.name.startswith(".") or (is_link and not is_inside(path, root)):
                continue
            if path.is_file() if is_link else entry.is_file():
                yield path
            elif path.is_dir() if is_link else entry.is_dir():
                real = Path(os.path.realpath(path)) if is_link else above[-1] / entry.name
                if real in above:
                    continue
                followed += [path] * is_link
                if len(followed) > _MAX_FOLLOWED:
                    raise SourceError(
                        f"{root} has more than {_MAX_FOLLOWED:,} links to its own folders, such as "
                        f"{path.relative_to(root)}; import the folders that they lead to"
                    )
                yield from _walk(path, root, (*above, real), followed)


class ImageLookup:
    """Finds images by the names in a table: a path, a path below the folder, or a file name.

    If a name is not the path of a file, the folder and the tars in it are listed, once. If several
    of them contain that name, the one with most of the table's names is used (RSICD's captions are
    beside two tars with common names). A file name that occurs twice in one of them is ambiguous
    and not found there.
    """

    def __init__(self, base: Path, images: Path | None, wanted: Iterable[str]) -> None:
        """Search `base`, the folder of the table, and `images`, a folder or a tar.

        Raises:
            SourceError: `images` does not exist.
        """
        if images is not None and not images.exists():
            raise SourceError(f"no such folder or tar of images: {images}")
        self._root = images or base
        self._folders = [base] if images is None else [images, base]
        self._allowed = [folder for folder in self._folders if folder.is_dir()]
        self._wanted = {_file_name(name) for name in wanted}
        self._index: dict[str, ImageRef] | None = None
        self._folded: dict[str, ImageRef | None] = {}

    def find(self, name: str) -> ImageRef | None:
        """Location of the image `name`, or None."""
        if not name:
            return None
        for spelling in dict.fromkeys((name, name.replace("\\", "/"))):
            for folder in self._folders:
                path = folder / spelling
                if folder.is_dir() and path.is_file() and is_inside(path, *self._allowed):
                    return ImageRef(path.resolve())
        if self._index is None:
            self._index = self._list()
            self._folded = _folded_names(self._index)
        found = self._index.get(name) or self._index.get(_file_name(name))
        return found or self._folded.get(_fold(name)) or self._folded.get(_fold(_file_name(name)))

    def missing_reason(self, name: str) -> str:
        """Explain why `find` returned None for a name."""
        if not name:
            return "it names no image"
        if any((folder / name).is_file() for folder in self._allowed):
            return f"the image {name!r} {OUTSIDE_SOURCE}"
        return f"no image {name!r} beside the table"

    def _list(self) -> dict[str, ImageRef]:
        places = [_tar_names(self._root)] if self._root.is_file() else self._folder_names()
        places.sort(key=lambda names: -len(self._wanted & names.keys()))
        index: dict[str, ImageRef] = {}
        for names in places:
            for name, ref in names.items():
                if ref is not None:
                    index.setdefault(name, ref)
        return index

    def _folder_names(self) -> list[dict[str, ImageRef | None]]:
        root = self._root
        loose = [(p.relative_to(root).as_posix(), ImageRef(p.resolve())) for p in walk_images(root)]
        return [_names(loose), *(_tar_names(tar) for tar in sorted(root.glob("*.tar")))]


def _tar_names(tar: Path) -> dict[str, ImageRef | None]:
    found = (member for member in members(tar) if isinstance(member, Member))
    return _names([(m.name, ImageRef(tar.resolve(), m.offset, m.size, m.name)) for m in found])


def _file_name(name: str) -> str:
    """Last part of a path, with either separator: tables are also made on Windows."""
    return name.replace("\\", "/").rsplit("/", 1)[-1]


def _fold(name: str) -> str:
    """Name without differences of case and of Unicode composition (macOS decomposes accents)."""
    return unicodedata.normalize("NFC", name.replace("\\", "/")).casefold()


def _folded_names(index: dict[str, ImageRef]) -> dict[str, ImageRef | None]:
    """Images by folded name; None for a name that two images share."""
    folded: dict[str, ImageRef | None] = {}
    for name, ref in index.items():
        key = _fold(name)
        folded[key] = ref if folded.get(key, ref) == ref else None
    return folded


def _names(found: list[tuple[str, ImageRef]]) -> dict[str, ImageRef | None]:
    """Images by path and by file name; None for a file name that occurs twice.

    Masks are found by their path only, because they often have the file names of their images.
    """
    names: dict[str, ImageRef | None] = {}
    images = set(without_masks([path for path, _ in found])[0])
    for path, ref in found:
        if path not in images:
            continue
        file_name = path.rsplit("/", 1)[-1]
        if file_name != path:
            names[file_name] = None if file_name in names else ref
    names.update(found)
    return names
