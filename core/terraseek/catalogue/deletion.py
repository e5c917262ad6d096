"""Deletion and restoration of items by a mark in their row; row numbers do not change."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from terraseek.catalogue.catalogue import Catalogue
from terraseek.catalogue.filters.filter import Filter
from terraseek.catalogue.items import DELETED
from terraseek.catalogue.items_file import read_items, read_sources, write_items
from terraseek.catalogue.locking import exclusive
from terraseek.catalogue.parts.append import mark_deleted
from terraseek.errors import ItemNotFoundError

__all__ = ["delete_items", "restore_items"]

_MAX_LOOKUPS = 1000
"""Ids up to which each is looked up; for more, those of the whole catalogue are read."""


def delete_items(path: str | Path, ids: Iterable[str] = (), where: Filter | None = None) -> int:
    """Delete the items with these ids and the items that meet a filter.

    Deleted items are not found any more, also after their source is imported again. Their rows,
    vectors and images stay, so that `restore_items` can bring them back until the catalogue is
    compacted. The change is atomic: one rename replaces the table, or in a large catalogue the list
    of its parts.

    Returns:
        Number of items deleted; items that are deleted already do not count.

    Raises:
        ItemNotFoundError: an id is not in the catalogue; nothing is deleted then.
        FilterError: the filter names a source, label or column that does not exist.
        CatalogueError: another process is changing the catalogue.
    """
    folder = Path(path).absolute()
    Catalogue.open(folder)  # raises if there is no catalogue, before a lock file is created
    with exclusive(folder):
        catalogue = Catalogue.open(folder)
        chosen = _mask_of(catalogue, ids)
        if where is not None:
            chosen |= catalogue.mask(where)
        return _mark(catalogue, chosen & catalogue.active, 1)


def restore_items(path: str | Path, ids: Iterable[str] = ()) -> int:
    """Restore deleted items; all of them if no ids are given.

    Returns:
        Number of items restored.

    Raises:
        ItemNotFoundError: an id is not in the catalogue, or was removed by compaction.
        CatalogueError: another process is changing the catalogue.
    """
    folder = Path(path).absolute()
    Catalogue.open(folder)
    with exclusive(folder):
        catalogue = Catalogue.open(folder)
        ids = list(ids)
        chosen = _mask_of(catalogue, ids) if ids else np.ones(catalogue.row_count, bool)
        return _mark(catalogue, chosen & ~catalogue.active, 0)


def _mask_of(catalogue: Catalogue, ids: Iterable[str]) -> np.ndarray:
    keys = list(ids)
    if len(keys) <= _MAX_LOOKUPS:
        rows = [catalogue.row_even_if_deleted(key) for key in keys]
        missing = [key for key, row in zip(keys, rows, strict=True) if row is None]
        chosen = np.zeros(catalogue.row_count, bool)
        chosen[[row for row in rows if row is not None]] = True
    else:
        wanted = np.array([key.encode() for key in keys], "S12")
        chosen = np.isin(catalogue.item_ids, wanted)
        missing = [key.decode() for key in np.setdiff1d(wanted, catalogue.item_ids)]
    if missing:
        raise ItemNotFoundError(
            f"no item {missing[0]!r} in the catalogue {catalogue.name}; nothing changed"
        )
    return chosen


def _mark(catalogue: Catalogue, chosen: np.ndarray, value: int) -> int:
    """Set the deletion mark of the chosen rows; returns their number."""
    if not chosen.any():
        return 0
    folder = catalogue.path
    deleted = ~catalogue.active | chosen if value else ~catalogue.active & ~chosen
    if not mark_deleted(folder, deleted):
        frame = read_items(folder)
        if DELETED not in frame:
            frame[DELETED] = 0
        frame.loc[chosen, DELETED] = value
        if not frame[DELETED].any():
            frame = frame.drop(columns=DELETED)
        write_items(folder, frame, read_sources(folder))
    return int(chosen.sum())
