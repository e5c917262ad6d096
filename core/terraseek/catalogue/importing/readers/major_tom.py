"""Major TOM's embedding expansion: GeoParquet with a point and a vector per row, without images.

The file and row of an item's vector are stored in `vector_file` and `vector_row`; the vectors stay
where they are.
"""

from pathlib import Path
from typing import Any

from terraseek.catalogue.importing.readers.reader import OpenedSource, Reader
from terraseek.catalogue.importing.tables import read_without_vectors, rename_columns
from terraseek.catalogue.records import Record, Records

__all__ = ["MAJOR_TOM", "is_major_tom", "read_major_tom"]

_COLUMNS = {"grid_cell", "embedding"}


def is_major_tom(path: Path) -> bool:
    """Whether a file is Parquet with the columns of Major TOM's embedding expansion."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file() or path.suffix.lower() not in (".parquet", ".geoparquet"):
        return False
    try:
        return set(pq.read_schema(path).names) >= _COLUMNS
    except (pa.ArrowException, OSError):
        return False


def read_major_tom(path: Path) -> Records:
    """Read every row: its point `centre_lon`, `centre_lat`, its grid cell, and its vector's row."""
    frame = rename_columns(read_without_vectors(path))
    for row, cells in enumerate(frame.to_dict("records")):
        columns: dict[str, Any] = {str(key): value for key, value in cells.items()}
        key = str(columns.get("unique_id") or f"{path.name}#{row}")
        columns |= {"img_name": key, "vector_file": str(path), "vector_row": row}
        yield Record(key, None, columns)


def _open(path: Path, images: Path | None) -> OpenedSource:
    return OpenedSource("major-tom", path.stem, path, lambda: read_major_tom(path))


MAJOR_TOM = Reader("major-tom", is_major_tom, _open, has_vectors=True)
