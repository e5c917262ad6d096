"""Commands in documents and model cards: their options exist, and so do the files they name."""

import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from terraseek.cli import build_app
from terraseek_benchmarks import benchmarks

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs"))
CARDS = ROOT / "core/terraseek/encoders/cards"
UsageError = typer.BadParameter.__bases__[0]
OUR_FILES = re.compile(r"(training/recipes|benchmarks|docs|core|app|data/cards)/[\w./-]+\.\w+")
PLACEHOLDER = re.compile(r"\.\.\.|…|[\[\]<>|]|\bN\b")


def documents() -> list[Path]:
    folders = ("docs", "data", "training/recipes")
    return [*ROOT.glob("*.md"), *(d for f in folders for d in (ROOT / f).rglob("*.md"))]


def commands_of(text: str) -> Iterator[str]:
    """Commands in the code blocks of a document, with continued lines joined."""
    for block in re.findall(r"^```(?:\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            command = re.sub(r"\s+#.*", "", line.strip().removeprefix("$ "))
            command = re.split(r" && | \| | > |; ", command)[0]
            command = re.sub(r"^(?:[A-Z_]+=\S+ )+", "", command)
            if command.startswith(("terraseek ", "terraseek-train ")):
                yield command


def written_commands() -> list[tuple[str, str]]:
    found = [
        (path.relative_to(ROOT).as_posix(), command)
        for path in documents()
        for command in commands_of(path.read_text(encoding="utf-8"))
        if not PLACEHOLDER.search(command)
    ]
    for path in sorted(CARDS.glob("*.json")):
        for score in json.loads(path.read_text(encoding="utf-8")).get("scores", {}).values():
            if isinstance(score, dict) and "command" in score:
                found += [(path.name, part) for part in score["command"].split(" && ")]
    return found


def parse(node: Any, arguments: list[str], parent: Any = None) -> None:
    """Parse a command line without running it.

    Typer brings its own copy of click, so that `isinstance` with click's classes says nothing.
    """
    context = node.make_context(node.name, list(arguments), parent=parent)
    if hasattr(node, "resolve_command"):
        rest = [*context._protected_args, *context.args]
        if rest:
            _, child, rest = node.resolve_command(context, rest)
            assert child is not None
            parse(child, rest, context)


def test_there_are_commands_to_check() -> None:
    found = written_commands()
    assert len(found) > 50
    assert any("evaluate zeroshot" in command for _, command in found)


def test_every_command_parses() -> None:
    root = typer.main.get_command(build_app())
    wrong = []
    for place, command in written_commands():
        words = shlex.split(command)
        if words[0] == "terraseek-train":
            words[0] = "terraseek"
        try:
            parse(root, words[1:])
        except UsageError as error:
            wrong.append(f"{place}: {command}: {error.format_message()}")
        except typer.Exit:
            pass  # --help and --version
    assert wrong == []


def test_the_files_of_this_repository_that_commands_name_exist() -> None:
    missing = []
    for place, command in written_commands():
        for match in OUR_FILES.finditer(command):
            if not (ROOT / match[0]).exists():
                missing.append(f"{place}: {match[0]}")
    assert missing == []


def test_names_of_classes_in_cards_are_shipped() -> None:
    for place, command in written_commands():
        words = shlex.split(command)
        if place.endswith(".json") and "--classnames" in words:
            name = words[words.index("--classnames") + 1]
            assert benchmarks()[name].described, place


def test_a_wrong_option_is_noticed() -> None:
    root = typer.main.get_command(build_app())
    parse(root, ["search", "cat", "red roofs", "--alpha", "0.5"])
    with pytest.raises(UsageError, match="No such option"):
        parse(root, ["search", "cat", "red roofs", "--magic", "5"])


def test_figures_of_other_weights_are_listed(tmp_path: Path) -> None:
    from check_figures import stale_documents, stale_scores

    cards, weights = tmp_path / "cards", tmp_path / "weights"
    for folder in (cards, weights, tmp_path / "docs"):
        folder.mkdir()
    (weights / "a.safetensors").touch()
    scores = {
        "now": {"mR": 1, "weights_sha256": "ab" * 32},
        "before": {"mR": 1, "weights_sha256": "cd" * 32},
        "undated": {"mR": 1},
    }
    card = {"weights": {"file": "a.safetensors", "sha256": "ab" * 32}, "scores": scores}
    (cards / "a.json").write_text(json.dumps(card))
    (cards / "b.json").write_text(
        json.dumps(card | {"weights": {"file": "b", "sha256": "ef" * 32}})
    )
    assert list(stale_scores(cards, weights)) == [
        "a.json: before: weights cdcdcdcd",
        "a.json: undated: weights unknown",
    ]
    (tmp_path / "docs/x.md").write_text("With weights abababab.\nWith weights `12345678`: 7.\n")
    assert list(stale_documents(tmp_path, cards)) == ["docs/x.md:2: weights 12345678"]
