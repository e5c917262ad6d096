"""Records without images of one piece of a table, which stay columns until they become items."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terraseek.catalogue.importing.columns.table_rows import plain_table_rows, row_columns
from terraseek.catalogue.records import Broken, Record

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RecordBlock"]


@dataclass(frozen=True, slots=True)
class RecordBlock:
    """Rows of a table, one record each."""

    names: list[str]
    """Name of the image of each row, which is the key of its record; empty if it names none."""
    frame: "pd.DataFrame"
    """The rows, with the column names of the catalogue."""
    first_line: int
    """Line of the first row in its table."""

    def records(self) -> list[Record]:
        """Record of each row, also of those without a name."""
        rows = self.frame.to_dict("records")
        pairs = zip(self.names, rows, strict=True)
        return [Record(name, None, row_columns(row, name)) for name, row in pairs]

    def broken(self, row: int, table: Path) -> Broken:
        """What is wrong with a row without a name."""
        return Broken(f"{table.name} line {self.first_line + row}", "it names no image")

    def take(self, rows: list[int]) -> "RecordBlock":
        """A block of some of the rows; it shares no memory with this one."""
        frame = self.frame.iloc[rows].reset_index(drop=True)
        return RecordBlock([self.names[row] for row in rows], frame, self.first_line)

    def plain_columns(self) -> list[dict[str, Any]]:
        """Columns of each record, without missing values."""
        return plain_table_rows(self.frame, self.names)
