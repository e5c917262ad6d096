"""Metadata tables joined to images by name, such as RS5M's geometa CSVs."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import pandas as pd

from terraseek.catalogue.importing.columns.cells import cell_text
from terraseek.catalogue.importing.tables import read_table, rename_columns
from terraseek.catalogue.records import LocationPrecision
from terraseek.errors import MissingColumnError

__all__ = ["Geometa"]


class Geometa:
    """Rows of a metadata table by image name.

    Of several rows with the same name, the first is used; the others are counted in `duplicates`.
    RS5M's geometa of FMoW and YFCC gives a corner of the original scene or the position of the
    photographer, so tables in its layout (with a column `geometa_cap`) have the precision `point`;
    other tables with coordinates have the precision `exact`.
    """

    def __init__(self, frame: pd.DataFrame, origin: str) -> None:
        """Index `frame` by its column of image names.

        Args:
            frame: the table.
            origin: name of the table, for error messages.

        Raises:
            MissingColumnError: no column contains image names.
        """
        frame = rename_columns(frame)
        if "img_name" not in frame:
            raise MissingColumnError(
                f"{origin} has no column of image names (img_name, filename, ...); "
                f"it has {', '.join(map(str, frame.columns))}"
            )
        keys = pd.Series(list(map(cell_text, frame["img_name"])), frame.index, str)
        frame, keys = frame[keys != ""], keys[keys != ""]
        self.duplicates = int(keys.duplicated().sum())
        """Rows ignored because an earlier row has the same name."""
        first = frame.loc[~keys.duplicated()]
        self.precision: LocationPrecision = "point" if "geometa_cap" in frame else "exact"
        """Location precision of its coordinates."""
        rows = first.drop(columns="img_name").to_dict("records")
        self._rows = dict(zip(keys.loc[first.index], rows, strict=True))
        self._used: set[str] = set()

    @classmethod
    def read(cls, *paths: Path) -> "Geometa":
        """Read and concatenate one or several tables (CSV, TSV, Parquet, pickled frame).

        Raises:
            SourceError: a file is not a table, or has no column of image names.
        """
        tables = [cls(read_table(path), path.name) for path in paths]
        first = tables[0]
        for table in tables[1:]:
            first.duplicates += table.duplicates + len(first._rows.keys() & table._rows.keys())
            first._rows = table._rows | first._rows
            first.precision = "point" if "point" in (first.precision, table.precision) else "exact"
        return first

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def unused(self) -> int:
        """Number of names that no image has."""
        return len(self._rows) - len(self._used)

    def find(self, *names: str) -> dict[Hashable, Any] | None:
        """Row of the first of `names` that the table has, in any of RS5M's spellings; else None."""
        for name in names:
            for spelling in _spellings(name):
                if spelling in self._rows:
                    self._used.add(spelling)
                    return self._rows[spelling]
        return None


def _spellings(name: str) -> tuple[str, ...]:
    """Names of an image in tables: with or without folder, suffix, and prefix of RS5M's subsets.

    RS5M's `ben_489390.jpg` is `489390` or `489390.jpg` in BigEarthNet's tables; PUB11 names have no
    suffix in its metadata and `.jpg` in that of YFCC.
    """
    file_name = name.rsplit("/", 1)[-1]
    stem = file_name.rsplit(".", 1)[0]
    spellings = [name, file_name, stem, f"{stem}.jpg"] if file_name else []
    prefix, _, rest = file_name.partition("_")
    if prefix in ("fmow", "ben", "millionaid") and rest:
        spellings += [rest, rest.rsplit(".", 1)[0]]
    return tuple(spellings)
