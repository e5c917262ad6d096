"""Limits of tables, checked before a table is read into memory."""

from collections.abc import Sized
from pathlib import Path

from terraseek.errors import SourceError

__all__ = ["MAX_COLUMNS", "MAX_LINE_BYTES", "check_columns", "check_lines"]

MAX_COLUMNS = 2_000
"""Largest number of columns of a table."""
MAX_LINE_BYTES = 4 << 20
"""Longest line of a text table in bytes."""
_CHUNK = 1 << 20


def check_columns(path: Path, columns: Sized) -> None:
    """Refuse a table of too many columns.

    Raises:
        SourceError: more than `MAX_COLUMNS`.
    """
    if len(columns) > MAX_COLUMNS:
        raise SourceError(
            f"{path} has {len(columns):,} columns, the limit is {MAX_COLUMNS:,}; keep the columns "
            "with names, captions and places"
        )


def check_lines(path: Path, separator: str) -> None:
    """Refuse a text table with too many columns or a line that is too long.

    Raises:
        SourceError: more columns than `MAX_COLUMNS`, or a line above `MAX_LINE_BYTES`.
    """
    length, number = 0, 1
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            first, *others = chunk.split(b"\n")
            lengths = [length + len(first), *map(len, others)]
            if max(lengths) > MAX_LINE_BYTES:
                number += next(i for i, n in enumerate(lengths) if n > MAX_LINE_BYTES)
                raise SourceError(
                    f"{path} has more than {MAX_LINE_BYTES >> 20} MB in line {number}; is it a "
                    "table? Check its quotes and line ends"
                )
            length, number = lengths[-1], number + len(others)
        file.seek(0)
        names = file.readline(MAX_LINE_BYTES).split(separator.encode())
    check_columns(path, names)
