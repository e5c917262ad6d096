"""Filters answered by DuckDB over the items, with every value handed over as a parameter."""

from collections import OrderedDict
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int64

from terraseek.catalogue.filters.database import cursor
from terraseek.catalogue.filters.expression import check_expression
from terraseek.catalogue.metadata.dates import iso_date
from terraseek.errors import FilterError
from terraseek.geo import BBox

if TYPE_CHECKING:
    import pyarrow as pa

    from terraseek.catalogue.filters.filter import Filter

__all__ = ["ItemsTable"]

_REMEMBERED = 8


class ItemsTable:
    """Items that can be filtered; safe to share between threads.

    Text that is unknown (empty) is NULL to a condition in SQL, as are numbers that are NaN. The
    answers of the last few filters are kept.
    """

    def __init__(self, table: "pa.Table", hidden: tuple[str, ...] = ()) -> None:
        """Wrap a table, a row an item.

        Args:
            table: columns as `items.read_items` gives them; mapped memory is not copied.
            hidden: columns conditions in SQL cannot see.
        """
        self._table = table
        self._hidden = {name.lower() for name in hidden}
        self._lock = Lock()
        self._answers: OrderedDict[Filter, Int64[np.ndarray, " m"]] = OrderedDict()

    @classmethod
    def of_frame(cls, frame: pd.DataFrame, hidden: tuple[str, ...] = ()) -> "ItemsTable":
        """Wrap a pandas table; text and numbers are not copied."""
        import pyarrow as pa

        return cls(pa.Table.from_pandas(frame, preserve_index=False), hidden)

    def __len__(self) -> int:
        return int(self._table.num_rows)

    @property
    def columns(self) -> list[str]:
        """Columns a condition in SQL can name."""
        return [n for n in self._table.column_names if n.lower() not in self._hidden]

    def mask(self, where: "Filter") -> Bool[np.ndarray, " n"]:
        """Which rows meet every condition of a filter.

        Raises:
            FilterError: its condition in SQL cannot be evaluated.
        """
        passed = np.zeros(len(self), bool)
        passed[self.rows(where)] = True
        return passed

    def rows(self, where: "Filter") -> Int64[np.ndarray, " m"]:
        """Numbers of the rows that meet every condition, rising; not to be written to.

        Raises:
            FilterError: its condition in SQL cannot be evaluated.
        """
        with self._lock:
            found = self._answers.get(where)
            if found is None:
                found = self._ask(where)
                found.setflags(write=False)
                self._answers[where] = found
                if len(self._answers) > _REMEMBERED:
                    self._answers.popitem(last=False)
            else:
                self._answers.move_to_end(where)
        return found

    def _ask(self, where: "Filter") -> Int64[np.ndarray, " m"]:
        import duckdb

        if where.sql is not None:
            check_expression(where.sql, self.columns)
        conditions, values = _conditions(where, self._labels if where.labels else {})
        areas = [area for area in (where.polygon, where.circle) if area is not None]
        query = f"SELECT _row{', lon, lat' if areas else ''} FROM items"
        if conditions:
            query += " WHERE " + " AND ".join(f"({condition})" for condition in conditions)
        try:
            found = self._connection.execute(query, values).fetchnumpy()
        except duckdb.Error as error:
            raise FilterError(
                f"the condition cannot be evaluated: {str(error).splitlines()[0]}"
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
        shown = [_shown(self._table.schema.field(name)) for name in self.columns]
        connection.execute(
            f"CREATE TEMP VIEW items AS SELECT {', '.join([*shown, '_row'])} FROM mapped"
        )
        return connection

    @cached_property
    def _labels(self) -> dict[str, list[str]]:
        """Labels as they are written, by their folded form."""
        import pyarrow.compute as pc

        spelled: dict[str, list[str]] = {}
        for label in pc.unique(self._table["label"]).to_pylist():
            spelled.setdefault((label or "").casefold(), []).append(label or "")
        return spelled


def _shown(field: "pa.Field") -> str:
    """A column of the view: empty text is NULL."""
    import pyarrow.types as kinds

    name: str = '"' + field.name.replace('"', '""') + '"'
    if kinds.is_string(field.type) or kinds.is_large_string(field.type):
        return f"NULLIF({name}, '') AS {name}"
    return name


def _conditions(where: "Filter", labels: dict[str, list[str]]) -> tuple[list[str], list[Any]]:
    """What stands behind WHERE, joined by AND, and the values of its question marks."""
    found: list[str] = []
    values: list[Any] = []

    def demand(condition: str, *parameters: object) -> None:
        found.append(condition)
        values.extend(parameters)

    def demand_any(column: str, wanted: tuple[str, ...] | list[str]) -> None:
        marks = ", ".join("?" * len(wanted))
        demand(f"{column} IN ({marks})" if wanted else "FALSE", *wanted)

    for box in [where.bbox] if where.bbox is not None else []:
        demand(*_in_boxes((box,)))
    for area in (where.polygon, where.circle):
        if area is not None:
            demand(*_in_boxes(area.boxes()))
    if where.sources:
        demand_any("source", where.sources)
    if where.labels:
        folded = {label.casefold() for label in where.labels}
        demand_any("label", [spelled for key in sorted(folded) for spelled in labels.get(key, [])])
    if where.precision:
        demand_any("location_precision", where.precision)
    if where.item_ids is not None:
        demand("item_id IN (SELECT unnest(?::VARCHAR[]))", list(where.item_ids))
    if where.text:
        demand("contains(lower(caption), lower(?))", where.text)
    if where.date_from:
        # "~" sorts after every digit and dash, so 2017 reaches to the end of 2017
        demand("captured_at || '~' >= ?", iso_date(where.date_from))
    if where.date_to:
        demand("left(captured_at, 10) <= ?", where.last_day)
    if where.gsd_min is not None:
        demand("gsd_m >= ?", where.gsd_min)
    if where.gsd_max is not None:
        demand("gsd_m <= ?", where.gsd_max)
    if where.sql is not None:
        found.append(f"{where.sql}\n")  # the line break ends a comment
    return found, values


def _in_boxes(boxes: tuple[BBox, ...]) -> tuple[Any, ...]:
    """A condition that a point lies in one of the boxes, and its values."""
    parts, values = [], []
    for box in boxes:
        either = "OR" if box.crosses_antimeridian else "AND"
        parts.append(f"(lat BETWEEN ? AND ? AND (lon >= ? {either} lon <= ?))")
        values += [box.south, box.north, box.west, box.east]
    return (" OR ".join(parts) or "FALSE", *values)
