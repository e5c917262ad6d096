"""Many queries at once: a CSV of questions in, one table of ranked answers out."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terraseek.catalogue import Filter
from terraseek.errors import ConfigError, MissingColumnError, QueryError, TerraSeekError
from terraseek.files import atomic_path
from terraseek.progress import Progress, silent
from terraseek.search.hits import Hit
from terraseek.search.query import Query

if TYPE_CHECKING:
    from terraseek.search.searcher import Searcher

__all__ = ["Asked", "answer_all", "read_queries", "write_answers"]

_TEXT = ("query", "text", "q", "prompt")
"""Names of the column with the words, the first that is there counts."""
_SEPARATOR = "|"
_ENDINGS = (".csv", ".parquet")


@dataclass(frozen=True, slots=True)
class Asked:
    """One line of the table of queries."""

    query_id: str
    """Its `id`, or the number of the line, counted from 1."""
    query: Query
    k: int | None
    """Hits wanted, where the line says so."""


def read_queries(path: Path) -> list[Asked]:
    """Queries out of a CSV with a header line.

    Columns: `query` (or `text`, `q`, `prompt`), and optionally `id`, `k`, `like`, `alpha`, and
    `plus`, `minus`, `liked`, `disliked` with several values separated by `|`. Others are ignored,
    blank lines skipped.

    Raises:
        MissingColumnError: no column has words or items to look for.
        QueryError: a line cannot be a query; its number is named.
    """
    text = path.read_text(encoding="utf-8-sig")
    reader = csv.DictReader(io.StringIO(text, newline=""))
    names = [name.strip().lower() for name in reader.fieldnames or ()]
    if not set(names) & {*_TEXT, "like", "liked"}:
        raise MissingColumnError(
            f"{path.name} has the columns {', '.join(names) or 'none'}; queries stand in a column "
            "named query (or items in one named like)"
        )
    reader.fieldnames = names
    found = [_asked(line, number) for number, line in _lines(reader)]
    if not found:
        raise QueryError(f"{path.name} holds no query; write one into each line below the header")
    return found


def _lines(reader: "csv.DictReader[str]") -> Iterator[tuple[int, dict[str, str]]]:
    """Lines with anything in them, their cells stripped, by number."""
    for number, line in enumerate(reader, 1):
        cells = {k: v.strip() for k, v in line.items() if k and isinstance(v, str)}
        if any(cells.values()):
            yield number, cells


def _asked(line: dict[str, str], number: int) -> Asked:
    words = next((line[name] for name in _TEXT if line.get(name)), None)
    plus, minus, liked, disliked = (
        tuple(part.strip() for part in line.get(name, "").split(_SEPARATOR) if part.strip())
        for name in ("plus", "minus", "liked", "disliked")
    )
    try:
        query = Query(
            text=words,
            item_id=line.get("like") or None,
            alpha=float(line.get("alpha") or 0),
            plus=plus,
            minus=minus,
            liked=liked,
            disliked=disliked,
        )
        k = int(line["k"]) if line.get("k") else None
        if k is not None and k < 1:
            raise ValueError(f"k is {k}")
    except (TerraSeekError, ValueError) as error:
        raise QueryError(f"query {number} cannot be asked: {error}") from error
    return Asked(line.get("id") or str(number), query, k)


def answer_all(
    searcher: "Searcher",
    asked: Sequence[Asked],
    k: int = 20,
    where: Filter | None = None,
    progress: Progress = silent,
    *,
    collapse: bool = False,
) -> list[dict[str, Any]]:
    """Hits of all queries, a row each: `query_id`, `query`, `matched` and the fields of `Hit`.

    Args:
        searcher: what answers.
        asked: the queries.
        k: hits of each that says nothing itself.
        where: a filter for all of them.
        progress: called with the stage `search`.
        collapse: of near-duplicates only the best is an answer, as in `search_collapsed`.

    Raises:
        ConfigError: they are to be collapsed and were never marked.
    """
    from terraseek.search.collapse import search_collapsed
    from terraseek.search.searcher import Searcher

    ask = search_collapsed if collapse else Searcher.search
    rows: list[dict[str, Any]] = []
    for number, one in enumerate(asked, 1):
        result = ask(searcher, one.query, one.k or k, where)
        head = {
            "query_id": one.query_id,
            "query": " + ".join(one.query.sentences),
            "matched": result.matched,
        }
        rows += [head | asdict(hit) for hit in result.hits]
        progress("search", number, len(asked))
    return rows


def write_answers(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write the rows of `answer_all` as CSV or Parquet, whole or not at all.

    Raises:
        ConfigError: the name ends with neither.
    """
    ending = path.suffix.lower()
    if ending not in _ENDINGS:
        raise ConfigError(f"{path.name!r} must end with {' or '.join(_ENDINGS)}")
    with atomic_path(path) as part:
        if ending == ".csv":
            part.write_text(_csv(rows), encoding="utf-8")
        else:
            _write_parquet(part, rows)


def _names() -> list[str]:
    return ["query_id", "query", "matched", *(field.name for field in fields(Hit))]


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, _names(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _write_parquet(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from terraseek.search.export.files import arrow_type

    columns = {n: pa.array([row[n] for row in rows], arrow_type(n)) for n in _names()}
    pq.write_table(pa.table(columns), path, compression="zstd")
