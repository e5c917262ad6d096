"""The cluster engine on a local Ray cluster of two workers: same bytes, and workers may die."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from terraseek_train.corpus.engines.engine import Engine, Failure
from terraseek_train.corpus.engines.local import LocalEngine
from terraseek_train.corpus.recipe import parse_recipe
from terraseek_train.corpus.run import run_recipe

pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    from terraseek_train.corpus.engines.ray_engine import RayEngine

    with RayEngine(workers=2) as found:
        yield found


def run(folder: Path, source: Path, engine: Engine) -> dict[str, bytes]:
    """Tables of a run, by their path."""
    stages: list[dict[str, Any]] = [{"stage": "keywords"}, {"stage": "duplicates", "by": "url"}]
    value = {"version": 1, "name": "n", "out": str(folder), "shard_rows": 50, "stages": stages}
    value |= {"sources": [{"name": "a", "path": str(source), "kind": "pairs"}]}
    run_recipe(parse_recipe(value, "test"), engine)
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*.parquet")}


def test_output_is_that_of_the_local_engine(engine: Engine, tmp_path: Path):
    rows = 400
    table = pa.table(
        {
            "url": [f"http://a.org/{n % 150}.jpg" for n in range(rows)],
            "caption": [("aerial view" if n % 3 else "a cat") + f" {n}" for n in range(rows)],
        }
    )
    pq.write_table(table, tmp_path / "pairs.parquet", row_group_size=40)
    local = run(tmp_path / "local", tmp_path / "pairs.parquet", LocalEngine(1))
    assert len(local) > 20
    assert run(tmp_path / "cluster", tmp_path / "pairs.parquet", engine) == local


def test_a_worker_that_is_killed_changes_nothing(engine: Engine, tmp_path: Path):
    def work(task: str) -> str:
        once = tmp_path / task
        if task == "dies once" and not once.exists():
            once.touch()
            os._exit(9)
        if task == "dies":
            os._exit(9)
        if task == "raises":
            raise ValueError("not this one")
        return task.upper()

    tasks = ["a", "dies once", "dies", "b", "raises", "c", "d"]
    done = dict(engine.run(work, tasks))
    assert isinstance(done.pop("dies"), Failure)
    assert "not this one" in done.pop("raises").error
    assert done == {task: task.upper() for task in ("a", "dies once", "b", "c", "d")}
