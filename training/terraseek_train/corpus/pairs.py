"""Tables of url and caption as web datasets publish them: Parquet, CSV, TSV and JSON lines."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.json as pajson
import pyarrow.parquet as pq

from terraseek.errors import MissingColumnError, SourceError
from terraseek_train.corpus.items import SCHEMA
from terraseek_train.corpus.recipe import SourceEntry

__all__ = ["pair_files", "pair_table", "read_pairs", "require_columns"]

_SUFFIXES = (".parquet", ".csv", ".tsv", ".jsonl", ".ndjson")


def pair_files(path: Path) -> list[Path]:
    """Tables of a folder in order of their names, or the one table.

    Raises:
        SourceError: there is none.
    """
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    found = [file for file in files if file.suffix.lower() in _SUFFIXES and file.is_file()]
    if not found:
        raise SourceError(f"{path} has no table ({', '.join(_SUFFIXES)})")
    return found


def read_pairs(path: Path, columns: list[str], rows: int) -> Iterator[pa.Table]:
    """Read two columns of a table in blocks; a CSV line that cannot be parsed is skipped.

    Args:
        path: Parquet, CSV, TSV or JSON lines.
        columns: names of the columns of addresses and captions.
        rows: rows per block of a Parquet file; others have blocks of some megabytes.

    Raises:
        MissingColumnError: the table lacks a column.
        SourceError: it cannot be read.
    """
    try:
        yield from _blocks(path, columns, rows)
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        if any(column in str(error) for column in columns):
            raise _lacks(path, columns) from error
        raise SourceError(f"{path} cannot be read as a table: {error}") from error


def _lacks(path: Path, columns: list[str]) -> MissingColumnError:
    return MissingColumnError(
        f"{path} lacks one of the columns {', '.join(columns)}; name them with url and caption "
        "in the recipe"
    )


def require_columns(path: Path, names: list[str], columns: list[str]) -> None:
    """Check that a table has columns.

    Raises:
        MissingColumnError: it lacks one.
    """
    if not set(columns) <= set(names):
        raise _lacks(path, columns)


def _blocks(path: Path, columns: list[str], rows: int) -> Iterator[pa.Table]:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            require_columns(path, file.schema_arrow.names, columns)
            for batch in file.iter_batches(rows, columns=columns):
                yield pa.Table.from_batches([batch])
    elif suffix in (".csv", ".tsv"):
        options = pacsv.ConvertOptions(
            include_columns=columns, column_types={name: pa.string() for name in columns}
        )
        delimiter = "\t" if suffix == ".tsv" else ","
        parse = pacsv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, invalid_row_handler=lambda _: "skip"
        )
        with pacsv.open_csv(path, parse_options=parse, convert_options=options) as reader:
            for batch in reader:
                yield pa.Table.from_batches([batch])
    else:
        table = pajson.read_json(path)
        require_columns(path, table.column_names, columns)
        yield table.select(columns)


def pair_table(pairs: pa.Table, source: SourceEntry, part: int, row: int) -> pa.Table:
    """Make items of a block of addresses and captions; ids are `source/part_row`, as in RS5M.

    Args:
        pairs: table with the source's columns of address and caption.
        source: the source.
        part: number of the file in the source.
        row: number of the block's first row in the file.
    """
    count = len(pairs)
    numbers = pa.array(range(row, row + count), pa.int64()).cast(pa.string())
    empty = pa.scalar("", pa.string())
    columns = {name: pa.nulls(count, SCHEMA.field(name).type) for name in ("lon", "lat")}
    columns |= {
        "item": pc.binary_join_element_wise(f"{source.name}/{part}_", numbers, ""),
        "source": pa.repeat(pa.scalar(source.name), count),
        "url": pc.fill_null(pairs.column(source.url).cast(pa.string()), empty),
        "caption": pc.fill_null(pairs.column(source.caption).cast(pa.string()), empty),
        "caption_source": pa.repeat(pa.scalar("source"), count),
        "image_offset": pa.repeat(pa.scalar(0, pa.int64()), count),
        "image_size": pa.repeat(pa.scalar(-1, pa.int64()), count),
    }
    arrays = [columns[f.name] if f.name in columns else pa.repeat(empty, count) for f in SCHEMA]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)
