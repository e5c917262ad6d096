"""Take items out of a catalogue, or put them back: a mark in their row, nothing else moves."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from terraseek.catalogue.catalogue import Catalogue
from terraseek.catalogue.filters.filter import Filter
from terraseek.catalogue.items import DELETED, read_items, read_sources, write_items
from terraseek.catalogue.locking import exclusive
from terraseek.errors import ItemNotFoundError

__all__ = ["delete_items", "restore_items"]


def delete_items(path: str | Path, ids: Iterable[str] = (), where: Filter | None = None) -> int:
    """Delete the items of these ids and those that meet a filter.

    They are found no more, also when their source is imported again; rows, vectors and images
    stay, so that `restore_items` brings them back until the catalogue is compacted. One rename
    changes everything or nothing.

    Returns:
        how many were deleted; deleting again deletes none.

    Raises:
        ItemNotFoundError: an id never was in the catalogue; nothing is deleted then.
        FilterError: the filter names a source, label or column that is not there.
        CatalogueError: another process is changing the catalogue.
    """
    folder = Path(path).absolute()
    Catalogue.open(folder)  # says what is wrong if there is no catalogue, before a lock is made
    with exclusive(folder):
        catalogue = Catalogue.open(folder)
        chosen = _rows_of(catalogue, ids)
        if where is not None:
            chosen |= catalogue.where(where)
        return _mark(folder, chosen & catalogue.alive, 1)


def restore_items(path: str | Path, ids: Iterable[str] = ()) -> int:
    """Bring deleted items back, all of them if no ids are given.

    Returns:
        how many came back.

    Raises:
        ItemNotFoundError: an id never was in the catalogue, or was compacted away.
        CatalogueError: another process is changing the catalogue.
    """
    folder = Path(path).absolute()
    Catalogue.open(folder)
    with exclusive(folder):
        catalogue = Catalogue.open(folder)
        wanted = list(ids)
        chosen = _rows_of(catalogue, wanted) if wanted else np.ones(catalogue.rows, bool)
        return _mark(folder, chosen & ~catalogue.alive, 0)


def _rows_of(catalogue: Catalogue, ids: Iterable[str]) -> np.ndarray:
    wanted = np.array([key.encode() for key in ids], "S12")
    chosen = np.isin(catalogue.item_ids, wanted)
    missing = np.setdiff1d(wanted, catalogue.item_ids)
    if len(missing):
        raise ItemNotFoundError(
            f"no item {missing[0].decode()!r} in the catalogue {catalogue.name}; nothing changed"
        )
    return chosen


def _mark(folder: Path, chosen: np.ndarray, value: int) -> int:
    if not chosen.any():
        return 0
    frame = read_items(folder)
    if DELETED not in frame:
        frame[DELETED] = 0
    frame.loc[chosen, DELETED] = value
    if not frame[DELETED].any():
        frame = frame.drop(columns=DELETED)
    write_items(folder, frame, read_sources(folder))
    return int(chosen.sum())
