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

from terraseek.catalogue.importing.blocks.joined_block import (
    JoinedBlock,
    completed,
    without_stray_precision,
)
from terraseek.catalogue.importing.columns.cells import cell_text, plain_columns
from terraseek.catalogue.importing.columns.near_rows import NearRows
from terraseek.catalogue.importing.image_names import name_spellings
from terraseek.catalogue.importing.tables import iterate_table, rename_columns
from terraseek.catalogue.records import LocationPrecision
from terraseek.errors import MissingColumnError, SourceError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Geometa", "add_precision"]

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
        return completed(found) if found else None

    def take(self, names: list[str]) -> JoinedBlock:
        """Rows of several images, one name each, as columns: as `find` for each of them."""
        return JoinedBlock(len(names), [table.take(names) for table in self._tables])


class _NamedRows:
    """One table in Arrow; its columns have the names of the catalogue."""

    def __init__(self, frames: Iterable[pd.DataFrame], origin: str) -> None:
        import pyarrow as pa

        self.names: dict[str, int] = {}
        self.duplicates = 0
        self._chunks: list[pa.Table] = []
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
        self._near = NearRows()

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
            row = self._row_of(name)
            if row is not None:
                self._used[row] = True
                return self._row(row)
        return None

    def _row_of(self, name: str) -> int | None:
        """Row of a name in any of its spellings, of which its own is the first."""
        row = self.names.get(name)
        if row is not None and not name.endswith("/"):
            return row
        rows = map(self.names.get, name_spellings(name))
        return next((row for row in rows if row is not None), None)

    def _row(self, row: int) -> dict[str, Any]:
        at = bisect_right(self._starts, row) - 1
        cells = self._near.cells(self._chunks[at], at, row - self._starts[at])
        return without_stray_precision(plain_columns(cells))

    def take(self, names: list[str]) -> "list[tuple[list[int], pa.Table]]":
        """Numbers of the names that have a row, and these rows; a pair for each chunk of rows."""
        import pyarrow as pa

        found = [(number, self._row_of(name)) for number, name in enumerate(names)]
        pairs = np.array([pair for pair in found if pair[1] is not None], np.int64).reshape(-1, 2)
        numbers, rows = pairs.T
        self._used[rows] = True
        at = np.searchsorted(self._starts, rows, side="right") - 1
        parts = []
        for chunk in np.unique(at):
            chosen = at == chunk
            places = pa.array(rows[chosen] - self._starts[chunk])
            parts.append((numbers[chosen].tolist(), self._chunks[chunk].take(places)))
        return parts


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
