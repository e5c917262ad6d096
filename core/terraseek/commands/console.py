"""What all commands share: usual options, a bar on stderr, JSON on stdout."""

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
    """A progress callback drawn on stderr, one line a stage, gone quiet when nobody watches."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Rich

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    stages: dict[str, Any] = {}
    with Rich(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as drawn:

        def report(stage: str, done: int, total: int) -> None:
            if stage not in stages:
                stages[stage] = drawn.add_task(stage, total=total or None, completed=done)
            drawn.update(stages[stage], completed=done, total=total or None)

        yield report


def print_json(value: Any) -> None:  # noqa: ANN401 - JSON is any of these
    """Write one JSON value to stdout; NaN is refused because JSON has none."""
    json.dump(value, sys.stdout, ensure_ascii=False, allow_nan=False, indent=2)
    sys.stdout.write("\n")


def note(text: str) -> None:
    """One line for a person, on stderr."""
    sys.stderr.write(text + "\n")
