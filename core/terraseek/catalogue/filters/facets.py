"""Counts of items by value, number or date of a column, for filters that show what there is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Bool

from terraseek.catalogue.filters.column_condition import DERIVED, quoted
from terraseek.catalogue.filters.database import cursor
from terraseek.catalogue.filters.filter import Filter

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MAX_VALUES", "Facet", "FacetBin", "facet_counts", "facet_names", "without_column"]

MAX_VALUES = 300
"""Most distinct values of a text column that is counted by value."""
_SHOWN_VALUES = 40
_BINS = 24
_LOG_RATIO = 50.0  # from here on the bins have equal ratios, as for ground sample distances
_MAX_MONTHS = 36
_FIRST = ("label", "source", "country", "captured_at", "month", "gsd_m", "location_precision")
_NO_FACET = frozenset(
    ("item_id", "image", "caption", "lon", "lat", "geometry", "footprint", "offset", "filename")
)
_FIELDS: Mapping[str, dict[str, Any]] = {
    "label": {"labels": ()},
    "source": {"sources": ()},
    "location_precision": {"precision": ()},
    "captured_at": {"date_from": None, "date_to": None},
    "month": {"date_from": None, "date_to": None},
    "gsd_m": {"gsd_min": None, "gsd_max": None},
}
"""Fields of `Filter` that restrict a column, with the values that do not."""


@dataclass(frozen=True, slots=True)
class FacetBin:
    """Items with a value, or with a number or date in an interval."""

    text: str
    """The value, `LOW..HIGH` of numbers, or a month or year: what a `ColumnCondition` takes."""
    count: int
    """Number of items."""
    low: float | None = None
    """Lower edge of an interval of numbers."""
    high: float | None = None
    """Upper edge of an interval of numbers."""


@dataclass(frozen=True, slots=True)
class Facet:
    """Counts of items by the values of a column."""

    name: str
    """Name of the column, or of a computed one."""
    kind: Literal["values", "numbers", "dates"]
    bins: tuple[FacetBin, ...]
    """Values by falling count; numbers and dates in ascending order, with empty bins between,
    months from 1 to 12."""
    n_unknown: int
    """Items without a value."""
    n_values: int
    """Distinct values; the least frequent ones may have no bin."""


def without_column(where: Filter, name: str) -> Filter:
    """The filter without its conditions on a column, as its own facet is counted."""
    others = tuple(one for one in where.columns if one.column != name)
    return replace(where, columns=others, **_FIELDS.get(name, {}))


def facet_names(table: "pa.Table", columns: Sequence[str]) -> list[str]:
    """Columns worth counting: texts with few distinct values, numbers and dates that vary.

    Args:
        table: one row per item.
        columns: those that users can see.
    """
    names = [name for name in columns if name not in _NO_FACET]
    names += [name for name in DERIVED if name not in columns]
    names.sort(key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    counts = ", ".join(f"count(DISTINCT {_sql(table, name)})" for name in names)
    with cursor() as connection:
        connection.register("facet_items", table)
        row = connection.execute(f"SELECT {counts} FROM facet_items").fetchone()
    return [
        name
        for name, n in zip(names, row, strict=True)
        if n > 1 and (n <= MAX_VALUES or _kind(table, name) != "values")
    ]


def facet_counts(
    table: "pa.Table", names: Sequence[str], passed: Bool[np.ndarray, " n"] | None = None
) -> dict[str, Facet]:
    """Count items by the values of columns.

    Args:
        table: one row per item; unknown text is empty, unknown numbers are NaN or null.
        names: columns of the table, or `month` and `year` of `captured_at`.
        passed: mask of the rows to count; None counts all. The intervals of numbers are those of
            all rows, so that they stay when the filter changes.
    """
    import pyarrow as pa

    wanted = [n for n in dict.fromkeys((*names, "captured_at")) if n in table.column_names]
    slim = table.select(wanted)
    with cursor() as connection:
        connection.register("facet_all", slim)
        kept = slim if passed is None else slim.filter(pa.array(passed))
        connection.register("facet_items", kept)
        return {name: _count(connection, table, name) for name in names}


def _count(connection: Any, table: "pa.Table", name: str) -> Facet:  # noqa: ANN401
    kind, sql = _kind(table, name), _sql(table, name)
    if name == "month":
        return _count_months(connection, sql)
    if kind == "numbers":
        return _count_numbers(connection, name, sql)
    if kind == "dates":
        return _count_dates(connection, name, sql)
    rows = connection.execute(
        f"SELECT CAST({sql} AS VARCHAR) AS value, count(*) AS n FROM facet_items "
        "GROUP BY value ORDER BY n DESC, value"
    ).fetchall()
    known = [FacetBin(value, n) for value, n in rows if value is not None]
    return Facet(name, kind, tuple(known[:_SHOWN_VALUES]), _unknown(rows), len(known))


def _count_numbers(connection: Any, name: str, sql: str) -> Facet:  # noqa: ANN401
    low, high = connection.execute(f"SELECT min({sql}), max({sql}) FROM facet_all").fetchone()
    if low is None:
        n = connection.execute("SELECT count(*) FROM facet_items").fetchone()[0]
        return Facet(name, "numbers", (), n, 0)
    low, high = float(low), float(high)
    edges = _edges(low, high)
    passed_edges = [f"CAST({sql} >= {edge!r} AS INTEGER)" for edge in edges[1:-1]]
    bucket = " + ".join(passed_edges) or "0"
    rows = connection.execute(
        f"SELECT CASE WHEN {sql} IS NULL THEN NULL ELSE {bucket} END AS bucket, count(*) "
        "FROM facet_items GROUP BY bucket"
    ).fetchall()
    counts = dict(rows)
    bins = tuple(
        FacetBin(f"{a:.12g}..{b:.12g}", int(counts.get(at, 0)), a, b)
        for at, (a, b) in enumerate(pairwise(edges))
    )
    n_values = connection.execute(f"SELECT count(DISTINCT {sql}) FROM facet_items").fetchone()[0]
    return Facet(name, "numbers", bins, _unknown(rows), n_values)


def _count_months(connection: Any, sql: str) -> Facet:  # noqa: ANN401
    rows = connection.execute(
        f"SELECT {sql} AS month, count(*) FROM facet_items GROUP BY month"
    ).fetchall()
    counts = {int(month): int(n) for month, n in rows if month is not None}
    bins = tuple(FacetBin(str(m), counts.get(m, 0), m, m) for m in range(1, 13))
    return Facet("month", "numbers", bins, _unknown(rows), len(counts))


def _edges(low: float, high: float) -> list[float]:
    """Edges of the bins with few digits; equal ratios for positive numbers over a wide range."""
    if low == high:
        return [low, high]
    if low > 0 and high / low > _LOG_RATIO:
        raw = np.geomspace(low, high, _BINS + 1)
    else:
        raw = np.linspace(low, high, _BINS + 1)
    digits = [float(f"{edge:.3g}") for edge in raw[1:-1]]
    inner = [edge for edge in dict.fromkeys(digits) if low < edge < high]
    return [low, *inner, high]


def _count_dates(connection: Any, name: str, sql: str) -> Facet:  # noqa: ANN401
    span = connection.execute(
        f"SELECT min(left({sql}, 7)), max(left({sql}, 7)) FROM facet_all"
    ).fetchone()
    months = _months(*span) if span[0] else []
    length = 7 if 0 < len(months) <= _MAX_MONTHS else 4
    rows = connection.execute(
        f"SELECT left({sql}, {length}) AS period, count(*) FROM facet_items "
        "GROUP BY period ORDER BY period"
    ).fetchall()
    counts = {period: n for period, n in rows if period is not None}
    periods = dict.fromkeys(month[:length] for month in months) | dict.fromkeys(counts)
    bins = tuple(FacetBin(period, int(counts.get(period, 0))) for period in sorted(periods))
    return Facet(name, "dates", bins, _unknown(rows), len(counts))


def _months(first: str, last: str) -> list[str]:
    """All months between two, included; none if they are not months of four-digit years."""
    try:
        (y0, m0), (y1, m1) = ((int(text[:4]), int(text[5:7] or 1)) for text in (first, last))
    except ValueError:
        return []
    numbers = range(12 * y0 + m0 - 1, min(12 * y1 + m1, 12 * y0 + 12 * 200))
    return [f"{number // 12:04d}-{number % 12 + 1:02d}" for number in numbers]


def _unknown(rows: Sequence[tuple[Any, int]]) -> int:
    return sum(int(n) for value, n in rows if value is None)


def _kind(table: "pa.Table", name: str) -> Literal["values", "numbers", "dates"]:
    import pyarrow.types as kinds

    if name == "captured_at":
        return "dates"
    if name in DERIVED:
        return "numbers"
    kind = table.schema.field(name).type
    return "numbers" if kinds.is_floating(kind) or kinds.is_integer(kind) else "values"


def _sql(table: "pa.Table", name: str) -> str:
    """SQL of a column with unknown values as NULL."""
    import pyarrow.types as kinds

    if name not in table.column_names:
        return DERIVED[name]
    kind = table.schema.field(name).type
    if kinds.is_floating(kind):
        return f"CASE WHEN isfinite({quoted(name)}) THEN {quoted(name)} END"
    if kinds.is_integer(kind):
        return quoted(name)
    return f"NULLIF(CAST({quoted(name)} AS VARCHAR), '')"
