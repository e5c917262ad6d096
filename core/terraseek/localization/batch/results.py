"""Results of a batch: rows, their order, the journal from which a run resumes, and the tables."""

import csv
import io
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terraseek.files import atomic_path, text_cell, write_text
from terraseek.significance.model import Level

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["COLUMNS", "Journal", "RowResult", "ranked", "write_tables"]

_LEVEL_ORDER: dict[Level | None, int] = {"likely": 0, "possible": 1, "none": 2, None: 3}


@dataclass(frozen=True, slots=True)
class RowResult:
    """What was found for one sentence in one scene."""

    scene: str
    sentence: str
    status: str
    """`done` or `failed`."""
    key: str
    """Hash of the scene's file, the sentence, the options and the model."""
    significance: Level | None = None
    """Level of the heat map; None if it is unknown."""
    probability: float | None = None
    """Probability (0-1) on which the level was decided."""
    best_score: float | None = None
    """Highest cosine."""
    lon: float | None = None
    """Longitude of the best place, EPSG:4326; None in pixel space."""
    lat: float | None = None
    """Latitude of the best place."""
    col: int | None = None
    """Column of the best pixel."""
    row: int | None = None
    """Row of the best pixel."""
    threshold: float | None = None
    """Lowest cosine of a region."""
    regions: int | None = None
    """Number of regions."""
    region_area_m2: float | None = None
    """Area of all regions in square metres; None in pixel space."""
    likely_area_m2: float | None = None
    """The same of the regions that are likely: the area that may be counted."""
    region_area_px: float | None = None
    """Area of all regions in pixels of the scene."""
    windows: int | None = None
    """Number of windows that were compared."""
    heat_map: str = ""
    """File of the heat map, relative to the folder of the batch."""
    region_file: str = ""
    """File of the regions."""
    thumbnail: str = ""
    """Small image of the heat map over the scene."""
    reason: str = ""
    """Why the row failed."""

    @property
    def done(self) -> bool:
        """Whether there is a heat map."""
        return self.status == "done"


COLUMNS = ("rank", *(item.name for item in fields(RowResult) if item.name != "key"))
"""Columns of the tables."""


def ranked(results: Sequence[RowResult]) -> list[RowResult]:
    """Likely rows first, then by probability and score; failed rows last."""
    return sorted(
        results,
        key=lambda one: (
            not one.done,
            _LEVEL_ORDER[one.significance],
            -(one.probability or 0.0),
            -(one.best_score or 0.0),
        ),
    )


class Journal:
    """Finished rows, one line of JSON each, written as soon as a row is finished."""

    def __init__(self, path: Path) -> None:
        """Read the rows of an earlier run; a last line that was cut off is ignored."""
        self._path = path
        self._rows: dict[str, RowResult] = {}
        text = path.read_text("utf-8") if path.is_file() else ""
        known = {item.name for item in fields(RowResult)}
        for line in text.splitlines():
            try:
                values = json.loads(line)
            except json.JSONDecodeError:
                continue
            if isinstance(values, dict) and set(values) == known:
                self._rows[values["key"]] = RowResult(**values)

    def finished(self, key: str) -> RowResult | None:
        """The row with a key, if it is done and its files are there."""
        found = self._rows.get(key)
        if found is None or not found.done:
            return None
        files = (found.heat_map, found.region_file, found.thumbnail)
        return found if all((self._path.parent / name).is_file() for name in files) else None

    def add(self, result: RowResult) -> None:
        """Add a row; it is on the disk when this returns."""
        self._rows[result.key] = result
        line = json.dumps(asdict(result), ensure_ascii=False, allow_nan=False)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"\n{line}\n" if file.tell() else f"{line}\n")  # after a line cut off
            file.flush()
            os.fsync(file.fileno())


def write_tables(folder: Path, results: Sequence[RowResult]) -> None:
    """Write `results.csv` and `results.parquet`, in the order given.

    Args:
        folder: where to.
        results: see `ranked`.
    """
    rows = [{"rank": rank, **asdict(one)} for rank, one in enumerate(results, 1)]
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: text_cell(value) for name, value in row.items()} for row in rows)
    write_text(folder / "results.csv", text.getvalue())
    _write_parquet(folder / "results.parquet", rows)


def _write_parquet(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: pa.array([row[name] for row in rows], _arrow_type(name)) for name in COLUMNS}
    with atomic_path(path) as part:
        pq.write_table(pa.table(columns), part, compression="zstd")


def _arrow_type(name: str) -> "pa.DataType":
    """Type of a column, also where it has no value."""
    import pyarrow as pa

    if name in ("rank", "col", "row", "regions", "windows"):
        return pa.int64()
    texts = (
        "scene", "sentence", "status", "significance", "heat_map", "region_file", "thumbnail",
        "reason",
    )  # fmt: skip
    return pa.string() if name in texts else pa.float64()
