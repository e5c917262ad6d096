"""What can be imported: each kind with how it is recognised and read.

A new kind is one entry in `_OPENERS` and one file beside this one.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, get_args

from terraseek.catalogue.importing.lookup import walk_images
from terraseek.catalogue.importing.readers.caption_json import is_caption_json, read_captions
from terraseek.catalogue.importing.readers.class_folder import has_classes, read_folder, read_tar
from terraseek.catalogue.importing.readers.embedded import (
    is_clip_retrieval,
    is_major_tom,
    read_clip_retrieval,
    read_major_tom,
)
from terraseek.catalogue.importing.readers.stac import is_stac, read_stac
from terraseek.catalogue.importing.readers.table import read_rows
from terraseek.catalogue.importing.readers.webdataset import is_shard, read_shards, shard_source
from terraseek.catalogue.importing.tables import TABLE_SUFFIXES, find_column, read_table
from terraseek.catalogue.records import IMAGE_SUFFIXES, Reading
from terraseek.errors import SourceError, UnknownSourceError

__all__ = ["KINDS", "WITH_VECTORS", "Kind", "Opened", "expand_braces", "open_source"]

Kind = Literal[
    "shards", "folder", "classes", "table", "captions", "stac", "clip-retrieval", "major-tom"
]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""shards: webdataset tars, RS5M's layouts among them; folder: images without labels; classes:
folders or a tar where the folder is the label; table: CSV, TSV, Parquet, pickled frame; captions:
RSICD's JSON; stac: STAC items; clip-retrieval: its output folder; major-tom: its embeddings."""

WITH_VECTORS: tuple[Kind, ...] = ("table", "clip-retrieval", "major-tom")
"""Kinds that can come with vectors; a table where it has `vector_file` and `vector_row`."""

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


@dataclass(frozen=True, slots=True)
class Opened:
    """A source that was recognised and not yet read."""

    kind: Kind
    """How it is read."""
    name: str
    """What to call it unless the user names it."""
    location: Path
    """Where it is: the file or folder; for shards, folder and name of the set."""
    read: Callable[[], Reading]
    """Starts reading."""
    geometa: Path | None = None
    """A table of coordinates that lies beside the shards."""


def open_source(
    source: str | Path | Sequence[str | Path], kind: str = "auto", images: Path | None = None
) -> Opened:
    """Find out what a source is.

    Args:
        source: a file, a folder, shards as `name-{0000..0031}.tar`, or a list of shards.
        kind: one of `KINDS`, or `auto`.
        images: folder or tar of the images a table or caption file names.

    Raises:
        SourceError: it does not exist.
        UnknownSourceError: no reader knows it, or `kind` is unknown.
    """
    if kind != "auto" and kind not in KINDS:
        raise UnknownSourceError(f"no reader is called {kind!r}; known are {', '.join(KINDS)}")
    given = [source] if isinstance(source, (str, Path)) else list(source)
    paths = [Path(text).absolute() for one in given for text in expand_braces(str(one))]
    for path in paths:
        if not path.exists():
            raise SourceError(f"no such file or folder to import: {path}")
    if not paths:
        raise SourceError("nothing to import was named; give a file or folder")
    if len(paths) > 1:
        return _shards(paths)
    found = kind if kind != "auto" else _recognise(paths[0])
    return _OPENERS[found](paths[0], images)


def expand_braces(text: str) -> list[str]:
    """`a-{0000..0002}.tar` to its three names, with the zeros of the first number."""
    match = _RANGE.search(text)
    if match is None:
        return [text]
    first, last = match.groups()
    return [
        name
        for number in range(int(first), int(last) + 1)
        for name in expand_braces(
            text[: match.start()] + f"{number:0{len(first)}d}" + text[match.end() :]
        )
    ]


def _recognise(path: Path) -> Kind:
    if path.is_dir():
        return _recognise_folder(path)
    suffix = path.suffix.lower()
    if suffix == ".tar":
        return "shards" if is_shard(path) else "classes"
    if suffix in TABLE_SUFFIXES:
        return "major-tom" if "parquet" in suffix and is_major_tom(path) else "table"
    if suffix == ".json" and is_caption_json(path):
        return "captions"
    if suffix in (".json", ".geojson") and is_stac(path):
        return "stac"
    if suffix in IMAGE_SUFFIXES:
        return "folder"
    raise UnknownSourceError(
        f"{path} is nothing that can be imported; give webdataset shards, a folder or tar of "
        "pictures, a CSV or Parquet table naming pictures, a caption JSON in RSICD's layout, STAC "
        "items, an output folder of clip-retrieval, or Major TOM embeddings"
    )


def _recognise_folder(folder: Path) -> Kind:
    tars = sorted(folder.glob("*.tar"))
    if any(is_shard(tar) for tar in tars[:3]):
        return "shards"
    if is_clip_retrieval(folder):
        return "clip-retrieval"
    if any(is_stac(file) for file in islice(folder.rglob("*.json"), 3)):
        return "stac"
    if _folder_table(folder) is not None:
        return "table"
    if _folder_captions(folder) is not None:
        return "captions"
    names = [p.relative_to(folder).as_posix() for p in islice(walk_images(folder), 100_000)]
    if not names:
        if len(tars) == 1:
            return "classes"
        raise UnknownSourceError(f"{folder} holds no pictures, shards or tables that can be read")
    return "classes" if has_classes(names) else "folder"


def _folder_table(folder: Path) -> Path | None:
    """The one table in a folder that names images."""
    tables = [p for p in sorted(folder.iterdir()) if p.suffix.lower() in TABLE_SUFFIXES]
    return next((p for p in tables if _names_images(p)), None) if len(tables) <= 3 else None


def _folder_captions(folder: Path) -> Path | None:
    return next((p for p in sorted(folder.glob("*.json")) if is_caption_json(p)), None)


def _names_images(path: Path) -> bool:
    try:
        return find_column(read_table(path).columns, "img_name") is not None
    except SourceError:
        return False


def _shards(paths: list[Path]) -> Opened:
    for path in paths:
        if path.suffix.lower() != ".tar":
            raise UnknownSourceError(f"{path} is no tar; only shards can be given as a list")
    name = shard_source(paths)
    return Opened("shards", name, paths[0].parent / name, lambda: read_shards(paths))


def _open_shards(path: Path, images: Path | None) -> Opened:
    if path.is_file():
        return _shards([path])
    opened = _shards([tar for tar in sorted(path.glob("*.tar")) if is_shard(tar)])
    return Opened("shards", opened.name, opened.location, opened.read, _folder_table(path))


def _open_folder(path: Path, images: Path | None) -> Opened:
    return Opened("folder", path.stem, path, lambda: read_folder(path, labels=False))


def _open_classes(path: Path, images: Path | None) -> Opened:
    tars = sorted(path.glob("*.tar")) if path.is_dir() else [path]
    if path.is_dir() and next(walk_images(path), None) is not None:
        return Opened("classes", path.name, path, lambda: read_folder(path, labels=True))
    if len(tars) != 1:
        raise SourceError(f"{path} holds no pictures in class folders and no single tar of them")
    return Opened("classes", tars[0].stem, tars[0], lambda: read_tar(tars[0], None))


def _open_table(path: Path, images: Path | None) -> Opened:
    table = _folder_table(path) if path.is_dir() else path
    if table is None:
        raise SourceError(f"{path} holds no table with a column of picture names")
    name = path.name if path.is_dir() else _outer_name(path)
    return Opened("table", name, table, lambda: read_rows(table, images))


def _open_captions(path: Path, images: Path | None) -> Opened:
    file = _folder_captions(path) if path.is_dir() else path
    if file is None:
        raise SourceError(f"{path} holds no caption JSON in RSICD's layout")
    name = path.name if path.is_dir() else re.sub(r"^dataset_", "", path.stem)
    return Opened("captions", name, file, lambda: read_captions(file, images))


def _outer_name(path: Path) -> str:
    """`demo/items.csv` is called `demo`: such file names say what they are, not of what."""
    common = {"items", "labels", "metadata", "index", "captions", "annotations", "data", "train"}
    return path.parent.name if path.stem.lower() in common and path.parent.name else path.stem


def _open_stac(path: Path, images: Path | None) -> Opened:
    return Opened("stac", path.name if path.is_dir() else path.stem, path, lambda: read_stac(path))


def _open_clip_retrieval(path: Path, images: Path | None) -> Opened:
    return Opened("clip-retrieval", path.name, path, lambda: read_clip_retrieval(path, images))


def _open_major_tom(path: Path, images: Path | None) -> Opened:
    return Opened("major-tom", path.stem, path, lambda: read_major_tom(path))


_OPENERS: dict[str, Callable[[Path, Path | None], Opened]] = {
    "shards": _open_shards,
    "folder": _open_folder,
    "classes": _open_classes,
    "table": _open_table,
    "captions": _open_captions,
    "stac": _open_stac,
    "clip-retrieval": _open_clip_retrieval,
    "major-tom": _open_major_tom,
}
