"""Batch search: read queries from a CSV and write all hits to one table."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terraseek.catalogue import Filter
from terraseek.errors import ConfigError, MissingColumnError, QueryError, TerraSeekError
from terraseek.files import atomic_path, text_cell
from terraseek.progress import Progress, silent
from terraseek.request import TEXT_COLUMNS, SearchRequest
from terraseek.search.hits import HIT_COLUMNS
from terraseek.search.query import Query
from terraseek.text_files import read_text_table

if TYPE_CHECKING:
    from terraseek.search.searcher import Searcher

__all__ = ["BatchQuery", "read_queries", "search_all", "write_results"]

_COLUMNS = ("query_id", "query", "matched", *HIT_COLUMNS)
_EXTENSIONS = (".csv", ".parquet")


@dataclass(frozen=True, slots=True)
class BatchQuery:
    """One query of a batch."""

    query_id: str
    """Column `id`, or the number of the line, counted from 1."""
    query: Query
    k: int | None
    """Number of hits, if the line specifies it."""


def read_queries(path: Path) -> list[BatchQuery]:
    """Read queries from a CSV with a header line.

    Columns: `query` (or `text`, `q`, `prompt`), and optionally `id`, `k` and the parameters of a
    query such as `like`, `minus` and `alpha`, see `SearchRequest.from_row`. Other columns are
    ignored, blank lines skipped.

    Raises:
        SourceError: the file is neither UTF-8 nor UTF-16.
        MissingColumnError: no column has texts or items to search for.
        QueryError: a line is no valid query; the message has its number.
    """
    text, separator = read_text_table(path)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    names = [name.strip().lower() for name in reader.fieldnames or ()]
    if not set(names) & {*TEXT_COLUMNS, "like", "liked"}:
        raise MissingColumnError(
            f"{path.name} has the columns {', '.join(names) or 'none'}; queries need a column "
            "named query (or item ids in one named like)"
        )
    reader.fieldnames = names
    found = [_parse_line(line, number) for number, line in _non_blank_lines(reader)]
    if not found:
        raise QueryError(f"{path.name} contains no query; write one per line after the header")
    return found


def _non_blank_lines(reader: "csv.DictReader[str]") -> Iterator[tuple[int, dict[str, str]]]:
    """Number and stripped cells of each line that is not blank."""
    for number, line in enumerate(reader, 1):
        cells = {k: v.strip() for k, v in line.items() if k and isinstance(v, str)}
        if any(cells.values()):
            yield number, cells


def _parse_line(line: dict[str, str], number: int) -> BatchQuery:
    try:
        request = SearchRequest.from_row(line)
        query = request.ranked_query
    except TerraSeekError as error:
        raise QueryError(f"query {number} is not valid: {error}") from error
    return BatchQuery(line.get("id") or str(number), query, request.k if line.get("k") else None)


def search_all(
    searcher: "Searcher",
    queries: Sequence[BatchQuery],
    k: int = 20,
    where: Filter | None = None,
    progress: Progress = silent,
    *,
    collapse_duplicates: bool = False,
) -> list[dict[str, Any]]:
    """Run all queries, and return one row per hit: `query_id`, `query`, `matched`, `HIT_COLUMNS`.

    Args:
        searcher: runs the queries.
        queries: of the batch.
        k: number of hits of queries that do not specify it.
        where: filter for all queries.
        progress: called with the stage `search`.
        collapse_duplicates: see `Searcher.search`.

    Raises:
        ConfigError: duplicates are to be collapsed and were never marked.
    """
    rows: list[dict[str, Any]] = []
    for number, one in enumerate(queries, 1):
        result = searcher.search(
            one.query, one.k or k, where, collapse_duplicates=collapse_duplicates
        )
        head = {
            "query_id": one.query_id,
            "query": " + ".join(one.query.sentences),
            "matched": result.matched,
        }
        rows += [head | hit.to_dict() for hit in result.hits]
        progress("search", number, len(queries))
    return rows


def write_results(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write the rows of `search_all` as CSV or Parquet, atomically.

    Raises:
        ConfigError: the file name ends with neither.
    """
    extension = path.suffix.lower()
    if extension not in _EXTENSIONS:
        raise ConfigError(f"{path.name!r} must end with {' or '.join(_EXTENSIONS)}")
    with atomic_path(path) as part:
        if extension == ".csv":
            part.write_text(_csv(rows), encoding="utf-8")
        else:
            _write_parquet(part, rows)


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: text_cell(v) for k, v in row.items()} for row in rows)
    return text.getvalue()


def _write_parquet(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from terraseek.search.export.files import arrow_type

    columns = {n: pa.array([row[n] for row in rows], arrow_type(n)) for n in _COLUMNS}
    pq.write_table(pa.table(columns), path, compression="zstd")
