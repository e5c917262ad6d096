"""Tables that name an image a row: CSV, TSV, Parquet."""

import re
from pathlib import Path
from typing import Any

from terraseek.catalogue.importing.lookup import ImageLookup
from terraseek.catalogue.importing.tables import read_table, rename_usual
from terraseek.catalogue.records import Broken, Reading, Record
from terraseek.errors import MissingColumnError

__all__ = ["read_rows"]


def read_rows(path: Path, images: Path | None) -> Reading:
    """Every row whose image is found; further captions stay in `caption_2` and so on.

    Raises:
        MissingColumnError: no column names the images.
        SourceError: the table cannot be read.
    """
    frame = rename_usual(read_table(path))
    if "img_name" not in frame:
        raise MissingColumnError(
            f"{path.name} has no column of picture names (filename, image, img_name, ...); "
            f"it has {', '.join(map(str, frame.columns))}"
        )
    lookup = ImageLookup(path.parent, images, frame["img_name"].astype(str))
    for number, row in enumerate(frame.to_dict("records"), start=2):
        name = str(row["img_name"]).strip()
        ref = lookup.find(name)
        if ref is None:
            yield Broken(f"{path.name} line {number}", lookup.why_not(name))
            continue
        yield Record(name, ref, _columns(row, name))


def _columns(row: dict[Any, Any], name: str) -> dict[str, Any]:
    columns = {str(key): value for key, value in row.items()}
    columns["img_name"] = name
    # names the catalogue uses itself: an exported catalogue can be imported again
    for ours in ("item_id", "image", "source", "width", "height"):
        if ours in columns:
            columns[f"original_{ours}"] = columns.pop(ours)
    return {k: v for k, v in columns.items() if not re.match(r"_|Unnamed", k)}
