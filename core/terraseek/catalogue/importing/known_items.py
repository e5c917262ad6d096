"""Items of a catalogue that records of a source belong to: by their id, or by the name of an image.

RS5M comes as shards of images and as tables about them, and either may be imported first. A record
of one finds the item of the other by the name of its image, and completes it.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from terraseek.catalogue.columns import RowsById
from terraseek.catalogue.importing.columns.cells import plain_columns
from terraseek.catalogue.importing.columns.near_rows import NearRows
from terraseek.catalogue.importing.image_names import canonical_name
from terraseek.catalogue.importing.tables import column_renames
from terraseek.catalogue.items import HIDDEN_COLUMNS
from terraseek.catalogue.records import Record

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["KnownItems", "changed_cells", "completed_record"]

_MATCHED_KINDS = {"metadata": ("metadata", "shards"), "shards": ("metadata",)}
"""Kind of a source, and the kinds of the sources whose items its records may complete."""
_LOCATION = ("lon", "lat", "location_precision", "footprint")
_FILE_CELLS = ("image", "_file", "_offset", "_size", "width", "height")
_FIXED = ("item_id", "source", *_FILE_CELLS)
_COMPOSED = ("geometa", "label")
_AMBIGUOUS = -1


class KnownItems:
    """Lookup in the items of a catalogue, which stay on disk."""

    def __init__(self, table: "pa.Table | None", kind: str, kinds: dict[str, str]) -> None:
        """Look up items for a source.

        Args:
            table: items as `items_file.open_items` returns them; None without a catalogue.
            kind: kind of the source that is imported.
            kinds: kind of each source of the catalogue.
        """
        self._table = table
        self._near = NearRows()
        self._sources = [name for name, of in kinds.items() if of in _MATCHED_KINDS.get(kind, ())]

    def row_of_id(self, item_id: str) -> int | None:
        """Row of the item with this id; None if there is none."""
        if self._table is None:
            return None
        return self._rows.row(item_id)

    @cached_property
    def _rows(self) -> RowsById:
        assert self._table is not None
        return RowsById(self._table)

    def row_of_name(self, name: str) -> int | None:
        """Row of the only item of a matching source whose image has this name, in any spelling."""
        if not self._sources:
            return None
        row = self._rows_by_name.get(canonical_name(name), _AMBIGUOUS)
        return None if row == _AMBIGUOUS else row

    @cached_property
    def _rows_by_name(self) -> dict[str, int]:
        rows: dict[str, int] = {}
        if self._table is None or "img_name" not in self._table.column_names:
            return rows
        names, sources = self._table["img_name"], self._table["source"]
        wanted = set(self._sources)
        pairs = zip(_values(names), _values(sources), strict=True)
        for row, (name, source) in enumerate(pairs):
            if name and source in wanted:
                key = canonical_name(name)
                rows[key] = _AMBIGUOUS if key in rows else row
        return rows

    def file_of(self, row: int) -> str:
        """Path of the file of an item's image; empty if it has none."""
        assert self._table is not None
        return str(self._table["_file"][row].as_py() or "")

    def columns_of(self, row: int) -> dict[str, Any]:
        """Columns of an item that have a value, but for hidden ones."""
        assert self._table is not None
        cells = self._near.cells(self._table, 0, row)
        return plain_columns({k: v for k, v in cells.items() if k not in HIDDEN_COLUMNS})


def _values(column: "pa.ChunkedArray") -> Any:  # noqa: ANN401 - an iterator of text
    return (
        value
        for start in range(0, len(column), 1 << 16)
        for value in column.slice(start, 1 << 16).to_pylist()
    )


def completed_record(record: Record, known: dict[str, Any], replace: bool) -> Record:
    """Combine a record with the columns of its item, which come first.

    Args:
        record: what the reader yields.
        known: columns of the item that have a value.
        replace: whether a caption that was composed from a label or metadata gives way.
    """
    own = plain_columns(record.columns)
    renames = column_renames(tuple(own))
    columns = {renames.get(name, name): value for name, value in own.items()}
    kept = {name: value for name, value in known.items() if name not in _FIXED}
    if "lon" in known:
        columns = {name: value for name, value in columns.items() if name not in _LOCATION}
    else:
        kept.pop("location_precision", None)
    if replace and known.get("caption_source") in _COMPOSED:
        kept.pop("caption", None)
    return Record(record.key, record.image, {**columns, **kept})


def changed_cells(
    row: dict[str, Any], known: dict[str, Any], has_new_image: bool, replace: bool
) -> dict[str, Any]:
    """Cells of the completed row that the item lacks, and those of its new image."""
    changed = {
        name: value
        for name, value in row.items()
        if value not in (None, "") and name not in known and name not in _FIXED
    }
    if "lon" not in known and row["location_precision"] != known.get("location_precision"):
        changed["location_precision"] = row["location_precision"]
    if replace and row["caption"] not in ("", known.get("caption")):
        changed |= {name: row[name] for name in ("caption", "caption_source")}
    if has_new_image:
        changed |= {name: row[name] for name in _FILE_CELLS if name in row}
    return changed
