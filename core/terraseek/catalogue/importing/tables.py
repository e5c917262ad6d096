"""Tables as CSV, TSV, Parquet or pickled frames, with common column names renamed."""

import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from terraseek.catalogue.importing.columns.cells import cell_text
from terraseek.catalogue.importing.columns.geometry_column import geometry_of_schema, locate_rows
from terraseek.catalogue.importing.image_names import is_image_name
from terraseek.catalogue.importing.pickled.frame import read_pickled_frame
from terraseek.catalogue.importing.table_limits import check_columns, check_lines
from terraseek.catalogue.metadata.location import parse_number
from terraseek.errors import SourceError
from terraseek.text_files import TextTable, sniff_table

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "COLUMN_ALIASES",
    "TABLE_SUFFIXES",
    "column_renames",
    "find_column",
    "iterate_table",
    "read_table",
    "read_without_vectors",
    "rename_columns",
    "unreadable_table",
]

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".parquet", ".geoparquet", ".pkl", ".pickle"})
_PARQUET = (".parquet", ".geoparquet")
CHUNK_ROWS = 20_000
"""Rows of a piece of `iterate_table`."""
_ROW_NUMBERS = re.compile(r"__index_level_\d+__")
"""Names of index columns without a name that pandas writes."""
_MERGED = re.compile(r"(.+)_[xy]")

COLUMN_ALIASES: dict[str, tuple[str, ...]] = {
    "img_name": (
        "img_name",
        "filename",
        "file_name",
        "image_path",
        "img_path",
        "filepath",
        "file_path",
        "image_name",
        "image",
        "img",
        "file",
        "path",
        "name",
    ),
    "caption": ("caption", "title", "text", "description", "ssl_cap", "top_cap"),
    "geometa_cap": ("geometa_cap", "meta_caption"),
    "lat": ("lat", "latitude", "centre_lat", "center_lat", "y"),
    "lon": ("lon", "longitude", "lng", "long", "centre_lon", "center_lon", "x"),
    "label": ("label", "class", "class_name", "category", "scene_class"),
    "captured_at": (
        "captured_at",
        "acquired_at",
        "acquired",
        "acquisition_date",
        "acquisition_time",
        "datetime",
        "timestamp",
        "date",
    ),
    "gsd_m": ("gsd_m", "gsd", "ground_sample_distance", "resolution_m", "pixel_size_m"),
    "country": ("country", "country_name"),
    "utm": ("utm", "utm_zone"),
}
"""Column name of the catalogue and its names in other tables, best first, in lower case."""


def unreadable_table(path: Path, error: Exception) -> SourceError:
    """Error for a file that is no table of its kind, in one line."""
    return SourceError(f"{path} cannot be read as a table: {' '.join(str(error).split())}")


def find_column(names: Iterable[str], wanted: str) -> str | None:
    """Find the column that is an alias of `wanted`; None if there is none."""
    lower = {str(name).strip().lower(): str(name) for name in reversed(list(names))}
    return next((lower[alias] for alias in COLUMN_ALIASES[wanted] if alias in lower), None)


@lru_cache(maxsize=256)
def column_renames(names: tuple[str, ...]) -> dict[str, str]:
    """Map columns to their name in the catalogue; columns that have such a name are kept."""
    renames: dict[str, str] = {}
    for wanted in COLUMN_ALIASES:
        found = find_column(names, wanted)
        if found is not None and found not in renames and wanted not in names:
            renames[found] = wanted
    return renames


def rename_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Rename columns by `COLUMN_ALIASES`; other columns are kept.

    Columns that pandas has named `text_x` and `text_y`, because both sides of a merge had `text`,
    become one column: the first with a value counts.

    RS5M's `*_intermediate.csv` are read by position: if no column is an alias of the image name and
    the first column contains names of images, the first two columns are image name and caption.
    """
    frame = _unite_merged(frame)
    renames = dict(column_renames(tuple(map(str, frame.columns))))
    if "img_name" not in renames.values() and "img_name" not in frame and len(frame):
        first = map(cell_text, frame.iloc[:100, 0])
        if all(map(is_image_name, first)):
            renames[str(frame.columns[0])] = "img_name"
            if frame.shape[1] > 1 and not {"caption"} & ({*renames.values(), *frame.columns}):
                renames[str(frame.columns[1])] = "caption"
    return frame.rename(columns=renames)


def _unite_merged(frame: pd.DataFrame) -> pd.DataFrame:
    """Unite `NAME_x` and `NAME_y` of a pandas merge to `NAME`, where NAME is not a column."""
    names = [str(name) for name in frame.columns]
    bases = [m[1] for name in names if name.endswith("_x") and (m := _MERGED.fullmatch(name))]
    for base in bases:
        left, right = f"{base}_x", f"{base}_y"
        if right in names and base not in names:
            first = frame[left]
            missing = first.isna() | (first.astype(str).str.strip() == "")
            frame = frame.assign(**{base: first.mask(missing, frame[right])})
            frame = frame.drop(columns=[left, right])
    return frame


def read_without_vectors(path: Path) -> pd.DataFrame:
    """Read a Parquet table without its geometry and without list columns, such as vectors.

    Raises:
        SourceError: the file is not a Parquet table.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
        check_columns(path, schema.names)
        kept = [
            field.name
            for field in schema
            if not pa.types.is_nested(field.type) and not pa.types.is_binary(field.type)
        ]
        frame: pd.DataFrame = pq.read_table(path, columns=kept).to_pandas()
    except pa.ArrowException as error:
        raise unreadable_table(path, error) from error
    return frame


def read_table(path: Path) -> pd.DataFrame:
    """Read a table; cells of text files stay text, so that names like `0012` are kept.

    Raises:
        SourceError: the file is not a table of its kind, or empty.
    """
    pieces = list(iterate_table(path))
    return pieces[0] if len(pieces) == 1 else pd.concat(pieces, ignore_index=True)


def iterate_table(path: Path, rows: int = CHUNK_ROWS) -> Iterator[pd.DataFrame]:
    """Read a table in pieces; at least one, which may be empty.

    Text files are read piece by piece, so that memory does not grow with their size.

    Args:
        path: the table.
        rows: number of rows of a piece of a text file.

    Raises:
        SourceError: the file is not a table of its kind, or empty.
    """
    import pyarrow as pa

    try:
        if path.suffix.lower() in (".pkl", ".pickle"):
            unpickled = read_pickled_frame(path)
            check_columns(path, unpickled.columns)
            yield unpickled
        elif path.suffix.lower() in _PARQUET:
            yield from _parquet_pieces(path, rows)
        else:
            yield from _text_pieces(path, rows)
    except (pa.ArrowException, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise unreadable_table(path, error) from error
    except OSError as error:
        if error.errno is not None:
            raise
        # pyarrow reports damaged pages as OSError without a number
        raise unreadable_table(path, error) from error


def _text_pieces(path: Path, rows: int) -> Iterator[pd.DataFrame]:
    """Read a text table; the first line is data if its first cell is the name of an image."""
    table = sniff_table(path)
    check_lines(path, table.separator)
    names = _positional_names(table)
    with table.open() as file:
        pieces = pd.read_csv(
            file,
            sep=table.separator,
            dtype=str,
            keep_default_na=False,
            chunksize=rows,
            header=None if names else 0,
            names=names,
            index_col=None if _has_row_names(table) else False,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", pd.errors.ParserWarning)  # empty cells at the end
            for piece in pieces:
                yield locate_rows(piece.reset_index(drop=True), None)


def _has_row_names(table: TextTable) -> bool:
    """Whether rows begin with a name that the header lacks, as R writes them.

    Raises:
        SourceError: the first row has more cells than the header, and this is not why.
    """
    more = table.second[len(table.first) :]
    if not any(cell.strip() for cell in more):
        return False
    if len(more) == 1 and not is_image_name(table.second[0].strip()):
        return True
    raise SourceError(
        f"{table.path.name} has {len(table.first)} columns, and {len(table.second)} cells in its "
        f"first row; put quotes around cells that contain {table.separator!r}"
    )


def _positional_names(table: TextTable) -> list[str] | None:
    """Names for the columns of a table without a header, as RS5M's `*_intermediate.csv` may be."""
    if not table.first or not is_image_name(table.first[0].strip()):
        return None
    others = [f"column_{n}" for n in range(2, len(table.first) + 1)]
    if others and parse_number(table.first[1]) is None:
        others[0] = "caption"
    return ["img_name", *others]


def _parquet_pieces(path: Path, rows: int) -> Iterator[pd.DataFrame]:
    """Read a Parquet table; binary columns are left out, and geometry becomes a location."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pq.read_schema(path)
    check_columns(path, schema.names)
    geometry = geometry_of_schema(schema)
    geometry_name = "" if geometry is None else geometry["name"]
    binary = [f.name for f in schema if f.name != geometry_name and _has_bytes(f.type)]
    kept = [name for name in schema.names if name not in binary]
    if binary and find_column(kept, "img_name") is None:
        raise SourceError(
            f"{path.name} names no images, and its column {binary[0]!r} is not used as a table's; "
            "if it contains images, import it with --kind parquet-images, else add file names"
        )
    with pq.ParquetFile(path) as file:
        batches = file.iter_batches(rows, columns=kept)
        first = next(batches, None)
        if first is None:
            yield schema.empty_table().select(kept).to_pandas()
            return
        for batch in chain([first], batches):
            # pandas would hide columns that were its index when the file was written
            part = pa.Table.from_batches([batch]).replace_schema_metadata(None)
            frame = part.rename_columns(_told_apart(part.column_names)).to_pandas()
            frame = frame.drop(columns=[n for n in frame.columns if _ROW_NUMBERS.fullmatch(n)])
            yield frame if geometry is None else locate_rows(frame, geometry)


def _told_apart(names: list[str]) -> list[str]:
    """Names of columns, with a number after those that occurred already: `lat`, `lat.1`."""
    counts: Counter[str] = Counter()
    found = []
    for name in names:
        found.append(f"{name}.{counts[name]}" if counts[name] else name)
        counts[name] += 1
    return found


def _has_bytes(kind: "pa.DataType") -> bool:
    """Whether a column contains binary data, perhaps in a struct or list."""
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return any(_has_bytes(kind.field(n).type) for n in range(kind.num_fields))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _has_bytes(kind.value_type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
