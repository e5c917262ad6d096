"""A condition on any column as text: a value, or a range of numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from terraseek.errors import FilterError
from terraseek.parameters import Codec

__all__ = ["COLUMN", "DERIVED", "ColumnCondition", "column_sql", "quoted"]

_RANGE = ".."
DERIVED = {
    "month": "TRY_CAST(substr(captured_at, 6, 2) AS INTEGER)",
    "year": "TRY_CAST(left(captured_at, 4) AS INTEGER)",
}
"""SQL of columns that are computed where the catalogue has none of that name."""


@dataclass(frozen=True, slots=True)
class ColumnCondition:
    """A column has a value, or its number lies in a range."""

    column: str
    """Name of the column, or one of `DERIVED`."""
    value: str = ""
    """The value as text; empty for items whose value is unknown. Ignored for a range."""
    low: float | None = None
    """Smallest number of a range, included; None without one."""
    high: float | None = None
    """Largest number of a range, included; None without one."""

    @classmethod
    def parse(cls, text: str) -> "ColumnCondition":
        """Read `country=Peru` (a value), `cloud=0..20`, `cloud=..20` (ranges) or `country=`.

        Raises:
            FilterError: there is no column name, or the range is empty.
        """
        column, equals, value = text.partition("=")
        column, value = column.strip(), value.strip()
        if not (column and equals):
            raise FilterError(
                f"column is {text!r}; give COLUMN=VALUE or COLUMN=LOW..HIGH, like cloud=0..20"
            )
        low, dots, high = value.partition(_RANGE)
        try:
            ends = [float(end) if end else None for end in (low, high)] if dots else []
        except ValueError:
            ends = []  # two dots inside a text
        if not any(end is not None for end in ends):
            return cls(column, value)
        first, last = ends
        numbers = [end for end in ends if end is not None]
        if not all(map(math.isfinite, numbers)) or sorted(numbers) != numbers:
            raise FilterError(f"the range {value!r} of {column} must be two numbers in order")
        return cls(column, "", first, last)

    @property
    def is_range(self) -> bool:
        """Whether this is a range of numbers."""
        return self.low is not None or self.high is not None

    def to_text(self) -> str:
        """Text that `parse` reads."""
        if not self.is_range:
            return f"{self.column}={self.value}"
        low, high = ("" if end is None else f"{end:.12g}" for end in (self.low, self.high))
        return f"{self.column}={low}{_RANGE}{high}"


COLUMN = Codec(
    ColumnCondition.parse, ColumnCondition.to_text, "COLUMN=VALUE or LOW..HIGH", "COLUMN=VALUE"
)


def quoted(name: str) -> str:
    """A column name as a SQL identifier."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def column_sql(
    conditions: Sequence[ColumnCondition], columns: Sequence[str]
) -> tuple[str, list[object]]:
    """SQL of conditions and its values; those on one column are alternatives.

    Args:
        conditions: at least one.
        columns: of the table.

    Raises:
        FilterError: a column does not exist.
    """
    alternatives: dict[str, list[str]] = {}
    values: dict[str, list[object]] = {}
    for condition in conditions:
        name = condition.column
        if name not in columns and name not in DERIVED:
            raise FilterError(f"no column {name!r}; there are {', '.join(sorted(columns))}")
        sql = quoted(name) if name in columns else DERIVED[name]
        part, given = _sql_of(condition, sql)
        alternatives.setdefault(name, []).append(part)
        values.setdefault(name, []).extend(given)
    joined = " AND ".join(f"({' OR '.join(parts)})" for parts in alternatives.values())
    return joined, [value for given in values.values() for value in given]


def _sql_of(condition: ColumnCondition, sql: str) -> tuple[str, list[object]]:
    if not condition.is_range and not condition.value:
        return f"{sql} IS NULL OR CAST({sql} AS VARCHAR) IN ('', 'nan')", []
    if not condition.is_range:
        return f"CAST({sql} AS VARCHAR) = ?", [condition.value]
    ends = [(">=", condition.low), ("<=", condition.high)]
    number = f"TRY_CAST({sql} AS DOUBLE)"
    parts = [f"{number} {sign} ?" for sign, end in ends if end is not None]
    # DuckDB sorts NaN above every number
    known = f"NOT isnan({number})"
    return f"({' AND '.join([*parts, known])})", [end for _, end in ends if end is not None]
