"""A recipe on a local Ray cluster of two workers: the same bytes as with the local engine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from terraseek.parallel.engine import TaskEngine
from terraseek.parallel.local import LocalEngine
from terraseek_train.corpus.recipe import parse_recipe
from terraseek_train.corpus.run import run_recipe

pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def engine() -> Iterator[TaskEngine]:
    from terraseek.parallel.ray_engine import RayEngine

    with RayEngine(workers=2) as found:
        yield found


def run(folder: Path, source: Path, engine: TaskEngine) -> dict[str, bytes]:
    """Tables of a run, by their path."""
    stages: list[dict[str, Any]] = [{"stage": "keywords"}, {"stage": "duplicates", "by": "url"}]
    value = {"version": 1, "name": "n", "out": str(folder), "shard_rows": 50, "stages": stages}
    value |= {"sources": [{"name": "a", "path": str(source), "kind": "pairs"}]}
    run_recipe(parse_recipe(value, "test"), engine)
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*.parquet")}


def test_output_is_that_of_the_local_engine(engine: TaskEngine, tmp_path: Path):
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
