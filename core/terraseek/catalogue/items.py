"""Columns of the items table and their types; see `items_file` for its file."""

import json
import re
from typing import Any

import numpy as np
import pandas as pd

from terraseek.catalogue.columns import ROW_ORDER

__all__ = [
    "COLUMNS",
    "DELETED",
    "FILE_COLUMNS",
    "HIDDEN_COLUMNS",
    "INTEGER_COLUMNS",
    "NUMBER_COLUMNS",
    "NUMBER_PATTERN",
    "TEXT_COLUMNS",
    "build_frame",
    "cell_as_text",
    "looks_like_number",
    "set_types",
]

COLUMNS = (
    "item_id",
    "image",
    "caption",
    "lon",
    "lat",
    "location_precision",
    "captured_at",
    "gsd_m",
    "source",
    "label",
)
"""Columns of every catalogue, in this order. Unknown text is empty, unknown numbers are NaN. `lon`,
`lat`: degrees EPSG:4326; `gsd_m`: metres per pixel; `captured_at`: ISO 8601."""
FILE_COLUMNS = ("_file", "_offset", "_size")
"""Location of the image bytes: absolute path, first byte, length in bytes (-1: to the end)."""

DELETED = "_deleted"
"""Column that is 1 in deleted rows, which keep their row number, and so their vectors, until the
catalogue is compacted. It exists only while there are such rows."""
HIDDEN_COLUMNS = (*FILE_COLUMNS, DELETED, ROW_ORDER)
"""Columns that users do not see."""

TEXT_COLUMNS = ("_file", "img_name")
"""Further columns of text, also if it looks like numbers (BigEarthNet's names in RS5M do)."""
NUMBER_COLUMNS = ("lon", "lat", "gsd_m")
"""Columns of numbers with decimals; what is no number in them is unknown."""
INTEGER_COLUMNS = ("month", "width", "height", "_offset", "_size")
"""Columns of whole numbers."""
NUMBER_PATTERN = r"-?(0|[1-9]\d{0,14})(\.\d+)?"
"""Text that is a number in other columns; `0012` and `32U` are names."""
_NUMBER = re.compile(NUMBER_PATTERN)


def build_frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Make a typed table from rows that may have different columns; extra columns are kept."""
    frame = pd.DataFrame.from_records(rows)
    for column in (*COLUMNS, *FILE_COLUMNS):
        if column not in frame:
            frame[column] = None
    return set_types(frame)


def set_types(frame: pd.DataFrame, written: bool = False) -> pd.DataFrame:
    """Order the columns and give each one type.

    Args:
        frame: the items.
        written: the table comes from `items.parquet`, so numbers have their type and empty text is
            null.
    """
    others = [c for c in frame.columns if c not in COLUMNS and c not in HIDDEN_COLUMNS]
    column = _written_column if written else _column
    typed = {c: column(c, frame[c]) for c in (*COLUMNS, *others, *FILE_COLUMNS)}
    if DELETED in frame:
        typed[DELETED] = frame[DELETED].fillna(0).astype("int8")
    return pd.DataFrame(typed)


def _column(name: str, values: pd.Series) -> pd.Series:
    if name in NUMBER_COLUMNS:
        return pd.to_numeric(values, errors="coerce").astype("float64")
    if name in INTEGER_COLUMNS:
        numbers = pd.to_numeric(values, errors="coerce").replace([np.inf, -np.inf], np.nan)
        return numbers.round().astype("Int64")
    if name in (*COLUMNS, *TEXT_COLUMNS):
        return _text(values)
    present = values.dropna()
    present = present[present.astype("str") != ""]
    if len(present) and present.map(looks_like_number).all():
        numbers = pd.to_numeric(values, errors="coerce").astype("float64")
        whole = numbers.dropna()
        exact = (whole == whole.round()) & (whole.abs() < 2**53)
        return numbers.astype("Int64") if exact.all() else numbers
    return _text(values)


def _written_column(name: str, values: pd.Series) -> pd.Series:
    """Keep the type of text and numbers; columns of another type are typed as when imported."""
    if isinstance(values.dtype, pd.StringDtype):
        return values.fillna("")
    return values if pd.api.types.is_numeric_dtype(values) else _column(name, values)


def looks_like_number(value: object) -> bool:
    """Whether a value is a number or text that looks like one; `0012` and `32U` are names."""
    if isinstance(value, bool):
        return False
    if isinstance(value, (int, float, np.number)):
        return True
    return isinstance(value, str) and _NUMBER.fullmatch(value) is not None


def _text(values: pd.Series) -> pd.Series:
    plain = values.map(cell_as_text, na_action="ignore")
    return plain.astype("str").where(values.notna(), "")


def cell_as_text(value: object) -> str:
    """Text of a cell: JSON of lists, whole numbers without decimals."""
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
