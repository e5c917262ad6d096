"""A catalogue on disk: items with their places and captions, and the pictures they stand for."""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64, Int64, UInt8

from terraseek.catalogue.filtering import ItemsTable
from terraseek.catalogue.filters import Filter
from terraseek.catalogue.images import read_bytes, read_picture
from terraseek.catalogue.items import (
    DELETED,
    FILE_COLUMNS,
    HIDDEN,
    ITEMS_FILE,
    read_items,
    read_sources,
)
from terraseek.catalogue.records import PRECISIONS, ImageRef
from terraseek.errors import (
    CatalogueError,
    CatalogueNotFoundError,
    FilterError,
    ItemNotFoundError,
)

__all__ = ["Catalogue", "Points"]


@dataclass(frozen=True)
class Points:
    """Located items as arrays, for maps."""

    row: Int64[np.ndarray, " n"]
    """Row numbers in the catalogue."""
    lon: Float64[np.ndarray, " n"]
    """Degrees east, EPSG:4326."""
    lat: Float64[np.ndarray, " n"]
    """Degrees north, EPSG:4326."""
    precision: UInt8[np.ndarray, " n"]
    """Index into `records.PRECISIONS`."""


class Catalogue:
    """Read-only view of a catalogue as it was when opened; items keep their row number.

    Row numbers are those of the vectors of an `EmbeddingStore`; imports only append rows. Deleted
    items keep their row until the catalogue is compacted, and are not found in any way.
    """

    def __init__(self, path: Path, frame: pd.DataFrame, sources: dict[str, Any]) -> None:
        """Wrap a table; use `open`."""
        self.path = path
        """Folder of the catalogue, absolute."""
        self._frame = frame
        self._sources = sources

    @classmethod
    def open(cls, path: str | Path) -> "Catalogue":
        """Read a catalogue.

        Raises:
            CatalogueNotFoundError: there is none at `path`.
            CatalogueError: its table is damaged.
        """
        folder = Path(path).absolute()
        if not (folder / ITEMS_FILE).is_file():
            raise CatalogueNotFoundError(
                f"no catalogue at {folder}; make one with `terraseek import SOURCE --out {path}`"
            )
        return cls(folder, read_items(folder), read_sources(folder))

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self.path.name

    @property
    def count(self) -> int:
        """Number of items, deleted ones left out."""
        return int(self.alive.sum())

    def __len__(self) -> int:
        return self.count

    @property
    def rows(self) -> int:
        """Number of rows, those of deleted items among them."""
        return len(self._frame)

    @cached_property
    def alive(self) -> Bool[np.ndarray, " rows"]:
        """Which rows are items that were not deleted; not to be written to."""
        if DELETED not in self._frame:
            return np.ones(len(self._frame), bool)
        return (self._frame[DELETED] == 0).to_numpy(bool)

    @cached_property
    def _living(self) -> pd.DataFrame:
        return self._frame if self.count == self.rows else self._frame[self.alive]

    @property
    def columns(self) -> list[str]:
        """Columns the items have."""
        return [name for name in self._frame.columns if name not in HIDDEN]

    @cached_property
    def sources(self) -> list[str]:
        """Names of the sources, sorted."""
        return sorted(map(str, self._living["source"].unique()))

    @cached_property
    def labels(self) -> list[str]:
        """Labels that occur, sorted; the empty one is left out."""
        return sorted(str(label) for label in self._living["label"].unique() if label)

    @cached_property
    def item_ids(self) -> np.ndarray:
        """Ids by row, those of deleted items among them, as bytes (`S12`)."""
        return self._frame["item_id"].to_numpy(dtype="S12")

    @cached_property
    def _table(self) -> ItemsTable:
        return ItemsTable.of_frame(self._frame, hidden=HIDDEN)

    @cached_property
    def _rows(self) -> dict[str, int]:
        return dict(zip(self._living["item_id"], np.flatnonzero(self.alive).tolist(), strict=True))

    @cached_property
    def _places(self) -> tuple[list[str], list[int], list[int], list[str]]:
        """By row: file, first byte, length, and the reference for people."""
        offset, size = (self._frame[c].fillna(-1).astype(int).tolist() for c in FILE_COLUMNS[1:])
        return self._frame["_file"].tolist(), offset, size, self._frame["image"].tolist()

    def items(
        self,
        columns: list[str] | None = None,
        where: Filter | None = None,
        *,
        deleted: bool = False,
    ) -> pd.DataFrame:
        """Items by row number; columns a picture's bytes are found by are left out.

        Text is empty where unknown, numbers are NaN.

        Args:
            columns: names wanted, all otherwise.
            where: only items that meet it; the index keeps the row numbers.
            deleted: every row, those of deleted items too, so that position is row number.

        Raises:
            FilterError: a column, source or label that does not occur is asked for.
        """
        shown = self.columns
        unknown = [c for c in columns or () if c not in self._frame.columns]
        if unknown:
            raise FilterError(f"no column {unknown[0]!r}; there are {', '.join(shown)}")
        everything = self._frame if deleted else self._living
        rows = everything if where is None else self._frame[self.where(where)]
        return rows[columns or shown].copy()

    def texts(self) -> list[str]:
        """What to encode of each row: the caption, or of a metadata caption its own sentence.

        CLIP reads 77 tokens, and RS5M puts its metadata (128 tokens for fMoW) before the sentence
        about what is seen. The metadata are in the column `geometa_cap`, to be encoded by itself.
        """
        if "sentence" not in self._frame:
            return self._frame["caption"].tolist()
        sentence = self._frame["sentence"]
        return sentence.where(sentence != "", self._frame["caption"]).tolist()

    def where(self, condition: Filter) -> Bool[np.ndarray, " n"]:
        """Which rows meet a filter.

        Raises:
            FilterError: it names a source, label or column that does not occur here, or its
                condition in SQL cannot be evaluated.
        """
        self._refuse_unknown("source", condition.sources, self.sources)
        self._refuse_unknown("label", condition.labels, self.labels)
        passed: Bool[np.ndarray, " n"] = self._table.mask(condition) & self.alive
        return passed

    def _refuse_unknown(self, what: str, asked: tuple[str, ...], known: list[str]) -> None:
        folded = {name.casefold() if what == "label" else name for name in known}
        for name in asked:
            if (name.casefold() if what == "label" else name) not in folded:
                shown = ", ".join(known[:20]) or "none"
                raise FilterError(f"no item has the {what} {name!r}; there are: {shown}")

    def row(self, item_id: str) -> int:
        """Row number of an item.

        Raises:
            ItemNotFoundError: no item has this id.
        """
        row = self._rows.get(item_id)
        if row is None:
            raise ItemNotFoundError(f"no item {item_id!r} in the catalogue {self.name}")
        return row

    def item(self, item_id: str) -> dict[str, Any]:
        """Everything known about an item, as JSON values; unknown values are None.

        Raises:
            ItemNotFoundError: no item has this id.
        """
        series = self._frame.iloc[self.row(item_id)]
        return {str(k): _plain(v) for k, v in series.items() if k not in HIDDEN}

    def image_ref(self, item_id: str) -> ImageRef:
        """Where the picture of an item is.

        Raises:
            ItemNotFoundError: no item has this id.
            CatalogueError: its file is gone, or its source came without pictures.
        """
        row = self.row(item_id)
        files, offsets, sizes, images = self._places
        if not files[row]:
            raise CatalogueError(f"the source of item {item_id} came without its picture")
        path = self._existing(Path(files[row]), str(self._frame["source"].iat[row]))
        member = images[row].split("#", 1)[1] if sizes[row] >= 0 and "#" in images[row] else ""
        return ImageRef(path, int(offsets[row]), int(sizes[row]), member)

    def _existing(self, file: Path, source: str) -> Path:
        """The file, also if the catalogue was moved together with its pictures."""
        if file.exists():
            return file
        root = self._sources.get(source, {}).get("root")
        if root is not None:
            before = Path(root)
            for old, new in ((before, self.path), (before.parent, self.path.parent)):
                if file.is_relative_to(old) and (new / file.relative_to(old)).exists():
                    return new / file.relative_to(old)
        raise CatalogueError(
            f"the picture file {file} of source {source!r} is gone; "
            "put it back or import the source again from its new place"
        )

    def image_bytes(self, item_id: str) -> bytes:
        """Encoded bytes of an item's picture as its source has them (JPEG, WebP, TIFF, ...).

        Raises:
            ItemNotFoundError: no item has this id.
            CatalogueError: its file is gone.
            TruncatedImageError: its file has become shorter.
        """
        return read_bytes(self.image_ref(item_id))

    def read_image(
        self, item_id: str, max_side: int | None = None
    ) -> UInt8[np.ndarray, "height width 3"]:
        """RGB pixels of an item's picture; rasters of any depth are stretched to 8 bits.

        Args:
            item_id: which one.
            max_side: shrink so that the longer side is at most this many pixels.

        Raises:
            ItemNotFoundError: no item has this id.
            CatalogueError: its file is gone.
            SceneError: it cannot be decoded.
        """
        return read_picture(self.image_ref(item_id), max_side)

    def points(self, where: Filter | None = None) -> Points:
        """Items with coordinates, optionally only those that meet a filter."""
        lon, lat = self._frame["lon"].to_numpy(), self._frame["lat"].to_numpy()
        known = np.isfinite(lon) & np.isfinite(lat) & self.alive
        if where is not None:
            known &= self.where(where)
        row = np.flatnonzero(known).astype(np.int64)
        codes = pd.Categorical(self._frame["location_precision"], categories=PRECISIONS).codes
        return Points(row, lon[row], lat[row], codes[row].astype(np.uint8))


def _plain(value: object) -> object:
    """A JSON value: NaN, NA and empty text become None."""
    if value is None or value is pd.NA or value == "":
        return None
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
