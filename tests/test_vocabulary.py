"""Retired words do not come back: one term a thing, from the literature or the libraries.

`NAMES` are identifiers that this code used to have, `PHRASES` are expressions of comments,
docstrings, documents and command help. Strings are not checked, because keys of files and texts of
pages keep words that readers of files and people know.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import typer

from terraseek.cli import build_app

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("core", "training", "app", "data", "benchmarks", "docs", "tests")

NAMES = {
    "elder": "teacher",
    "Trainee": "ClipWithHeads",
    "Ready": "DeviceBatch",
    "Drawn": "PredrawnRandom",
    "Chance": "RandomSource",
    "Team": "ProcessGroup",
    "taught_targets": "distillation_targets",
    "HeldBack": "ModalitySettings",
    "held_back": "hubness correction",
    "frozen_tower": "compile_for_cpu",
    "Words": "CaptionVectors",
    "Mixture": "FusedCandidates",
    "Blend": "ScoreFusion",
    "Spread": "ScoreStats",
    "spaced": "subsample",
    "convincing_from": "fdr_threshold",
    "convincing": "significant",
    "verdict": "significance",
    "alarms": "false_positives, false_positive_rate",
    "judge": "assess",
    "Asked": "the thing that is requested: Query, BatchQuery, SceneQuery",
    "search_collapsed": "Searcher.search(..., collapse_duplicates=True)",
    "in_bands": "row_blocks",
    "even_so": "force",
    "dense_offer": "dense_availability",
    "best_of": "max_of_n",
    "Bend": "GcpPolynomial",
    "untold": "rows_missing_captions",
    "adopt": "import_vectors",
    "useless": "n_invalid",
    "picture": "image",
    "pictures": "images",
    "MetaCaption": "ParsedCaption",
    "lost_letters": "ascii_with_question_marks",
    "bare_app": "empty_app",
    "worked_here": "imported",
    "Tally": "UnitSums",
    "SELDOM": "UNCERTAIN_FROM",
}
"""Identifier to the term to use."""

PRODUCT_NAMES = NAMES | {
    "said": "text_rng",
    "seen": "view_rng",
    "coming": "batches",
    "told": "step_losses",
    "watched": "val_sets",
    "likely": "candidates",
}
"""Identifiers that tests may use for other things."""

PHRASES = {
    r"\bverdicts?\b": "significance, decision",
    r"\balarms?\b": "false positives",
    r"\bhubs? (?:is|are|were) held back\b|\bholds? hubs back\b": "hubness correction",
    r"\btold (?:of|in the log|from)\b": "reported, logged, distinguished from",
    r"\bleft aside\b": "ignored, not used",
    r"\bto the eye\b": "display",
    r"\bwhat (?:it|the \w+|they) (?:is|are) worth\b": "accuracy, quality",
    r"\beven so\b": "force",
    r"\btake home\b": "download",
    r"\bupper rim\b": "top bar",
    r"\bwhoever (?:asks|opens|closes|deletes)\b": "the caller",
    r"\bgives? no opinion\b": "has no score",
    r"\ba pixel of metres\b|\bmetres a pixel\b": "metres per pixel",
    r"\bpictures? a second\b": "images per second",
    r"\bunlike (?:pictures|images) held\b": "negatives",
    r"\bnot convincing(?! (?:with|match))\b": "not significant",
}
"""Pattern (any case) to the term to use."""

PAGE_WORDS = "not convincing"
"""The words of pages and files for a result that is not significant; quoted in documents."""


KEYS = {
    ("training/terraseek_train/study/config.py", "pictures"),
    ("training/terraseek_train/study/one_run.py", "pictures"),
}
"""Fields of settings files that keep their names."""


def python_files() -> Iterator[Path]:
    here = Path(__file__)
    for source in SOURCES:
        yield from (p for p in sorted((ROOT / source).rglob("*.py")) if p != here)


@cache
def names_and_comments(path: Path) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Identifiers and comments of a file, with their lines."""
    names, comments = [], []
    readline = io.StringIO(path.read_text(encoding="utf-8")).readline
    for token in tokenize.generate_tokens(readline):
        if token.type == tokenize.NAME:
            names.append((token.start[0], token.string))
        elif token.type == tokenize.COMMENT:
            comments.append((token.start[0], token.string))
    return names, comments


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Docstrings of modules, classes, functions and attributes, with their first lines."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for child in node.body if isinstance(node, documented) else []:
            value = child.value if isinstance(child, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield child.lineno, value.value


def retired(text: str) -> list[str]:
    """Retired phrases of a text with what to write instead; quoted words do not count."""
    unquoted = re.sub(r"`[^`]*`|\"[^\"]*\"", " ", " ".join(text.split()))
    return [
        f"{found.group()!r}: write {use!r}"
        for pattern, use in PHRASES.items()
        for found in re.finditer(pattern, unquoted, re.IGNORECASE)
    ]


def help_texts(command: click.Command, name: str = "terraseek") -> Iterator[tuple[str, str]]:
    """Help of a command, its options and the commands below it."""
    yield name, command.help or ""
    for parameter in command.params:
        if not getattr(parameter, "hidden", False):
            yield f"{name} {parameter.name}", getattr(parameter, "help", None) or ""
    for child_name, child in getattr(command, "commands", {}).items():
        yield from help_texts(child, f"{name} {child_name}")


def test_retired_names_are_not_in_the_code() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} {name}: use {PRODUCT_NAMES[name]}"
        for path in python_files()
        for line, name in names_and_comments(path)[0]
        if name in (NAMES if path.is_relative_to(ROOT / "tests") else PRODUCT_NAMES)
        and (path.relative_to(ROOT).as_posix(), name) not in KEYS
    ]
    assert found == []


def test_retired_phrases_are_not_in_comments_and_docstrings() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} {hit}"
        for path in python_files()
        for line, text in [*names_and_comments(path)[1], *docstrings(path)]
        for hit in retired(text)
    ]
    assert found == []


def test_retired_phrases_are_not_in_the_documents() -> None:
    found = [
        f"{document.relative_to(ROOT)} {hit}"
        for folder in (".", "docs", "data", "training/recipes")
        for document in (ROOT / folder).rglob("*.md")
        if "node_modules" not in document.parts and ".venv" not in document.parts
        for hit in retired(document.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_retired_phrases_are_not_in_the_help_of_commands() -> None:
    texts = help_texts(typer.main.get_command(build_app()))
    assert [f"{name}: {hit}" for name, text in texts for hit in retired(text)] == []


def test_a_retired_word_is_found() -> None:
    assert retired("The verdict is told in the log.") == [
        "'verdict': write 'significance, decision'",
        "'told in the log': write 'reported, logged, distinguished from'",
    ]
    assert retired('Pages say "not convincing"; the key is `convincing`.') == []
