"""Tables with one image per row: CSV, TSV, Parquet, pickled pandas frame."""

from pathlib import Path

from terraseek.catalogue.importing.columns.cells import cell_text
from terraseek.catalogue.importing.columns.table_rows import row_columns
from terraseek.catalogue.importing.geometa import add_precision
from terraseek.catalogue.importing.lookup import ImageLookup
from terraseek.catalogue.importing.readers.reader import OpenedSource, Reader
from terraseek.catalogue.importing.tables import (
    TABLE_SUFFIXES,
    find_column,
    iterate_table,
    read_table,
    rename_columns,
)
from terraseek.catalogue.records import Broken, Record, Records
from terraseek.errors import MissingColumnError, SourceError

__all__ = ["TABLE", "find_image_table", "read_rows"]

_MAX_TABLES = 3
_GENERIC_NAMES = frozenset(
    {"items", "labels", "metadata", "index", "captions", "annotations", "data", "train"}
)
"""File names that describe the content but not the source, whose name is then its folder's."""


def read_rows(path: Path, images: Path | None) -> Records:
    """Read every row whose image is found; further captions are in `caption_2` and so on.

    Raises:
        MissingColumnError: no column names the images.
        SourceError: the table cannot be read.
    """
    frame = add_precision(rename_columns(read_table(path)))
    if "img_name" not in frame:
        raise MissingColumnError(
            f"{path.name} has no column of image names (filename, image, img_name, ...); "
            f"it has {', '.join(map(str, frame.columns))}"
        )
    lookup = ImageLookup(path.parent, images, map(cell_text, frame["img_name"]))
    for number, row in enumerate(frame.to_dict("records"), start=2):
        name = cell_text(row["img_name"])
        ref = lookup.find(name)
        if ref is None:
            yield Broken(f"{path.name} line {number}", lookup.missing_reason(name))
            continue
        yield Record(name, ref, row_columns(row, name))


def find_image_table(folder: Path) -> Path | None:
    """Find the table in a folder that names images; None if there is none or too many tables."""
    tables = [p for p in sorted(folder.iterdir()) if p.suffix.lower() in TABLE_SUFFIXES]
    if len(tables) > _MAX_TABLES:
        return None
    return next((path for path in tables if _names_images(path)), None)


def _names_images(path: Path) -> bool:
    try:
        return find_column(next(iterate_table(path)).columns, "img_name") is not None
    except SourceError:
        return False


def _is_table(path: Path) -> bool:
    if path.is_dir():
        return find_image_table(path) is not None
    return path.suffix.lower() in TABLE_SUFFIXES


def _open(path: Path, images: Path | None) -> OpenedSource:
    table = find_image_table(path) if path.is_dir() else path
    if table is None:
        raise SourceError(f"{path} contains no table with a column of image names")
    name = path.name if path.is_dir() else _source_name(path)
    return OpenedSource("table", name, table, lambda: read_rows(table, images))


def _source_name(path: Path) -> str:
    """Name of the source of a table: `demo` for `demo/items.csv`, else the file name."""
    is_generic = path.stem.lower() in _GENERIC_NAMES
    return path.parent.name if is_generic and path.parent.name else path.stem


TABLE = Reader("table", _is_table, _open, has_vectors=True)
"""It has vectors if the table has the columns `vector_file` and `vector_row`."""
