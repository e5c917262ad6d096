"""Tables about images that are not there: RS5M's metadata, NER and geometa tables alone.

Each row is an item without an image. Text tables are read in pieces, so that memory does not grow
with their size.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from terraseek.catalogue.importing.blocks.record_block import RecordBlock
from terraseek.catalogue.importing.columns.cells import cell_text
from terraseek.catalogue.importing.geometa import add_precision
from terraseek.catalogue.importing.image_names import subset_of
from terraseek.catalogue.importing.readers.reader import OpenedSource, Reader
from terraseek.catalogue.importing.readers.table import TABLE
from terraseek.catalogue.importing.tables import TABLE_SUFFIXES, iterate_table, rename_columns
from terraseek.catalogue.records import Records
from terraseek.errors import MissingColumnError, SourceError

__all__ = ["METADATA", "is_metadata", "read_metadata"]

_COLUMNS = {"geometa_cap", "entity", "download_status", "subset_name"}
"""Columns of RS5M's tables, by their names in the catalogue; other tables rarely have them."""
_PICKLED_NAME = re.compile(r"rs5m|pub11|rs3|geometa", re.IGNORECASE)
_ROWS_CHECKED = 20


def is_metadata(path: Path) -> bool:
    """Whether a table is one of RS5M's, and its first images are not files beside it.

    It is one by a column that only RS5M's tables have, or by the names of its images, which begin
    with a subset of RS5M. Pickled frames are recognised by the name of the file only.
    """
    suffix = path.suffix.lower()
    if not path.is_file() or suffix not in TABLE_SUFFIXES:
        return False
    if suffix in (".pkl", ".pickle"):
        return _PICKLED_NAME.search(path.stem) is not None
    try:
        first = rename_columns(next(iterate_table(path, _ROWS_CHECKED)))
    except SourceError:
        return False  # the reader of tables has the error
    if "img_name" not in first:
        return False
    names = [cell_text(name) for name in first["img_name"][:_ROWS_CHECKED]]
    if any(name and (path.parent / name).is_file() for name in names):
        return False
    return bool(_COLUMNS & set(first.columns)) or (bool(names) and all(map(subset_of, names)))


def read_metadata(path: Path) -> Records:
    """Read every row; rows without the name of an image are `Broken`.

    Raises:
        MissingColumnError: no column names the images.
        SourceError: the table cannot be read.
    """
    for block in read_blocks(path):
        for row, record in enumerate(block.records()):
            yield record if record.key else block.broken(row, path)


def read_blocks(path: Path) -> Iterator[RecordBlock]:
    """Read the rows in pieces; raises as `read_metadata`."""
    line = 2
    for piece in iterate_table(path):
        frame = add_precision(rename_columns(piece))
        if "img_name" not in frame:
            raise MissingColumnError(
                f"{path.name} has no column of image names (filename, image, img_name, ...); "
                f"it has {', '.join(map(str, frame.columns))}"
            )
        yield RecordBlock([cell_text(name) for name in frame["img_name"]], frame, line)
        line += len(frame)


def _open(path: Path, images: Path | None) -> OpenedSource:
    if images is not None:
        return TABLE.open(path, images)
    if not path.is_file():
        raise SourceError(f"{path} is a folder; name the table of metadata in it")
    return OpenedSource(
        "metadata",
        path.stem,
        path,
        lambda: read_metadata(path),
        has_images=False,
        blocks=lambda: read_blocks(path),
    )


METADATA = Reader("metadata", is_metadata, _open)
"""With a folder of images, the table is read by `table.TABLE` instead."""
