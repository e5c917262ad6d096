"""Metadata tables joined to images by name, such as RS5M's geometa and NER tables."""

import shutil
import tempfile
import weakref
from bisect import bisect_right
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from terraseek.catalogue.importing.columns.cells import cell_text, plain_columns
from terraseek.catalogue.importing.image_names import name_spellings
from terraseek.catalogue.importing.tables import iterate_table, rename_columns
from terraseek.catalogue.records import LocationPrecision
from terraseek.errors import MissingColumnError, SourceError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LOCATION_COLUMNS", "Geometa", "add_precision"]

LOCATION_COLUMNS = ("lon", "lat", "location_precision")
"""Columns that belong together: a row's precision is that of its own coordinates."""
_POINT_NAME = r"(?:.*/)?(?:fmow|yfcc\w*)_"


class Geometa:
    """Rows of metadata tables by image name.

    The rows that several tables have for an image complete each other: a column has the value of
    the first table that has one. Of several rows with the same name in one table, the first is
    used; the others are counted in `duplicates`. Each row has the location precision of its own
    table, see `add_precision`.
    """

    def __init__(self, *tables: "_NamedRows") -> None:
        """Join tables; `read` and `from_frame` make them."""
        self._tables = tables

    @classmethod
    def read(cls, *paths: Path) -> "Geometa":
        """Read one or several tables (CSV, TSV, Parquet, pickled frame).

        Text tables are read in pieces. The names stay in memory; the other columns of a table of
        several pieces are in temporary files.

        Raises:
            SourceError: a file is not a table, or has no column of image names.
        """
        return cls(*(_NamedRows(iterate_table(path), path.name) for path in paths))

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, origin: str) -> "Geometa":
        """Use a table in memory; `origin` is its name in error messages.

        Raises:
            MissingColumnError: no column contains image names.
        """
        return cls(_NamedRows([frame], origin))

    def __len__(self) -> int:
        return len(set(chain.from_iterable(table.names for table in self._tables)))

    @property
    def duplicates(self) -> int:
        """Rows ignored because an earlier row of the same table has the same name."""
        return sum(table.duplicates for table in self._tables)

    @property
    def unused(self) -> int:
        """Number of rows with a name that no image has."""
        return sum(table.unused for table in self._tables)

    def find(self, *names: str) -> dict[str, Any] | None:
        """Columns of an image, by the first of `names` that a table has, in RS5M's spellings.

        None if no table has any of them.
        """
        found = [row for table in self._tables if (row := table.find(names)) is not None]
        if not found:
            return None
        merged = dict(found[0])
        for row in found[1:]:
            if "lon" in merged:
                row = {name: value for name, value in row.items() if name not in LOCATION_COLUMNS}
            merged |= {name: value for name, value in row.items() if name not in merged}
        return merged


class _NamedRows:
    """One table in Arrow; its columns have the names of the catalogue."""

    def __init__(self, frames: Iterable[pd.DataFrame], origin: str) -> None:
        import pyarrow as pa

        self.names: dict[str, int] = {}
        self.duplicates = 0
        self._chunks: list[pa.RecordBatch | pa.Table] = []
        self._starts: list[int] = []
        self._folder: Path | None = None
        rows = 0
        for number, frame in enumerate(frames):
            frame = add_precision(rename_columns(frame))
            if "img_name" not in frame:
                raise MissingColumnError(
                    f"{origin} has no column of image names (img_name, filename, ...); "
                    f"it has {', '.join(map(str, frame.columns))}"
                )
            for row, name in enumerate(map(cell_text, frame["img_name"]), start=rows):
                if name and self.names.setdefault(name, row) != row:
                    self.duplicates += 1
            self._starts.append(rows)
            chunk = _arrow(frame.drop(columns="img_name"), origin)
            if number:  # a table of one piece stays in memory
                chunk = _mapped(chunk, self._own_folder() / f"{number}.arrow")
            self._chunks.append(chunk)
            rows += len(frame)
        self._used = np.zeros(rows, bool)
        self._near = _Block()

    def _own_folder(self) -> Path:
        """Temporary folder that is removed with this object."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="terraseek-join-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        return self._folder

    @property
    def unused(self) -> int:
        return len(self.names) - int(self._used.sum())

    def find(self, names: tuple[str, ...]) -> dict[str, Any] | None:
        for name in names:
            for spelling in name_spellings(name):
                row = self.names.get(spelling)
                if row is not None:
                    self._used[row] = True
                    return self._row(row)
        return None

    def _row(self, row: int) -> dict[str, Any]:
        at = bisect_right(self._starts, row) - 1
        columns = plain_columns(self._near.cells(self._chunks[at], at, row - self._starts[at]))
        if "lon" not in columns:
            columns.pop("location_precision", None)
        return columns


class _Block:
    """The rows around the last one that was found: tables are mostly in the order of the images.

    Cells of Arrow are converted one by one at ten times the cost of a column. A block of rows is
    therefore converted once two rows in it were wanted one after the other.
    """

    _ROWS = 512

    def __init__(self) -> None:
        self._wanted: tuple[int, int] | None = None
        self._place: tuple[int, int] | None = None
        self._rows: list[dict[str, Any]] = []

    def cells(self, chunk: "pa.RecordBatch | pa.Table", number: int, row: int) -> dict[str, Any]:
        """Cells of a row of the chunk with this number, by column."""
        block, place = divmod(row, self._ROWS)
        if self._place == (number, block):
            return self._rows[place]
        if self._wanted != (number, block):
            self._wanted = (number, block)
            return {name: chunk[name][row].as_py() for name in chunk.schema.names}
        self._place = (number, block)
        self._rows = chunk.slice(block * self._ROWS, self._ROWS).to_pylist()
        return self._rows[place]


def _arrow(frame: pd.DataFrame, origin: str) -> "pa.Table":
    """Convert to Arrow; a column of values of several types becomes text."""
    import pyarrow as pa

    frame = frame.reset_index(drop=True)
    frame.columns = [str(name) for name in frame.columns]
    if not frame.columns.is_unique:
        raise SourceError(f"{origin} has two columns of the same name; rename one of them")
    try:
        return pa.Table.from_pandas(frame, preserve_index=False).combine_chunks()
    except pa.ArrowException:
        mixed = frame.select_dtypes("object").columns
        texts = {name: frame[name].map(str, na_action="ignore") for name in mixed}
        return pa.Table.from_pandas(frame.assign(**texts), preserve_index=False).combine_chunks()


def _mapped(table: "pa.Table", path: Path) -> "pa.Table":
    """Write a table to a file, and map that instead of memory."""
    import pyarrow as pa

    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as out:
        out.write_table(table)
    with pa.memory_map(str(path)) as file:
        return pa.ipc.open_file(file).read_all()


def add_precision(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the precision of the coordinates to a table with columns of the catalogue's names.

    RS5M gives a corner of the original scene (fMoW) or the position of the photographer (YFCC), so
    the coordinates of tables in its layout (with metadata captions) and of images named like those
    of fMoW and YFCC are a `point`; other coordinates are `exact`. A table that states the precision
    is unchanged.
    """
    if "location_precision" in frame or not {"lon", "lat"} <= set(frame.columns):
        return frame
    exact: LocationPrecision = "exact"
    precision = pd.Series(exact, index=frame.index, dtype="str")
    if "geometa_cap" in frame:
        precision[:] = "point"
    elif "img_name" in frame:
        precision[frame["img_name"].astype("str").str.match(_POINT_NAME)] = "point"
    return frame.assign(location_precision=precision)
