"""Write docs/cli.md and docs/files.md from the code: `python docs/make_reference.py`.

The tests compare both with the code, so a new command or file that is not here fails them.
"""

import ast
import subprocess
from pathlib import Path

import click
import typer

from terraseek.cli import build_app

ROOT = Path(__file__).resolve().parents[1]
SOURCES = {
    "core/terraseek": "the library",
    "training/terraseek_train": "training and evaluation",
    "app/terraseek_app": "the browser application",
    "data/terraseek_demoworld": "the generator of the demo world",
    "data/terraseek_benchmarks": "the recipes of published benchmarks",
    "benchmarks": "measurements",
    "tests": "tests",
}


def first_line(path: Path) -> str:
    """Summary line of a module's docstring."""
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0]


def tracked(folder: str) -> list[Path]:
    """Python files below a folder that git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", folder],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return sorted(ROOT / name for name in listed.stdout.split() if name.endswith(".py"))


def file_map() -> str:
    """One line a file, grouped by source root."""
    lines = ["# Map of the files", "", "Made by `python docs/make_reference.py`; do not edit.", ""]
    for folder, title in SOURCES.items():
        lines += [f"## `{folder}/`: {title}", ""]
        for path in tracked(folder):
            if summary := first_line(path):
                lines.append(f"- `{path.relative_to(ROOT).as_posix()}` {summary}")
        lines.append("")
    return "\n".join(lines)


def describe(name: str, command: click.Command) -> list[str]:
    """One command: usage, help, options."""
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    words = [(a.metavar or str(a.name)).upper() for a in arguments]
    usage = " ".join(["terraseek", name, *words])
    lines = [f"## `terraseek {name}`", "", f"    {usage}", "", (command.help or "").strip(), ""]
    for option in command.params:
        if option.param_type_name != "option" or getattr(option, "hidden", False):
            continue
        names = ", ".join(f"`{o}`" for o in [*option.opts, *option.secondary_opts])
        lines.append(f"- {names}: {getattr(option, 'help', '') or ''}")
    return [*lines, ""]


def walk(node: click.Command, path: tuple[str, ...] = ()) -> list[str]:
    """All commands below a group, in the order they were registered."""
    children = getattr(node, "commands", {})
    own = path and (not children or getattr(node, "invoke_without_command", False))
    lines = describe(" ".join(path), node) if own else []
    for name, child in children.items():
        lines += walk(child, (*path, name))
    return lines


def main() -> None:
    """Write both files."""
    (ROOT / "docs/files.md").write_text(file_map(), encoding="utf-8")
    head = """# Command line

Made by `python docs/make_reference.py`; do not edit.

`--json` prints one object or list on stdout and nothing else there. Exit codes: 0 done, 1 a check
failed (`doctor`), 2 what was given cannot be used (one line on stderr says what and what to do).

- `--version`: Print the version.
""".splitlines()
    text = "\n".join([*head, "", *walk(typer.main.get_command(build_app()))])
    (ROOT / "docs/cli.md").write_text(text.rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
