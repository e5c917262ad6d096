"""Lists of outliers: images of a source that are no remote sensing, by the name of their image.

RS5M removed such pairs by thresholds of two models, and its users share lists of more. A list is a
text file with one name a line, or a table with a column of names.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from terraseek.catalogue.catalogue import Catalogue
from terraseek.catalogue.importing.columns.cells import cell_text
from terraseek.catalogue.importing.image_names import canonical_name
from terraseek.catalogue.importing.tables import TABLE_SUFFIXES, iterate_table, rename_columns
from terraseek.catalogue.importing.writing.rewrite import replace_column
from terraseek.catalogue.items_file import open_items
from terraseek.catalogue.locking import exclusive
from terraseek.errors import CatalogueError, MissingColumnError
from terraseek.files import write_text

__all__ = ["OUTLIER", "mark_outliers", "read_names", "write_outliers"]

OUTLIER = "outlier"
"""Column that is 1 in the rows of outliers; filter them out with the SQL `outlier IS NULL`."""
_BLOCK = 1 << 16


def read_names(path: Path) -> list[str]:
    """Read the names of a list: one a line, or the image names of a table.

    Raises:
        SourceError: a table cannot be read, or has no column of image names.
        OSError: the file cannot be read.
    """
    if path.suffix.lower() not in TABLE_SUFFIXES:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        return [line.strip() for line in lines if line.strip()]
    names: list[str] = []
    for piece in iterate_table(path):
        frame = rename_columns(piece)
        if "img_name" not in frame:
            raise MissingColumnError(
                f"{path.name} has no column of image names (img_name, filename, ...); give one, or "
                "a text file with one name a line"
            )
        names += [name for name in map(cell_text, frame["img_name"]) if name]
    return names


def mark_outliers(path: str | Path, names: Iterable[str], clear: bool = False) -> tuple[int, int]:
    """Mark the items whose image has one of these names, in any spelling of RS5M's.

    Args:
        path: folder of the catalogue.
        names: names of images.
        clear: whether to remove the marks of earlier lists first.

    Returns:
        Number of items that are marked now, and of names that no image has.

    Raises:
        CatalogueError: another process is changing the catalogue, or its items have no names.
    """
    import pyarrow as pa

    folder = Path(path).absolute()
    Catalogue.open(folder)
    with exclusive(folder):
        table, _ = open_items(folder)
        if "img_name" not in table.column_names:
            raise CatalogueError(f"the items of {folder.name} have no names of images (img_name)")
        wanted = set(map(canonical_name, names))
        marked = np.zeros(table.num_rows, bool)
        known: set[str] = set()
        for start in range(0, table.num_rows, _BLOCK):
            block = table["img_name"].slice(start, _BLOCK).to_pylist()
            keys = [canonical_name(name or "") for name in block]
            marked[start : start + len(keys)] = [key in wanted for key in keys]
            known.update(key for key in keys if key in wanted)
        if OUTLIER in table.column_names and not clear:
            marked |= table[OUTLIER].to_numpy() == 1
        if marked.any():
            replace_column(folder, OUTLIER, pa.array(np.ones(len(marked), np.int64), mask=~marked))
        else:
            replace_column(folder, OUTLIER, None)
        unknown = len(wanted - known)
    return int(marked.sum()), unknown


def write_outliers(path: str | Path, out: Path) -> int:
    """Write the names of the marked images, one a line; returns their number."""
    catalogue = Catalogue.open(path)
    names: list[str] = []
    if OUTLIER in catalogue.columns:
        items = catalogue.items(["img_name", OUTLIER])
        names = items.loc[items[OUTLIER] == 1, "img_name"].tolist()
    write_text(out, "".join(f"{name}\n" for name in names))
    return len(names)
