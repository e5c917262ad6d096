"""List of the parts of an items table, `items-parts.json`, which one rename replaces.

It belongs to one version of `items.parquet`, whose digest it holds: when that file is written
again, it contains all rows, and the list and its files are void. A large catalogue is thus changed
by writing a small file and this list, instead of the whole table.
"""

import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from terraseek.errors import CatalogueError
from terraseek.files import ARRAY_ERRORS, atomic_path, read_json, write_json

__all__ = ["PARTS_FILE", "Part", "Parts", "read_deleted", "read_parts", "remove_unlisted"]

PARTS_FILE = "items-parts.json"
_NAMES = ("items-*.parquet", "items-deleted-*.npy")


@dataclass(frozen=True)
class Part:
    """Rows that were appended by one import, or by several whose files were merged."""

    file: str
    """Name of its Parquet file, in the format of `items.parquet`."""
    columns: str
    """Digest of its columns file, see `columns`."""
    rows: int
    """Number of rows."""


@dataclass(frozen=True)
class Parts:
    """What belongs to an items table beside its file; field names are the keys of the JSON."""

    base: str
    """Digest of the columns of `items.parquet`."""
    sources: dict[str, Any]
    """Descriptions of the sources, which replace those of `items.parquet`."""
    parts: tuple[Part, ...] = ()
    """Appended rows, in order."""
    deleted: str = ""
    """File with one byte for each row, 1 if it is deleted; empty if the rows say so themselves."""

    def write(self, folder: Path) -> None:
        """Replace the list atomically, then remove files that are in no list."""
        write_json(folder / PARTS_FILE, asdict(self))
        remove_unlisted(folder, self)

    def with_deleted(self, folder: Path, marks: UInt8[np.ndarray, " rows"]) -> "Parts":
        """Write deletion marks to a new file, which the result names."""
        name = f"items-deleted-{os.urandom(4).hex()}.npy"
        with atomic_path(folder / name) as part, part.open("wb") as file:
            np.save(file, marks, allow_pickle=False)
        return replace(self, deleted=name)


def read_parts(folder: Path, base: str | None) -> Parts | None:
    """Read the list of a catalogue; None if it has none for this version of `items.parquet`.

    Raises:
        CatalogueError: the list is damaged.
    """
    try:
        value = read_json(folder / PARTS_FILE)
        if value["base"] != base:
            return None
        return Parts(**value | {"parts": tuple(Part(**one) for one in value["parts"])})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CatalogueError(
            f"{folder / PARTS_FILE} is damaged ({error!r}); restore it from a backup, or remove it "
            "and import the sources again"
        ) from error


def read_deleted(folder: Path, parts: Parts, rows: int) -> UInt8[np.ndarray, " rows"] | None:
    """Read the deletion marks of all rows; None if there is no file of them.

    Raises:
        CatalogueError: the file is missing or damaged.
    """
    if not parts.deleted:
        return None
    path = folder / parts.deleted
    marks = np.zeros(rows, np.uint8)
    try:
        found = np.load(path, allow_pickle=False)
        marks[: len(found)] = found
    except ARRAY_ERRORS as error:
        raise CatalogueError(
            f"{path} cannot be read ({error}); restore it from a backup"
        ) from error
    return marks


def remove_unlisted(folder: Path, parts: Parts | None) -> None:
    """Remove part files that are not in the list; with None also the list itself."""
    listed: set[str] = set()
    if parts is not None:
        listed = {parts.deleted, *(part.file for part in parts.parts)}
    else:
        (folder / PARTS_FILE).unlink(missing_ok=True)
    for pattern in _NAMES:
        for path in folder.glob(pattern):
            if path.name not in listed:
                path.unlink(missing_ok=True)
