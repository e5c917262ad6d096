"""Engines of the corpus keyword filter side by side: `python benchmarks/keywords.py [--json]`.

Captions are made of random words, with a share that contains a keyword. Every engine that is
installed says which captions match, with one thread; the answers must be equal.

`captions_per_s`  per engine, best of the repeats
`relative`        to the engine that the stage uses
"""

import importlib
import re
from collections.abc import Callable
from types import ModuleType

import numpy as np
import pyarrow as pa
import typer
from common import machine, report, timed

from terraseek_train.corpus.stages.keywords import Keywords, matches_any

Matcher = Callable[[], np.ndarray]


def made_captions(count: int, words: int, share: float, patterns: tuple[str, ...]) -> list[str]:
    """Random captions; `share` of them contain a pattern in mixed case."""
    rng = np.random.default_rng(0)
    letters = np.array(list("etaoinshrdlucmfwypvbgk"))
    known = ["".join(rng.choice(letters, rng.integers(2, 10))) for _ in range(5000)]
    captions = []
    for _ in range(count):
        text = [known[i] for i in rng.integers(0, len(known), rng.integers(2, 2 * words))]
        if rng.random() < share:
            text.insert(len(text) // 2, patterns[rng.integers(len(patterns))].title() + "s")
        captions.append(" ".join(text).capitalize())
    return captions


def matchers(captions: list[str], patterns: tuple[str, ...]) -> dict[str, Matcher]:
    """Engine to a function that matches all captions."""
    expression = "|".join(map(re.escape, patterns))
    compiled = re.compile(expression, re.IGNORECASE)
    column = pa.chunked_array([captions])
    table = pa.table({"caption": column})
    found: dict[str, Matcher] = {
        "stage": lambda: matches_any(column, patterns).to_numpy(),
        "re": lambda: np.array([compiled.search(c) is not None for c in captions]),
        "pyarrow ignore_case": lambda: pa.compute.match_substring_regex(
            column, expression, ignore_case=True
        ).to_numpy(),
        "pyarrow lower": lambda: pa.compute.match_substring_regex(
            pa.compute.utf8_lower(column), expression
        ).to_numpy(),
    }
    return (
        found
        | _duckdb(table, expression)
        | _polars(captions, patterns)
        | _automata(captions, patterns)
    )


def _duckdb(table: pa.Table, expression: str) -> dict[str, Matcher]:
    import duckdb

    connection = duckdb.connect(config={"threads": 1})
    connection.register("captions", table)
    query = f"select regexp_matches(caption, '{expression}', 'i') as m from captions"
    return {"duckdb": lambda: np.asarray(connection.execute(query).fetchnumpy()["m"])}


def _polars(captions: list[str], patterns: tuple[str, ...]) -> dict[str, Matcher]:
    polars = _optional("polars")
    if polars is None:
        return {}
    series = polars.Series("caption", captions)
    words = list(patterns)
    return {
        "polars contains_any": lambda: series.str.contains_any(
            words, ascii_case_insensitive=True
        ).to_numpy()
    }


def _automata(captions: list[str], patterns: tuple[str, ...]) -> dict[str, Matcher]:
    found: dict[str, Matcher] = {}
    if python := _optional("ahocorasick"):
        automaton = python.Automaton()
        for pattern in patterns:
            automaton.add_word(pattern, True)
        automaton.make_automaton()
        found["pyahocorasick"] = lambda: np.array(
            [next(automaton.iter(c.lower()), None) is not None for c in captions]
        )
    if rust := _optional("ahocorasick_rs"):
        matcher = rust.AhoCorasick(list(patterns))
        found["ahocorasick_rs"] = lambda: np.array(
            [bool(matcher.find_matches_as_indexes(c.lower())) for c in captions]
        )
    return found


def _optional(module: str) -> ModuleType | None:
    """A module that may not be installed; imported by name, so that mypy needs it neither."""
    try:
        return importlib.import_module(module)
    except ImportError:
        return None


def main(
    count: int = typer.Option(200_000, help="Captions."),
    words: int = typer.Option(12, help="Mean words per caption."),
    share: float = typer.Option(0.03, help="Share of captions with a keyword."),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Measure every engine that is installed."""
    import pyarrow.compute  # noqa: F401 - pa.compute

    pa.set_cpu_count(1)
    patterns = Keywords().patterns
    captions = made_captions(count, words, share, patterns)
    engines = matchers(captions, patterns)
    expected = engines["re"]()
    figures: dict[str, float | int | str] = {
        "machine": machine(),
        "captions": count,
        "characters per caption": round(sum(map(len, captions)) / count, 1),
        "matching": int(expected.sum()),
    }
    rates = {}
    for name, match in engines.items():
        assert np.array_equal(match(), expected), f"{name} gives another answer"
        rates[name] = count / timed(match, repeats=3, warmup=0).best
    for name, rate in sorted(rates.items(), key=lambda pair: -pair[1]):
        figures[name] = f"{rate:,.0f} captions/s, {rate / rates['stage']:.2f} of the stage"
    report("Keyword filter", figures, as_json)


if __name__ == "__main__":
    typer.run(main)
