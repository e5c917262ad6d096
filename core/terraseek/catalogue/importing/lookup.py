"""Images a table names, found as loose files or inside tars beside it."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from terraseek.catalogue.records import IMAGE_SUFFIXES, ImageRef
from terraseek.catalogue.tars import Member, members
from terraseek.errors import SourceError

__all__ = ["ImageLookup", "walk_images"]


def walk_images(folder: Path) -> Iterator[Path]:
    """Every file below `folder` with an image's ending, sorted, hidden ones left out."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
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
        self._wanted = {name.rsplit("/", 1)[-1] for name in wanted}
        self._index: dict[str, ImageRef] | None = None

    def find(self, name: str) -> ImageRef | None:
        """Where the image `name` is, or None."""
        if not name:
            return None
        for folder in self._folders:
            path = folder / name
            if folder.is_dir() and path.is_file():
                return ImageRef(path.resolve())
        if self._index is None:
            self._index = self._list()
        return self._index.get(name) or self._index.get(name.rsplit("/", 1)[-1])

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
