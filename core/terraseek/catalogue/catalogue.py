"""A catalogue on disk: items with location and caption, and access to their images."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64, Int32, Int64, UInt8

from terraseek.catalogue.columns import (
    RowsById,
    all_rows_by_id,
    check_large_columns,
    id_array,
    raise_if_changed,
)
from terraseek.catalogue.filters.apply import ItemsTable
from terraseek.catalogue.filters.facets import Facet, facet_counts, facet_names, without_column
from terraseek.catalogue.filters.filter import Filter
from terraseek.catalogue.images import read_bytes, read_image
from terraseek.catalogue.items import DELETED, FILE_COLUMNS, HIDDEN_COLUMNS
from terraseek.catalogue.items_file import ITEMS_FILE, open_items
from terraseek.catalogue.records import PRECISIONS, ImageRef
from terraseek.errors import CatalogueError, CatalogueNotFoundError, FilterError, ItemNotFoundError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Catalogue", "Points"]


@dataclass(frozen=True)
class Points:
    """Items with coordinates, as arrays, for maps."""

    row: Int64[np.ndarray, " n"]
    """Row numbers in the catalogue."""
    lon: Float64[np.ndarray, " n"]
    """Degrees east, EPSG:4326."""
    lat: Float64[np.ndarray, " n"]
    """Degrees north, EPSG:4326."""
    precision: UInt8[np.ndarray, " n"]
    """Index into `records.PRECISIONS`."""


class Catalogue:
    """Read-only snapshot of a catalogue at the moment it was opened.

    Every item has a row number, which is also the row of its vectors in an `EmbeddingStore`;
    imports only append rows. A deleted item keeps its row until the catalogue is compacted, but no
    method returns it.

    Opening reads only the names of the columns. The columns are memory-mapped, so that memory use
    depends on what is read, not on the number of items.
    """

    def __init__(self, path: Path, table: "pa.Table", sources: dict[str, Any]) -> None:
        """Wrap the result of `open_items`; use `open` instead."""
        self.path = path
        """Folder of the catalogue, absolute."""
        self._items = table
        self._sources = sources
        self._checks = check_large_columns(path)

    @classmethod
    def open(cls, path: str | Path) -> "Catalogue":
        """Open a catalogue.

        Raises:
            CatalogueNotFoundError: there is no catalogue at `path`.
            CatalogueError: the items table is damaged.
        """
        folder = Path(path).absolute()
        if not (folder / ITEMS_FILE).is_file():
            raise CatalogueNotFoundError(
                f"no catalogue at {folder}; make one with `terraseek import SOURCE --out {path}`"
            )
        return cls(folder, *open_items(folder))

    def __repr__(self) -> str:
        return f"<Catalogue {self.name!r}: {self.count:,} items, {self.path}>"

    def _repr_html_(self) -> str:
        """Table of name, folder, numbers of items and sources, for notebooks."""
        from terraseek.catalogue.notebook import catalogue_html

        sources = self._items["source"].filter(self.active).value_counts().to_pylist()
        return catalogue_html(
            self.name,
            self.path,
            self.count,
            len(self.points().row),
            {pair["values"]: pair["counts"] for pair in sources},
        )

    @property
    def name(self) -> str:
        """Name of the catalogue's folder."""
        return self.path.name

    @cached_property
    def count(self) -> int:
        """Number of items, without deleted ones."""
        return int(self.active.sum())

    def __len__(self) -> int:
        return self.count

    @property
    def row_count(self) -> int:
        """Number of rows, including those of deleted items."""
        return int(self._items.num_rows)

    @cached_property
    def active(self) -> Bool[np.ndarray, " rows"]:
        """Boolean mask of the rows whose item is not deleted; do not write to it."""
        if DELETED not in self._items.column_names:
            return np.ones(self.row_count, bool)
        active: Bool[np.ndarray, " rows"] = self._items[DELETED].to_numpy() == 0
        return active

    @cached_property
    def has_image(self) -> Bool[np.ndarray, " rows"]:
        """Boolean mask of the rows whose item has an image; those of metadata alone have none."""
        import pyarrow.compute as pc

        mask: Bool[np.ndarray, " rows"] = pc.not_equal(self._items["_file"], "").to_numpy()
        return mask

    @property
    def columns(self) -> list[str]:
        """Names of the columns that users can see."""
        return [name for name in self._items.column_names if name not in HIDDEN_COLUMNS]

    @cached_property
    def sources(self) -> list[str]:
        """Source names, sorted."""
        return self._distinct("source")

    @cached_property
    def labels(self) -> list[str]:
        """Labels, sorted, without empty text."""
        return [label for label in self._distinct("label") if label]

    def _distinct(self, name: str) -> list[str]:
        """Distinct values of a text column, sorted."""
        column = self._items[name]
        if self.count < self.row_count:
            column = column.filter(self.active)
        return sorted(column.unique().to_pylist())

    @cached_property
    def item_ids(self) -> np.ndarray:
        """Item id of every row, including deleted items, as bytes (`S12`), memory-mapped."""
        return id_array(self._items["item_id"])

    @cached_property
    def duplicate_of(self) -> dict[str, str]:
        """For each item marked as a near-duplicate, the id of the first item of its group."""
        if "duplicate_of" not in self._items.column_names:
            return {}
        items = self._items.select(["item_id", "duplicate_of"])
        marked = np.flatnonzero(self._items["duplicate_of"].to_numpy() != "")
        marked_items = items.take(marked[self.active[marked]])
        ids, firsts = (marked_items[name].to_pylist() for name in items.column_names)
        return dict(zip(ids, firsts, strict=True))

    @cached_property
    def _table(self) -> ItemsTable:
        return ItemsTable(self._items, hidden=HIDDEN_COLUMNS)

    @cached_property
    def rows_by_id(self) -> Int32[np.ndarray, " rows"]:
        """Row numbers in ascending order of their item id."""
        return all_rows_by_id(self._items)

    def items(
        self,
        columns: list[str] | None = None,
        where: Filter | None = None,
        *,
        deleted: bool = False,
    ) -> pd.DataFrame:
        """Items as a table whose index is the row number.

        Unknown text is empty; unknown numbers are NaN.

        Args:
            columns: columns to read; None reads all of `columns`.
            where: keep only the items that meet this filter.
            deleted: include deleted items, so that position equals row number.

        Raises:
            FilterError: a column, source or label does not exist in this catalogue.
        """
        if where is not None:
            return self.items_at(np.flatnonzero(self.mask(where)), columns)
        if self.count < self.row_count and not deleted:
            return self.items_at(np.flatnonzero(self.active), columns)
        frame: pd.DataFrame = self._select(columns).to_pandas()
        return frame.copy()  # numbers are views of the read-only mapped memory

    def items_at(
        self, rows: Int64[np.ndarray, " m"], columns: list[str] | None = None
    ) -> pd.DataFrame:
        """Items of the given rows, in that order; the index is the row number.

        Raises:
            FilterError: a column does not exist in this catalogue.
        """
        frame: pd.DataFrame = self._select(columns).take(rows).to_pandas()
        return frame.set_axis(pd.Index(rows), axis="index").copy()

    def _select(self, columns: list[str] | None) -> "pa.Table":
        raise_if_changed(self._checks)
        known = self.columns
        unknown = [c for c in columns or () if c not in self._items.column_names]
        if unknown:
            raise FilterError(f"no column {unknown[0]!r}; there are {', '.join(known)}")
        return self._items.select(columns or known)

    def texts(self) -> list[str]:
        """Text to encode for each row: the caption, or its generated sentence.

        CLIP reads 77 tokens, and RS5M puts the metadata (128 tokens for fMoW) before the generated
        sentence about the image content; the metadata is in `metadata_texts`.
        """
        captions: list[str] = self._items["caption"].to_pylist()
        if "sentence" not in self._items.column_names:
            return captions
        sentences = self._items["sentence"].to_pylist()
        return [sentence or caption for sentence, caption in zip(sentences, captions, strict=True)]

    def metadata_texts(self) -> list[str]:
        """Metadata sentence of each row; empty if there is none or `texts` returns it already."""
        if "geometa_cap" not in self._items.column_names:
            return [""] * self.row_count
        sentences: list[str] = self._items["geometa_cap"].to_pylist()
        pairs = zip(sentences, self.texts(), strict=True)
        return [metadata if metadata != text else "" for metadata, text in pairs]

    def mask(self, where: Filter) -> Bool[np.ndarray, " rows"]:
        """Boolean mask of the rows whose item meets a filter and is not deleted.

        Raises:
            FilterError: it names a source, label or column that does not exist in this catalogue,
                or its SQL condition cannot be evaluated.
        """
        raise_if_changed(self._checks)
        if where.sources:
            self._check_known("source", where.sources, self.sources)
        if where.labels:
            self._check_known("label", where.labels, self.labels)
        passed: Bool[np.ndarray, " rows"] = self._table.mask(where) & self.active
        return passed

    @cached_property
    def facet_names(self) -> list[str]:
        """Columns whose values can be counted by `facets`, the most useful first."""
        return facet_names(self._items, self.columns)

    def facets(self, names: Sequence[str], where: Filter | None = None) -> "dict[str, Facet]":
        """Count the items by the values of columns.

        Args:
            names: columns, or `month` and `year` of the date.
            where: counts only items that meet it; its own conditions on a column are left out of
                the counts of that column, so that other values can be chosen.

        Raises:
            FilterError: the filter cannot be used.
        """
        groups: dict[Filter, list[str]] = {}
        for name in names:
            groups.setdefault(without_column(where or Filter(), name), []).append(name)
        found: dict[str, Facet] = {}
        for others, group in groups.items():
            passed = self.mask(others) if others else self.active
            rows = None if passed.all() else passed
            found |= facet_counts(self._items, group, rows)
        return {name: found[name] for name in names}

    def _check_known(self, what: str, names: tuple[str, ...], known: list[str]) -> None:
        folded = {name.casefold() if what == "label" else name for name in known}
        for name in names:
            if (name.casefold() if what == "label" else name) not in folded:
                shown = ", ".join(known[:20]) or "none"
                raise FilterError(f"no item has the {what} {name!r}; there are: {shown}")

    def row(self, item_id: str) -> int:
        """Row number of an item.

        Raises:
            ItemNotFoundError: no item has this id.
        """
        row = self._rows.row(item_id)
        if row is not None and self.active[row]:
            return row
        raise ItemNotFoundError(f"no item {item_id!r} in the catalogue {self.name}")

    @cached_property
    def _rows(self) -> RowsById:
        return RowsById(self._items)

    def row_even_if_deleted(self, item_id: str) -> int | None:
        """Row number of an item, also of a deleted one; None if no item has this id."""
        return self._rows.row(item_id)

    def item(self, item_id: str) -> dict[str, Any]:
        """All columns of an item as JSON values; unknown values are None.

        Raises:
            ItemNotFoundError: no item has this id.
        """
        (cells,) = self.items_at(np.array([self.row(item_id)])).to_dict("records")
        return {str(name): _json_value(value) for name, value in cells.items()}

    def image_ref(self, item_id: str) -> ImageRef:
        """Location of an item's image on disk.

        Raises:
            ItemNotFoundError: no item has this id.
            CatalogueError: its file is missing, or its source has no images.
        """
        row = self.row(item_id)
        file, offset, size, image, source = (
            self._items[name][row].as_py() for name in (*FILE_COLUMNS, "image", "source")
        )
        if not file:
            raise CatalogueError(
                f"item {item_id} has no image: its source was imported without images; import "
                "shards with images of the same names to attach them"
            )
        offset, size = (-1 if number is None else number for number in (offset, size))
        member = image.split("#", 1)[1] if size >= 0 and "#" in image else ""
        return ImageRef(self._resolve(Path(file), source), offset, size, member)

    def _resolve(self, file: Path, source: str) -> Path:
        """Path of an image file, also after the catalogue was moved together with its images."""
        if file.exists():
            return file
        root = self._sources.get(source, {}).get("root")
        if root is not None:
            old_root = Path(root)
            for old, new in ((old_root, self.path), (old_root.parent, self.path.parent)):
                if file.is_relative_to(old) and (new / file.relative_to(old)).exists():
                    return new / file.relative_to(old)
        raise CatalogueError(
            f"the image file {file} of source {source!r} is missing; "
            "put it back or import the source again from its new location"
        )

    def image_bytes(self, item_id: str) -> bytes:
        """Encoded bytes of an item's image, as in its source (JPEG, WebP, TIFF, ...).

        Raises:
            ItemNotFoundError: no item has this id.
            CatalogueError: its file is missing.
            TruncatedImageError: its file has become shorter since the import.
        """
        return read_bytes(self.image_ref(item_id))

    def read_image(
        self, item_id: str, max_side: int | None = None, verify: bool = False
    ) -> UInt8[np.ndarray, "height width 3"]:
        """RGB pixels of an item's image; rasters of any depth are stretched to 8 bits.

        Args:
            item_id: id of the item.
            max_side: shrink so that the longer side is at most this many pixels.
            verify: refuse damage that Pillow does not report, as an import does.

        Raises:
            ItemNotFoundError: no item has this id.
            CatalogueError: its file is missing.
            SceneError: the image cannot be decoded.
        """
        return read_image(self.image_ref(item_id), max_side, verify)

    def points(self, where: Filter | None = None) -> Points:
        """Items with coordinates; with a filter, only those that meet it."""
        lon, lat = self.lonlat()
        known = np.isfinite(lon) & np.isfinite(lat) & self.active
        if where is not None:
            known &= self.mask(where)
        row = np.flatnonzero(known).astype(np.int64)
        codes = self._codes("location_precision", PRECISIONS)
        return Points(row, lon[row], lat[row], codes[row])

    def lonlat(self) -> tuple[Float64[np.ndarray, " rows"], Float64[np.ndarray, " rows"]]:
        """Longitude and latitude of every row in degrees EPSG:4326, NaN where unknown."""
        return self._items["lon"].to_numpy(), self._items["lat"].to_numpy()

    def _codes(self, name: str, values: Sequence[str]) -> UInt8[np.ndarray, " rows"]:
        """Index into `values` of each row of a text column; 255 if it is none of them."""
        import pyarrow as pa
        import pyarrow.compute as pc

        column = self._items[name]
        found = pc.index_in(column, value_set=pa.array(values, column.type)).fill_null(255)
        codes: UInt8[np.ndarray, " rows"] = found.to_numpy().astype(np.uint8)
        return codes


def _json_value(value: object) -> object:
    """Convert a table cell to a JSON value; NaN, NA and empty text become None."""
    if value is None or value is pd.NA or value == "":
        return None
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
