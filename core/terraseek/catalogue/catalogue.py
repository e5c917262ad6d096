"""A catalogue on disk: items with their places and captions, and the images they stand for."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64, Int32, Int64, UInt8

from terraseek.catalogue.columns import SORTED, ids_of
from terraseek.catalogue.filters.apply import ItemsTable
from terraseek.catalogue.filters.filter import Filter
from terraseek.catalogue.images import read_bytes, read_image
from terraseek.catalogue.items import DELETED, FILE_COLUMNS, HIDDEN, ITEMS_FILE, open_items
from terraseek.catalogue.records import PRECISIONS, ImageRef
from terraseek.errors import CatalogueError, CatalogueNotFoundError, FilterError, ItemNotFoundError

if TYPE_CHECKING:
    import pyarrow as pa

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

    Opening reads nothing but the names of the columns; they are mapped, so memory holds what was
    asked for, however many items there are.
    """

    def __init__(self, path: Path, table: "pa.Table", sources: dict[str, Any]) -> None:
        """Wrap columns as `open_items` gives them; use `open`."""
        self.path = path
        """Folder of the catalogue, absolute."""
        self._items = table
        self._sources = sources

    @classmethod
    def open(cls, path: str | Path) -> "Catalogue":
        """Open a catalogue.

        Raises:
            CatalogueNotFoundError: there is none at `path`.
            CatalogueError: its table is damaged.
        """
        folder = Path(path).absolute()
        if not (folder / ITEMS_FILE).is_file():
            raise CatalogueNotFoundError(
                f"no catalogue at {folder}; make one with `terraseek import SOURCE --out {path}`"
            )
        return cls(folder, *open_items(folder))

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self.path.name

    @cached_property
    def count(self) -> int:
        """Number of items, deleted ones left out."""
        return int(self.alive.sum())

    def __len__(self) -> int:
        return self.count

    @property
    def rows(self) -> int:
        """Number of rows, those of deleted items among them."""
        return int(self._items.num_rows)

    @cached_property
    def alive(self) -> Bool[np.ndarray, " rows"]:
        """Which rows are items that were not deleted; not to be written to."""
        if DELETED not in self._items.column_names:
            return np.ones(self.rows, bool)
        alive: Bool[np.ndarray, " rows"] = self._items[DELETED].to_numpy() == 0
        return alive

    @property
    def columns(self) -> list[str]:
        """Columns the items have."""
        return [name for name in self._items.column_names if name not in HIDDEN]

    @cached_property
    def sources(self) -> list[str]:
        """Names of the sources, sorted."""
        return self._occurring("source")

    @cached_property
    def labels(self) -> list[str]:
        """Labels that occur, sorted; the empty one is left out."""
        return [label for label in self._occurring("label") if label]

    def _occurring(self, name: str) -> list[str]:
        """Different texts of a column, sorted."""
        column = self._items[name]
        if self.count < self.rows:
            column = column.filter(self.alive)
        return sorted(column.unique().to_pylist())

    @cached_property
    def item_ids(self) -> np.ndarray:
        """Ids by row, those of deleted items among them, as bytes (`S12`), mapped."""
        return ids_of(self._items["item_id"])

    @cached_property
    def repeats(self) -> dict[str, str]:
        """Id of the first of its group for each item that repeats one; see `duplicate_of`."""
        if "duplicate_of" not in self._items.column_names:
            return {}
        items = self._items.select(["item_id", "duplicate_of"])
        marked = np.flatnonzero(self._items["duplicate_of"].to_numpy() != "")
        repeated = items.take(marked[self.alive[marked]])
        return dict(zip(*(repeated[name].to_pylist() for name in items.column_names), strict=True))

    @cached_property
    def _table(self) -> ItemsTable:
        return ItemsTable(self._items, hidden=HIDDEN)

    @cached_property
    def order(self) -> Int32[np.ndarray, " rows"]:
        """Rows by rising id, mapped."""
        order: Int32[np.ndarray, " rows"] = self._items[SORTED].to_numpy()
        return order

    def items(
        self,
        columns: list[str] | None = None,
        where: Filter | None = None,
        *,
        deleted: bool = False,
    ) -> pd.DataFrame:
        """Items by row number; columns an image's bytes are found by are left out.

        Text is empty where unknown, numbers are NaN.

        Args:
            columns: names wanted, all otherwise.
            where: only items that meet it; the index keeps the row numbers.
            deleted: every row, those of deleted items too, so that position is row number.

        Raises:
            FilterError: a column, source or label that does not occur is asked for.
        """
        if where is not None:
            return self.at(np.flatnonzero(self.where(where)), columns)
        if self.count < self.rows and not deleted:
            return self.at(np.flatnonzero(self.alive), columns)
        frame: pd.DataFrame = self._selected(columns).to_pandas()
        return frame.copy()  # numbers are the mapped memory itself, which cannot be written to

    def at(self, rows: Int64[np.ndarray, " m"], columns: list[str] | None = None) -> pd.DataFrame:
        """Some rows, in the order given, as `items` has them; the index is their numbers.

        Raises:
            FilterError: a column that does not occur is asked for.
        """
        frame: pd.DataFrame = self._selected(columns).take(rows).to_pandas()
        return frame.set_axis(pd.Index(rows), axis="index").copy()

    def _selected(self, columns: list[str] | None) -> "pa.Table":
        shown = self.columns
        unknown = [c for c in columns or () if c not in self._items.column_names]
        if unknown:
            raise FilterError(f"no column {unknown[0]!r}; there are {', '.join(shown)}")
        return self._items.select(columns or shown)

    def texts(self) -> list[str]:
        """What to encode of each row: the caption, or of a metadata caption its own sentence.

        CLIP reads 77 tokens, and RS5M puts its metadata (128 tokens for fMoW) before the sentence
        about what is seen; see `metadata_texts`.
        """
        captions: list[str] = self._items["caption"].to_pylist()
        if "sentence" not in self._items.column_names:
            return captions
        sentences = self._items["sentence"].to_pylist()
        return [said or whole for said, whole in zip(sentences, captions, strict=True)]

    def metadata_texts(self) -> list[str]:
        """The metadata part of each row's caption; empty where `texts` has it, or there is none."""
        if "geometa_cap" not in self._items.column_names:
            return [""] * self.rows
        told = zip(self._items["geometa_cap"].to_pylist(), self.texts(), strict=True)
        return [metadata if metadata != text else "" for metadata, text in told]

    def where(self, condition: Filter) -> Bool[np.ndarray, " n"]:
        """Which rows meet a filter.

        Raises:
            FilterError: it names a source, label or column that does not occur here, or its
                condition in SQL cannot be evaluated.
        """
        if condition.sources:
            self._refuse_unknown("source", condition.sources, self.sources)
        if condition.labels:
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
        key, ids = item_id.encode(errors="replace"), self.item_ids
        place = bisect_left(self.order, key, key=lambda row: ids[row])
        if place < self.rows:
            row = int(self.order[place])
            if ids[row] == key and self.alive[row]:
                return row
        raise ItemNotFoundError(f"no item {item_id!r} in the catalogue {self.name}")

    def item(self, item_id: str) -> dict[str, Any]:
        """Everything known about an item, as JSON values; unknown values are None.

        Raises:
            ItemNotFoundError: no item has this id.
        """
        (cells,) = self.at(np.array([self.row(item_id)])).to_dict("records")
        return {str(name): _plain(value) for name, value in cells.items()}

    def image_ref(self, item_id: str) -> ImageRef:
        """Where the image of an item is.

        Raises:
            ItemNotFoundError: no item has this id.
            CatalogueError: its file is gone, or its source came without images.
        """
        row = self.row(item_id)
        file, offset, size, image, source = (
            self._items[name][row].as_py() for name in (*FILE_COLUMNS, "image", "source")
        )
        if not file:
            raise CatalogueError(f"the source of item {item_id} came without its picture")
        offset, size = (-1 if number is None else number for number in (offset, size))
        member = image.split("#", 1)[1] if size >= 0 and "#" in image else ""
        return ImageRef(self._existing(Path(file), source), offset, size, member)

    def _existing(self, file: Path, source: str) -> Path:
        """The file, also if the catalogue was moved together with its images."""
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
        """Encoded bytes of an item's image as its source has them (JPEG, WebP, TIFF, ...).

        Raises:
            ItemNotFoundError: no item has this id.
            CatalogueError: its file is gone.
            TruncatedImageError: its file has become shorter.
        """
        return read_bytes(self.image_ref(item_id))

    def read_image(
        self, item_id: str, max_side: int | None = None
    ) -> UInt8[np.ndarray, "height width 3"]:
        """RGB pixels of an item's image; rasters of any depth are stretched to 8 bits.

        Args:
            item_id: which one.
            max_side: shrink so that the longer side is at most this many pixels.

        Raises:
            ItemNotFoundError: no item has this id.
            CatalogueError: its file is gone.
            SceneError: it cannot be decoded.
        """
        return read_image(self.image_ref(item_id), max_side)

    def points(self, where: Filter | None = None) -> Points:
        """Items with coordinates, optionally only those that meet a filter."""
        lon, lat = self.lonlat()
        known = np.isfinite(lon) & np.isfinite(lat) & self.alive
        if where is not None:
            known &= self.where(where)
        row = np.flatnonzero(known).astype(np.int64)
        codes = self._codes("location_precision", PRECISIONS)
        return Points(row, lon[row], lat[row], codes[row])

    def lonlat(self) -> tuple[Float64[np.ndarray, " rows"], Float64[np.ndarray, " rows"]]:
        """Longitude and latitude of every row in degrees EPSG:4326, NaN where unknown."""
        return self._items["lon"].to_numpy(), self._items["lat"].to_numpy()

    def _codes(self, name: str, values: Sequence[str]) -> UInt8[np.ndarray, " rows"]:
        """Which of some values each row has; 255 where none of them."""
        import pyarrow as pa
        import pyarrow.compute as pc

        column = self._items[name]
        found = pc.index_in(column, value_set=pa.array(values, column.type)).fill_null(255)
        codes: UInt8[np.ndarray, " rows"] = found.to_numpy().astype(np.uint8)
        return codes


def _plain(value: object) -> object:
    """A JSON value: NaN, NA and empty text become None."""
    if value is None or value is pd.NA or value == "":
        return None
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
