"""Cells of tables and values of JSON as plain values; what means "no value" becomes None."""

import math
from typing import Any

import numpy as np

__all__ = ["LISTS_OF_CAPTIONS", "MISSING", "cell_text", "plain_columns", "plain_value"]

MISSING = frozenset({"", "nan", "NaN", "NAN", "None", "null", "NULL", "<NA>", "NaT"})
"""Texts that pandas, Python, JSON and SQL write for a missing value."""
LISTS_OF_CAPTIONS = ("caption", "captions", "sentences")
"""Columns whose lists of text are several captions."""


def plain_value(value: Any) -> Any:  # noqa: ANN401 - a cell of any type
    """Python value of a cell; None for missing values, empty lists and binary data."""
    if type(value) is str:  # most cells of large tables
        return None if value in MISSING or value.strip() in MISSING else value
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bytes, bytearray, memoryview)):
        return None
    if isinstance(value, str):
        return None if value.strip() in MISSING else value
    if isinstance(value, dict):
        plain = {str(key): plain_value(cell) for key, cell in value.items()}
        return plain if any(cell is not None for cell in plain.values()) else None
    if isinstance(value, (list, tuple, set)):
        cells = [cell for cell in map(plain_value, value) if cell is not None]
        return cells or None
    if isinstance(value, float) and math.isnan(value):
        return None
    return None if str(value) in MISSING else value


def cell_text(value: Any) -> str:  # noqa: ANN401 - a cell of any type
    """Text of a cell without surrounding blanks; empty for a missing value."""
    plain = plain_value(value)
    return "" if plain is None else str(plain).strip()


def plain_columns(columns: dict[str, Any]) -> dict[str, Any]:
    """Columns that have a value; a list of captions becomes `caption`, `caption_2` and so on."""
    plain = {name: plain_value(value) for name, value in columns.items()}
    for name in LISTS_OF_CAPTIONS:
        texts = plain.get(name)
        if isinstance(texts, dict):  # by language or origin
            texts = [text for text in texts.values() if isinstance(text, str)]
        if isinstance(texts, list) and all(isinstance(text, str) for text in texts):
            del plain[name]
            for number, text in enumerate(texts, start=1):
                target = "caption" if number == 1 else f"caption_{number}"
                if plain.get(target) is None:
                    plain[target] = text
    return {name: value for name, value in plain.items() if value is not None}
