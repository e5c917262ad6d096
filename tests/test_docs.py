"""The manual is complete: every command, option and file is named, every link leads somewhere."""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

import click
import nbformat
import pytest
import typer
from nbclient import NotebookClient

from terraseek.cli import build_app

ROOT = Path(__file__).resolve().parents[1]
SOURCES = (
    "core/terraseek",
    "training/terraseek_train",
    "app/terraseek_app",
    "data/terraseek_demoworld",
    "data/terraseek_benchmarks",
)


def commands(node: click.Command, path: tuple[str, ...] = ()) -> list[tuple[str, click.Command]]:
    children = getattr(node, "commands", None)
    if not children:
        return [(" ".join(path), node)]
    runs_alone = path and getattr(node, "invoke_without_command", False)
    below = [found for name, child in children.items() for found in commands(child, (*path, name))]
    return [(" ".join(path), node), *below] if runs_alone else below


def test_every_command_and_option_is_in_the_manual() -> None:
    manual = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    missing = []
    for name, command in commands(typer.main.get_command(build_app())):
        if f"terraseek {name}" not in manual:
            missing.append(name)
        shown = [p for p in command.params if not getattr(p, "hidden", False)]
        options = [o for p in shown for o in p.opts if o.startswith("--")]
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


def documents() -> list[Path]:
    folders = ("docs", "data", "training/recipes")
    return [*ROOT.glob("*.md"), *(d for f in folders for d in (ROOT / f).rglob("*.md"))]


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for document in documents():
        for target in re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8")):
            if "://" not in target and not (document.parent / target).exists():
                broken.append(f"{document.relative_to(ROOT)} -> {target}")
    assert broken == []


def prose_lines(document: Path) -> Iterator[tuple[int, str]]:
    """Lines outside of code and tables, with their numbers."""
    in_code = False
    for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), 1):
        fence = line.lstrip().startswith("```")
        in_code ^= fence
        if not (in_code or fence or line.lstrip().startswith("|") or line.startswith("    ")):
            yield number, line


def test_prose_is_wrapped_at_100_columns() -> None:
    generated = {ROOT / "docs/cli.md", ROOT / "docs/files.md"}
    long = [
        f"{document.relative_to(ROOT)}:{number}"
        for document in sorted(set(documents()) - generated)
        for number, line in prose_lines(document)
        if len(re.sub(r"\]\([^)]*\)", "]", line)) > 100  # a link's target cannot be broken
    ]
    assert long == []


def test_every_page_of_the_site_is_in_its_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("\nnav:\n")[1]
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")]
    assert [page for page in pages if f" {page}\n" not in navigation] == []


@pytest.mark.parametrize("name", ["search_a_catalogue", "localize_a_scene"])
def test_notebook_runs_from_top_to_bottom(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = nbformat.read(ROOT / f"docs/notebooks/{name}.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs for cell in cells), "clear the outputs before a commit"
    roots = [str(ROOT / root) for root in ("core", "training", "app", "data")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(roots))
    monkeypatch.setenv("TERRASEEK_HOME", str(tmp_path / "home"))
    NotebookClient(notebook, kernel_name="python3", timeout=300).execute()
    assert all(cell.outputs for cell in cells[1:-1])
