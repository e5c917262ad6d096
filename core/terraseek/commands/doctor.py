"""`terraseek doctor`: check the installation and advise how to repair it."""

from dataclasses import asdict
from pathlib import Path

import typer

from terraseek.commands.checks import Check, run_checks
from terraseek.commands.console import print_json
from terraseek.commands.deep_checks import deep_checks

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    deep: Path | None = typer.Option(
        None, help="Folder of a catalogue: compare all its files with their checksums, instead."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object on stdout."),
) -> None:
    """Check versions, devices, model files, disk and map; exit code 1 if something is broken."""
    checks = run_checks() if deep is None else list(deep_checks(deep))
    broken = [check for check in checks if check.status == "broken"]
    if as_json:
        print_json({"ok": not broken, "checks": [asdict(check) for check in checks]})
    else:
        _print(checks)
    if broken:
        raise typer.Exit(1)


def _print(checks: list[Check]) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    colours = {"ok": "green", "warn": "yellow", "broken": "bold red"}
    width = max(len(check.name) for check in checks)
    for check in checks:
        mark = f"[{colours[check.status]}]{check.status:<6}[/]"
        console.print(mark, f"{check.name:<{width}} ", end="")
        console.print(check.found, markup=False)
        if check.advice:
            console.print(" " * (width + 8), "-> " + check.advice, markup=False)
    counts = {status: sum(c.status == status for c in checks) for status in colours}
    console.print(f"{counts['ok']} ok, {counts['warn']} to look at, {counts['broken']} broken")
