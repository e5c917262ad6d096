"""Rows of items as columns, which is how they are sent between processes and written."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float64

from terraseek.catalogue.items import (
    DELETED,
    INTEGER_COLUMNS,
    NUMBER_COLUMNS,
    cell_as_text,
    looks_like_number,
)

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["NUMBERS", "PackedColumn", "PackedRows", "as_numbers", "pack", "pack_text"]

NUMBERS = frozenset({*NUMBER_COLUMNS, *INTEGER_COLUMNS, DELETED})
"""Columns of numbers, whatever their values are."""
_EXACT = 2.0**53


class PackedColumn(NamedTuple):
    """Cells of a column."""

    cells: "pa.Array | list[Any]"
    """Text of Arrow's type `large_string`, or float64; a list of other values of a column of
    `NUMBERS`. Null where a row has none."""
    are_numbers: bool | None = None
    """Of text: whether all values were numbers, or look like them; None if they were text."""


class PackedRows(NamedTuple):
    """Rows of items by column."""

    rows: int
    """Number of rows."""
    columns: dict[str, PackedColumn]
    """Cells by column, in the order in which the rows have them."""


def pack(rows: Sequence[dict[str, Any]]) -> PackedRows:
    """Pack rows, which may have different columns."""
    names = dict.fromkeys(name for row in rows for name in row)
    packed = {}
    for name in names:
        values = [row.get(name) for row in rows]
        packed[name] = _pack_numbers(values) if name in NUMBERS else pack_text(values)
    return PackedRows(len(rows), packed)


def _pack_numbers(values: list[Any]) -> PackedColumn:
    import pyarrow as pa

    if not {type(value) for value in values} <= {int, float, type(None)}:
        return PackedColumn(values)
    numbers = np.array(values, np.float64)
    known = numbers[~np.isnan(numbers)]
    # a renamed column of numbers becomes text, which has to be that of the values
    return PackedColumn(pa.array(numbers) if (np.abs(known) < _EXACT).all() else values)


def pack_text(values: list[Any]) -> PackedColumn:
    """Pack values of a column that is not one of `NUMBERS`."""
    import pyarrow as pa

    if {type(value) for value in values} <= {str, type(None)}:
        return PackedColumn(pa.array(values, pa.large_string()))
    texts = [_text(value) for value in values]
    given = (value for value, text in zip(values, texts, strict=True) if text)
    return PackedColumn(pa.array(texts, pa.large_string()), all(map(looks_like_number, given)))


def _text(value: Any) -> str | None:  # noqa: ANN401 - a cell
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    return cell_as_text(value)


def as_numbers(values: list[Any]) -> Float64[np.ndarray, " n"]:
    """Finite numbers of cells; NaN for anything else."""
    try:
        numbers = np.array([np.nan if v is None or v == "" else v for v in values], np.float64)
    except (TypeError, ValueError):
        series = pd.Series(values, dtype=object)
        numbers = pd.to_numeric(series, errors="coerce").to_numpy(np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)
