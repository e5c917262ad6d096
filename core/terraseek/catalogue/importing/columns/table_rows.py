"""Rows of a table as columns of items: names that the catalogue uses, and plain values."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from terraseek.catalogue.importing.columns.cells import (
    LISTS_OF_CAPTIONS,
    MISSING,
    plain_columns,
    plain_value,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["plain_rows", "plain_table_rows", "row_columns"]

_RESERVED = ("item_id", "image", "source", "width", "height")
"""Columns that the catalogue fills; in a table (an exported catalogue) they are renamed."""


def row_columns(row: dict[Any, Any], name: Any) -> dict[str, Any]:  # noqa: ANN401
    """Columns of the item of a table's row, whose image is called `name`.

    With a list of cells for each column, and one of names, the columns of several rows.
    """
    columns = {str(key): value for key, value in row.items()}
    columns["img_name"] = name
    for reserved in _RESERVED:
        if reserved in columns:
            columns[f"original_{reserved}"] = columns.pop(reserved)
    return {k: v for k, v in columns.items() if not k.startswith(("_", "Unnamed"))}


def plain_table_rows(frame: "pd.DataFrame", names: list[str]) -> list[dict[str, Any]]:
    """`row_columns` of each row of a table, without missing values.

    Args:
        frame: the table, with the column names of the catalogue.
        names: name of the image of each row.
    """
    cells = (frame.iloc[:, column].tolist() for column in range(frame.shape[1]))
    return plain_rows(row_columns(dict(zip(frame.columns, cells, strict=True)), names))


def plain_rows(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """`plain_columns` of each row, from lists of cells by column."""
    if any(map(_has_lists, (columns.get(name, []) for name in LISTS_OF_CAPTIONS))):
        return [plain_columns(row) for row in _rows(columns)]
    names = tuple(columns)
    plain = zip(*(_plain_cells(cells) for cells in columns.values()), strict=True)
    return [{k: v for k, v in zip(names, row, strict=True) if v is not None} for row in plain]


def _has_lists(cells: list[Any]) -> bool:
    return not all(value is None or type(value) in (str, float) for value in cells)


def _plain_cells(cells: list[Any]) -> list[Any]:
    """`plain_value` of each cell, without a call for text, which most cells of tables are."""
    return [
        (None if value in MISSING or value.strip() in MISSING else value)
        if type(value) is str
        else plain_value(value)
        for value in cells
    ]


def _rows(columns: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    return (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
