"""Images a table names, found as loose files or inside tars beside it."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from terraseek.catalogue.records import IMAGE_SUFFIXES, ImageRef
from terraseek.catalogue.tars import Member, members
from terraseek.errors import SourceError

__all__ = ["OUTSIDE", "ImageLookup", "inside", "links_out", "walk_images"]

OUTSIDE = "lies outside of the source; import the folder that holds both, or name it with --images"
"""What is said of a picture that a table, a STAC item or a link names elsewhere: whoever made a
source must not choose which files of this computer it shows."""


def inside(path: Path, *folders: Path) -> bool:
    """Whether a file lies in one of the folders once links and `..` are followed."""
    real = path.resolve()
    return any(real.is_relative_to(folder.resolve()) for folder in folders)


def links_out(folder: Path) -> Iterator[Path]:
    """Links below a folder, to pictures or folders, that lead out of it; none is followed."""
    for path in sorted(path for path in folder.rglob("*") if path.is_symlink()):
        usable = path.is_dir() or (path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES)
        if usable and not inside(path, folder):
            yield path


def walk_images(folder: Path) -> Iterator[Path]:
    """Every file below `folder` with an image's ending, sorted, hidden ones left out.

    Links that lead out of the folder are left out, too, see `links_out`.
    """
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if hidden or path.suffix.lower() not in IMAGE_SUFFIXES or not path.is_file():
            continue
        if not path.is_symlink() or inside(path, folder):
            yield path


class ImageLookup:
    """Finds images by the names tables use: a path, a path below the folder, or a bare name.

    Only when a name is not found as it stands are the folder and the tars in it listed, once. Where
    several of them have an image of that name, the one that holds most of the wanted names is
    meant (RSICD's captions lie beside two tars that share names). A bare name that one of them
    holds twice finds nothing there.
    """

    def __init__(self, base: Path, images: Path | None, wanted: Iterable[str]) -> None:
        """Look below `base`, the folder of the table, or in `images`, a folder or a tar.

        Raises:
            SourceError: `images` does not exist.
        """
        if images is not None and not images.exists():
            raise SourceError(f"no such folder or tar of pictures: {images}")
        self._root = images or base
        self._folders = [base] if images is None else [images, base]
        self._allowed = [folder for folder in self._folders if folder.is_dir()]
        self._wanted = {name.rsplit("/", 1)[-1] for name in wanted}
        self._index: dict[str, ImageRef] | None = None

    def find(self, name: str) -> ImageRef | None:
        """Where the image `name` is, or None."""
        if not name:
            return None
        for folder in self._folders:
            path = folder / name
            if folder.is_dir() and path.is_file() and inside(path, *self._allowed):
                return ImageRef(path.resolve())
        if self._index is None:
            self._index = self._list()
        return self._index.get(name) or self._index.get(name.rsplit("/", 1)[-1])

    def why_not(self, name: str) -> str:
        """In words, why `find` gave nothing."""
        if any((folder / name).is_file() for folder in self._allowed):
            return f"the picture {name!r} {OUTSIDE}"
        return f"no picture {name!r} beside the table"

    def _list(self) -> dict[str, ImageRef]:
        holders = [_tar_names(self._root)] if self._root.is_file() else self._folder_names()
        holders.sort(key=lambda names: -len(self._wanted & names.keys()))
        index: dict[str, ImageRef] = {}
        for names in holders:
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


def _names(found: list[tuple[str, ImageRef]]) -> dict[str, ImageRef | None]:
    """Images by path and by bare name; None for a bare name that occurs twice."""
    names: dict[str, ImageRef | None] = {}
    for path, ref in found:
        bare = path.rsplit("/", 1)[-1]
        if bare != path:
            names[bare] = None if bare in names else ref
    names.update(found)
    return names
