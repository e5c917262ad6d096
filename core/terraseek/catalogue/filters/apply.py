"""Evaluation of filters by DuckDB; every value is passed to it as a query parameter.

`CONDITIONS` at the end of this file translates each field of `Filter` to SQL.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from threading import Lock, Timer
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int64

from terraseek.catalogue.filters.column_condition import column_sql
from terraseek.catalogue.filters.database import cursor
from terraseek.catalogue.filters.expression import check_expression
from terraseek.catalogue.filters.filter import Filter
from terraseek.catalogue.metadata.dates import iso_date, last_day
from terraseek.errors import FilterError
from terraseek.geo import BBox

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["CONDITIONS", "Condition", "ItemsTable"]

_CACHED_FILTERS = 8
_MAX_SECONDS = 30


class Condition(NamedTuple):
    """A SQL condition on the columns of the items."""

    sql: str
    """Boolean SQL expression with one `?` per value."""
    values: Sequence[object] = ()
    """Values of the question marks, in their order."""


class ItemsTable:
    """Items that can be filtered; safe to share between threads.

    A SQL condition reads unknown text (empty) and unknown numbers (NaN) as NULL. The results of
    the last few filters are cached.
    """

    def __init__(self, table: "pa.Table", hidden: tuple[str, ...] = ()) -> None:
        """Wrap a table with one row per item.

        Args:
            table: columns as `items.read_items` returns them; mapped memory is not copied.
            hidden: columns that SQL conditions cannot use.
        """
        self._table = table
        self._hidden = {name.lower() for name in hidden}
        self._lock = Lock()
        self._results: OrderedDict[Filter, Int64[np.ndarray, " m"]] = OrderedDict()

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, hidden: tuple[str, ...] = ()) -> "ItemsTable":
        """Wrap a pandas table; text and numbers are not copied."""
        import pyarrow as pa

        return cls(pa.Table.from_pandas(frame, preserve_index=False), hidden)

    def __len__(self) -> int:
        return int(self._table.num_rows)

    @property
    def columns(self) -> list[str]:
        """Columns that a SQL condition can use."""
        return [n for n in self._table.column_names if n.lower() not in self._hidden]

    def mask(self, where: Filter) -> Bool[np.ndarray, " n"]:
        """Boolean mask of the rows that meet every condition of a filter.

        Raises:
            FilterError: its SQL condition names an unknown column or cannot be evaluated.
        """
        passed = np.zeros(len(self), bool)
        passed[self.rows(where)] = True
        return passed

    def rows(self, where: Filter) -> Int64[np.ndarray, " m"]:
        """Ascending numbers of the rows that meet every condition; a read-only array.

        Raises:
            FilterError: its SQL condition names an unknown column or cannot be evaluated.
        """
        with self._lock:
            found = self._results.get(where)
            if found is None:
                found = self._evaluate(where)
                found.setflags(write=False)
                self._results[where] = found
                if len(self._results) > _CACHED_FILTERS:
                    self._results.popitem(last=False)
            else:
                self._results.move_to_end(where)
        return found

    def _evaluate(self, where: Filter) -> Int64[np.ndarray, " m"]:
        import duckdb

        if where.sql is not None:
            check_expression(where.sql, self.columns)
        conditions = [CONDITIONS[name](value, self) for name, value in where.active.items()]
        areas = [area for area in (where.polygon, where.within) if area is not None]
        query = f"SELECT _row{', lon, lat' if areas else ''} FROM items"
        if conditions:
            query += " WHERE " + " AND ".join(f"({condition.sql})" for condition in conditions)
        values = [value for condition in conditions for value in condition.values]
        try:
            with _interrupt_after(_MAX_SECONDS, self._connection):
                found = self._connection.execute(query, values).fetchnumpy()
        except duckdb.InterruptException as error:
            raise FilterError(
                f"the condition was stopped after {_MAX_SECONDS} s; write a simpler one"
            ) from error
        except duckdb.Error as error:
            raise FilterError(
                f"the condition cannot be evaluated: {_reason(error)}; compare numbers with "
                "numbers, and texts and dates with text in single quotes"
            ) from error
        inside = np.ones(len(found["_row"]), bool)
        for area in areas:
            inside &= area.contains(found["lon"], found["lat"])
        rows = np.asarray(found["_row"], np.int64)[inside]
        rows.sort()  # DuckDB's threads may finish out of order
        return rows

    @cached_property
    def _connection(self) -> Any:  # noqa: ANN401 - duckdb has no types
        import pyarrow as pa

        connection = cursor()
        numbers = pa.array(np.arange(len(self), dtype=np.int32))
        connection.register("mapped", self._table.append_column("_row", numbers))
        selected = [_select(self._table.schema.field(name)) for name in self.columns]
        connection.execute(
            f"CREATE TEMP VIEW items AS SELECT {', '.join([*selected, '_row'])} FROM mapped"
        )
        return connection

    def label_spellings(self, labels: Iterable[str]) -> list[str]:
        """Labels of the table that equal one of `labels` but for case."""
        wanted = {label.casefold() for label in labels}
        return [label for label in self._labels if label.casefold() in wanted]

    @cached_property
    def _labels(self) -> list[str]:
        import pyarrow.compute as pc

        return [label or "" for label in pc.unique(self._table["label"]).to_pylist()]


def _reason(error: Exception) -> str:
    """First line of DuckDB's message without the name of its exception."""
    kind, _, rest = str(error).splitlines()[0].partition(": ")
    text = rest if kind.endswith(" Error") else f"{kind}: {rest}"
    return text[:1].lower() + text[1:]


@contextmanager
def _interrupt_after(seconds: float, connection: Any) -> Iterator[None]:  # noqa: ANN401
    """Interrupt the queries of a DuckDB connection that run longer than `seconds`."""
    timer = Timer(seconds, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()  # a thread that still has the connection when the process ends is a leak


def _select(field: "pa.Field") -> str:
    """SQL that selects a column of the table with empty text as NULL."""
    import pyarrow.types as kinds

    name: str = '"' + field.name.replace('"', '""') + '"'
    if kinds.is_string(field.type) or kinds.is_large_string(field.type):
        return f"NULLIF({name}, '') AS {name}"
    return name


def _one_of(column: str, allowed: Sequence[str]) -> Condition:
    if not allowed:
        return Condition("FALSE")
    return Condition(f"{column} IN ({', '.join('?' * len(allowed))})", allowed)


def _in_boxes(boxes: Sequence[BBox]) -> Condition:
    parts: list[str] = []
    values: list[float] = []
    for box in boxes:
        either = "OR" if box.crosses_antimeridian else "AND"
        parts.append(f"(lat BETWEEN ? AND ? AND (lon >= ? {either} lon <= ?))")
        values += [box.south, box.north, box.west, box.east]
    return Condition(" OR ".join(parts) or "FALSE", values)


CONDITIONS: dict[str, Callable[[Any, ItemsTable], Condition]] = {
    "bbox": lambda box, table: _in_boxes([box]),
    # boxes around the area first; the area itself is tested on the points they leave
    "polygon": lambda area, table: _in_boxes(area.boxes()),
    "within": lambda circle, table: _in_boxes(circle.boxes()),
    "sources": lambda names, table: _one_of("source", names),
    "labels": lambda names, table: _one_of("label", table.label_spellings(names)),
    "precision": lambda names, table: _one_of("location_precision", names),
    "item_ids": lambda ids, table: Condition(
        "item_id IN (SELECT unnest(?::VARCHAR[]))", [list(ids)]
    ),
    "caption": lambda text, table: Condition("contains(lower(caption), lower(?))", [text]),
    # "~" sorts after every digit and dash, so an item dated 2017 reaches to the end of 2017
    "date_from": lambda date, table: Condition("captured_at || '~' >= ?", [iso_date(date)]),
    "date_to": lambda date, table: Condition("left(captured_at, 10) <= ?", [last_day(date)]),
    "gsd_min": lambda metres, table: Condition("gsd_m >= ?", [metres]),
    "gsd_max": lambda metres, table: Condition("gsd_m <= ?", [metres]),
    "columns": lambda conditions, table: Condition(*column_sql(conditions, table.columns)),
    "sql": lambda sql, table: Condition(f"{sql}\n"),  # the line break ends a comment
}
"""SQL of each field of `Filter`, made from the field's value and the table that is filtered."""
