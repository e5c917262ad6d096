"""Metadata tables joined to pictures by name: RS5M's geometa CSVs and any table like them."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import pandas as pd

from terraseek.catalogue.records import LocationPrecision
from terraseek.catalogue.tables import read_table, rename_usual
from terraseek.errors import MissingColumnError

__all__ = ["Geometa"]


class Geometa:
    """Rows of a metadata table, found by picture name.

    A name listed twice keeps its first row; the others are counted in `duplicates`. RS5M's geometa
    of FMoW and YFCC gives a corner of the original scene or the photographer's place, so tables in
    its layout (a column `geometa_cap`) locate with precision `point`; a plain coordinate table
    states where each picture is, precision `exact`.
    """

    def __init__(self, frame: pd.DataFrame, origin: str) -> None:
        """Index `frame` by its column of picture names.

        Raises:
            MissingColumnError: no column holds picture names.
        """
        frame = rename_usual(frame)
        if "img_name" not in frame:
            raise MissingColumnError(
                f"{origin} has no column of picture names (img_name, filename, ...); "
                f"it has {', '.join(map(str, frame.columns))}"
            )
        keys = frame["img_name"].astype(str).str.strip()
        self.duplicates = int(keys.duplicated().sum())
        """Rows dropped because their name came before."""
        kept = frame.loc[~keys.duplicated()]
        self.precision: LocationPrecision = "point" if "geometa_cap" in frame else "exact"
        """How well its coordinates locate a picture."""
        rows = kept.drop(columns="img_name").to_dict("records")
        self._rows = dict(zip(keys.loc[kept.index], rows, strict=True))
        self._used: set[str] = set()

    @classmethod
    def read(cls, path: Path) -> "Geometa":
        """Read a CSV, TSV or Parquet table.

        Raises:
            SourceError: it is no table, or has no column of picture names.
        """
        return cls(read_table(path), path.name)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def unused(self) -> int:
        """Names no picture has asked for."""
        return len(self._rows) - len(self._used)

    def find(self, *names: str) -> dict[Hashable, Any] | None:
        """The row of the first of `names` that is listed, with or without path and ending."""
        for name in names:
            for form in (name, name.rsplit("/", 1)[-1], name.rsplit("/", 1)[-1].rsplit(".", 1)[0]):
                if form in self._rows:
                    self._used.add(form)
                    return self._rows[form]
        return None
