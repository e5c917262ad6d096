"""Shared by all commands: common options, a progress bar on stderr, JSON on stdout."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from terraseek.progress import Progress

__all__ = ["CatalogueArgument", "DeviceOption", "JsonOption", "bar", "note", "print_json"]

CatalogueArgument = Annotated[Path, typer.Argument(help="Folder of the catalogue.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]


@contextmanager
def bar() -> Iterator[Progress]:
    """Yield a progress callback that draws one bar per stage on stderr, if that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as ProgressBars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    stages: dict[str, Any] = {}
    with ProgressBars(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bars:

        def report(stage: str, done: int, total: int) -> None:
            if stage not in stages:
                stages[stage] = bars.add_task(stage, total=total or None, completed=done)
            bars.update(stages[stage], completed=done, total=total or None)

        yield report


def print_json(value: Any) -> None:  # noqa: ANN401 - JSON is any of these
    """Write one JSON value to stdout; NaN, which JSON lacks, raises `ValueError`."""
    json.dump(value, sys.stdout, ensure_ascii=False, allow_nan=False, indent=2)
    sys.stdout.write("\n")


def note(text: str) -> None:
    """Write one line of text to stderr."""
    sys.stderr.write(text + "\n")
