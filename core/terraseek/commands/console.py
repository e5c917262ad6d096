"""Shared by all commands: common options, a progress bar on stderr, JSON on stdout."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from terraseek.progress import Pace, Progress

__all__ = [
    "AddressOption",
    "CatalogueArgument",
    "CoresOption",
    "DeviceOption",
    "JsonOption",
    "TaskEngineOption",
    "WorkersOption",
    "bar",
    "note",
    "print_json",
]

CatalogueArgument = Annotated[Path, typer.Argument(help="Folder of the catalogue.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
TaskEngineOption = Annotated[str, typer.Option("--engine", help="local or ray (a cluster).")]
AddressOption = Annotated[
    str | None,
    typer.Option(help="Ray cluster, such as auto or ray://host:10001; else one is started here."),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(min=1, help="Worker processes; on a cluster by default as many as fit."),
]
CoresOption = Annotated[int, typer.Option(min=1, help="Cores, and threads, of each worker.")]
_LINE_S = 30


@contextmanager
def bar() -> Iterator[Progress]:
    """Yield a progress callback that shows amount, rate and time left of each stage on stderr.

    A terminal gets a bar; the log of a batch job gets a line every half a minute.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as ProgressBars

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    rate = TextColumn("{task.fields[rate]}")
    stages: dict[str, Any] = {}
    paces: dict[str, Pace] = {}
    written = time.monotonic()
    with ProgressBars(*columns, rate, TimeRemainingColumn(), console=console) as bars:

        def report(stage: str, done: int, total: int) -> None:
            nonlocal written
            if stage not in stages:
                stages[stage] = bars.add_task(stage, total=total or None, completed=done, rate="")
                paces[stage] = Pace()
            paces[stage].update(done, total)
            shown = paces[stage].rate_text()
            bars.update(stages[stage], completed=done, total=total or None, rate=shown)
            if not console.is_terminal and time.monotonic() - written >= _LINE_S:
                written = time.monotonic()
                note(f"{stage}: {paces[stage]}")

        yield report


def print_json(value: Any) -> None:  # noqa: ANN401 - JSON is any of these
    """Write one JSON value to stdout; NaN, which JSON lacks, raises `ValueError`."""
    json.dump(value, sys.stdout, ensure_ascii=False, allow_nan=False, indent=2)
    sys.stdout.write("\n")


def note(text: str) -> None:
    """Write one line of text to stderr."""
    sys.stderr.write(text + "\n")
