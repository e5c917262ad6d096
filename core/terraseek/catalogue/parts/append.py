"""Changes of a large catalogue that write what is new instead of the whole table.

A change writes its files first and then replaces the list of parts (`manifest`), so that a killed
process changes nothing. The caller holds the lock of the catalogue.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool

from terraseek.catalogue.columns import ROW_ORDER, remove_stale
from terraseek.catalogue.items import DELETED
from terraseek.catalogue.items_file import fitted, items_digest, read_sources, write_table
from terraseek.catalogue.parts.manifest import Part, Parts, read_parts

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["append_items", "is_large", "mark_deleted"]

_MIN_ROWS = 200_000
"""Rows from which a catalogue is changed by parts; writing a smaller one again takes seconds."""
_MAX_PARTS = 8
"""Parts beside the file; the next import merges them into one."""


def is_large(rows: int) -> bool:
    """Whether a catalogue with so many rows is changed by parts."""
    return rows >= _MIN_ROWS


def append_items(folder: Path, old: "pa.Table", new: "pa.Table", sources: dict[str, Any]) -> bool:
    """Append rows to a catalogue, if they fit into its columns.

    Args:
        folder: folder of the catalogue.
        old: its items, as `items_file.open_items` returns them.
        new: typed rows.
        sources: descriptions of all sources.

    Returns:
        Whether the rows were appended; otherwise nothing has changed, and the whole table has to
        be written: it is small, has no digest, lacks a column, or has one of another type.
    """
    if not is_large(old.num_rows):
        return False
    digest = items_digest(folder)
    kept = [name for name in old.column_names if name not in (ROW_ORDER, DELETED)]
    schema = old.select(kept).schema
    table = fitted(new, schema)
    if digest is None or table is None:
        return False
    parts = read_parts(folder, digest) or Parts(digest, {})
    added, earlier = table, parts.parts
    appended = sum(part.rows for part in parts.parts)
    if len(parts.parts) >= _MAX_PARTS:
        if appended > old.num_rows // 2:
            return False
        added = _merged(old.select(kept).slice(old.num_rows - appended), table)
        earlier = ()
    name = f"items-{os.urandom(4).hex()}.parquet"
    columns = write_table(folder, name, added, {})
    listed = (*earlier, Part(name, columns, added.num_rows))
    replace(parts, sources=sources, parts=listed).write(folder)
    remove_stale(folder, digest, *(part.columns for part in listed))
    return True


def _merged(old: "pa.Table", new: "pa.Table") -> "pa.Table":
    import pyarrow as pa

    return pa.concat_tables([old, new]).replace_schema_metadata(new.schema.metadata)


def mark_deleted(folder: Path, deleted: Bool[np.ndarray, " rows"]) -> bool:
    """Replace the deletion marks of all rows.

    Returns:
        Whether they were written; otherwise nothing has changed, and the whole table has to be
        written, because it is small or has no digest.
    """
    digest = items_digest(folder)
    if not is_large(len(deleted)) or digest is None:
        return False
    parts = read_parts(folder, digest) or Parts(digest, read_sources(folder))
    parts.with_deleted(folder, deleted.astype(np.uint8)).write(folder)
    return True
