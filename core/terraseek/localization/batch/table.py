"""Read the table of a batch: which sentence to look for in which scene."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from terraseek.errors import ConfigError, MissingColumnError, QueryError
from terraseek.text_files import read_text_table

__all__ = ["BatchRow", "read_batch", "read_scene_names"]

SCENE_COLUMNS = ("scene", "image", "file")
"""Accepted names of the column with scenes."""
TEXT_COLUMNS = ("text", "sentence", "query", "q", "prompt", "caption")
"""Accepted names of the column with sentences."""


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One sentence in one scene."""

    scene: str
    """Name of the scene, as in the table."""
    text: str
    """The sentence, as in the table."""


def read_batch(path: Path, scenes: Sequence[str] = ()) -> list[BatchRow]:
    """Read rows from a CSV with a header line; equal rows count once.

    With the columns `scene` and `text` each line is one row. With `text` alone every sentence is
    looked for in each of `scenes`. Other columns are ignored, and so are blank lines.

    Args:
        path: the table.
        scenes: names of scenes for a table without them.

    Raises:
        SourceError: the file is neither UTF-8 nor UTF-16.
        MissingColumnError: there is no column with sentences, or none with scenes and no `scenes`.
        QueryError: there is no row.
    """
    names, lines = _read_lines(path)
    text_column = _column(names, TEXT_COLUMNS)
    scene_column = _column(names, SCENE_COLUMNS)
    if text_column is None or (scene_column is None and not scenes):
        raise MissingColumnError(
            f"{path.name} has the columns {', '.join(names) or 'none'}; a batch needs the columns "
            "scene and text, or text alone and a folder or table of scenes"
        )
    if scene_column is not None:
        rows = [BatchRow(line[scene_column], line[text_column]) for line in lines]
    else:
        rows = [BatchRow(scene, line[text_column]) for scene in scenes for line in lines]
    if not rows:
        raise QueryError(f"{path.name} has no line below its header; write one sentence per line")
    return list(dict.fromkeys(rows))


def read_scene_names(path: Path) -> list[str]:
    """Names in the column `scene` of a CSV.

    Raises:
        SourceError: the file is neither UTF-8 nor UTF-16.
        MissingColumnError: there is no such column.
        ConfigError: it has no value.
    """
    names, lines = _read_lines(path)
    column = _column(names, SCENE_COLUMNS)
    if column is None:
        raise MissingColumnError(
            f"{path.name} has the columns {', '.join(names) or 'none'}; a table of scenes needs "
            "the column scene"
        )
    found = list(dict.fromkeys(line[column] for line in lines if line[column]))
    if not found:
        raise ConfigError(f"{path.name} names no scene; write one per line below the header")
    return found


def _read_lines(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Column names in lower case, and the stripped cells of each line that is not blank."""
    text, separator = read_text_table(path)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    names = [name.strip().lower() for name in reader.fieldnames or ()]
    reader.fieldnames = names
    lines = [{name: (line.get(name) or "").strip() for name in names} for line in reader]
    return names, [line for line in lines if any(line.values())]


def _column(names: Sequence[str], accepted: Sequence[str]) -> str | None:
    return next((name for name in accepted if name in names), None)
