"""Metadata tables joined to images by name: RS5M's geometa CSVs and any table like them."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import pandas as pd

from terraseek.catalogue.importing.tables import read_table, rename_usual
from terraseek.catalogue.records import LocationPrecision
from terraseek.errors import MissingColumnError

__all__ = ["Geometa"]


class Geometa:
    """Rows of a metadata table, found by image name.

    A name listed twice keeps its first row; the others are counted in `duplicates`. RS5M's geometa
    of FMoW and YFCC gives a corner of the original scene or the photographer's place, so tables in
    its layout (a column `geometa_cap`) locate with precision `point`; a plain coordinate table
    states where each image is, precision `exact`.
    """

    def __init__(self, frame: pd.DataFrame, origin: str) -> None:
        """Index `frame` by its column of image names.

        Raises:
            MissingColumnError: no column holds image names.
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
        """How well its coordinates locate an image."""
        rows = kept.drop(columns="img_name").to_dict("records")
        self._rows = dict(zip(keys.loc[kept.index], rows, strict=True))
        self._used: set[str] = set()

    @classmethod
    def read(cls, *paths: Path) -> "Geometa":
        """Read one or several CSV, TSV, Parquet tables or pickled frames, one below the other.

        Raises:
            SourceError: one is no table, or has no column of image names.
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
        """Names no image has asked for."""
        return len(self._rows) - len(self._used)

    def find(self, *names: str) -> dict[Hashable, Any] | None:
        """The row of the first of `names` that is listed, also in RS5M's other spellings."""
        for name in names:
            for form in _forms(name):
                if form in self._rows:
                    self._used.add(form)
                    return self._rows[form]
        return None


def _forms(name: str) -> tuple[str, ...]:
    """What a table may call an image: with or without folder, ending, and RS5M's subset prefix.

    RS5M's `ben_489390.jpg` is `489390` or `489390.jpg` in BigEarthNet's tables; PUB11 names have no
    ending in its metadata and `.jpg` in YFCC's.
    """
    bare = name.rsplit("/", 1)[-1]
    stem = bare.rsplit(".", 1)[0]
    forms = [name, bare, stem, f"{stem}.jpg"] if bare else []
    prefix, _, rest = bare.partition("_")
    if prefix in ("fmow", "ben", "millionaid") and rest:
        forms += [rest, rest.rsplit(".", 1)[0]]
    return tuple(forms)
