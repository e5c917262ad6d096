"""A function that runs a recipe in a folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from terraseek.parallel.local import LocalEngine
from terraseek_train.corpus.leakage.evaluation_sets import DATA_VARIABLE
from terraseek_train.corpus.recipe import parse_recipe
from terraseek_train.corpus.run import run_recipe
from terraseek_train.corpus.sources import ShardInput


@pytest.fixture(autouse=True)
def _no_evaluation_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real data of a developer are no part of a test's recipe."""
    monkeypatch.delenv(DATA_VARIABLE, raising=False)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., list[ShardInput]]:
    """Run sources and stages in `tmp_path/corpus`; returns the shards of the last stage."""

    def call(
        sources: list[dict[str, Any]],
        stages: list[dict[str, Any]],
        workers: int = 1,
        **settings: Any,
    ) -> list[ShardInput]:
        value = {"version": 1, "name": "test", "out": str(tmp_path / "corpus")}
        value |= {"sources": sources, "stages": stages, **settings}
        with LocalEngine(workers) as engine:
            return run_recipe(parse_recipe(value, "test"), engine)

    return call
