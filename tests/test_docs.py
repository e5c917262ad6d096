"""The manual is complete: every command, option and file is named, every link leads somewhere."""

import ast
import re
from pathlib import Path

import click
import pytest
import typer

from terraseek.cli import build_app

ROOT = Path(__file__).resolve().parents[1]
SOURCES = (
    "core/terraseek",
    "training/terraseek_train",
    "app/terraseek_app",
    "data/terraseek_demoworld",
)


def commands(node: click.Command, path: tuple[str, ...] = ()) -> list[tuple[str, click.Command]]:
    children = getattr(node, "commands", None)
    if not children:
        return [(" ".join(path), node)]
    own = (
        [(" ".join(path), node)] if path and getattr(node, "invoke_without_command", False) else []
    )
    return own + [
        found for name, child in children.items() for found in commands(child, (*path, name))
    ]


def test_every_command_and_option_is_in_the_manual() -> None:
    manual = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    missing = []
    for name, command in commands(typer.main.get_command(build_app())):
        if f"terraseek {name}" not in manual:
            missing.append(name)
        options = [o for p in command.params for o in p.opts if o.startswith("--")]
        missing += [f"{name} {o}" for o in options if o != "--help" and f"`{o}`" not in manual]
    assert missing == []


@pytest.mark.parametrize("source", SOURCES)
def test_every_file_is_in_the_map_with_its_own_first_line(source: str) -> None:
    text = (ROOT / "docs/files.md").read_text(encoding="utf-8")
    wrong = []
    for path in sorted((ROOT / source).rglob("*.py")):
        summary = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split(
            "\n"
        )[0]
        name = path.relative_to(ROOT).as_posix()
        if not summary or f"`{name}` {summary}" not in text:
            wrong.append(name)
    assert wrong == [], "run `python docs/make_reference.py`"


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for document in [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "data").glob("*.md"),
    ]:
        for target in re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8")):
            if "://" not in target and not (document.parent / target).exists():
                broken.append(f"{document.relative_to(ROOT)} -> {target}")
    assert broken == []
