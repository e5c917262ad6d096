"""Rows of metadata tables for a block of records, still as columns."""

from typing import TYPE_CHECKING, Any, NamedTuple

from terraseek.catalogue.importing.columns.table_rows import plain_rows

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LOCATION_COLUMNS", "JoinedBlock", "completed", "without_stray_precision"]

LOCATION_COLUMNS = ("lon", "lat", "location_precision")
"""Columns that belong together: a row's precision is that of its own coordinates."""


class JoinedBlock(NamedTuple):
    """Rows of metadata tables by the record of a block that they belong to."""

    records: int
    """Number of records of the block."""
    tables: "list[list[tuple[list[int], pa.Table]]]"
    """Of each metadata table, in their order: numbers of records, and as many rows."""

    def rows(self) -> list[dict[str, Any] | None]:
        """Joined columns of each record, as of `Geometa.find`; None for a record without any."""
        found: list[list[dict[str, Any]]] = [[] for _ in range(self.records)]
        for parts in self.tables:
            for records, table in parts:
                cells = {name: table[name].to_pylist() for name in table.column_names}
                for record, row in zip(records, plain_rows(cells), strict=True):
                    found[record].append(without_stray_precision(row))
        return [completed(rows) if rows else None for rows in found]


def without_stray_precision(row: dict[str, Any]) -> dict[str, Any]:
    """Remove the precision of coordinates from a row that has none."""
    if "lon" not in row:
        row.pop("location_precision", None)
    return row


def completed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Unite the rows of several tables for one image; the first value of a column counts."""
    merged = dict(rows[0])
    for row in rows[1:]:
        if "lon" in merged:
            row = {name: value for name, value in row.items() if name not in LOCATION_COLUMNS}
        merged |= {name: value for name, value in row.items() if name not in merged}
    return merged
