"""One stage on one shard: the function that engines call in their workers.

Each result is a Parquet table followed by a marker, a JSON file with the digest of everything that
determined the table. A table whose marker has the expected digest is not made again.
"""

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from terraseek.files import read_json, write_json
from terraseek_train.corpus.items import set_column
from terraseek_train.corpus.recipe import StageEntry, digest_of
from terraseek_train.corpus.sources import ShardInput, read_shard
from terraseek_train.corpus.stage import BatchStage, CorpusStage, Shard, StageOutput, reason_kind
from terraseek_train.corpus.tables import write_table

__all__ = ["ShardTask", "read_marker", "run_task"]

Step = Literal["apply", "measure", "split"]


@dataclass(frozen=True)
class ShardTask:
    """What a worker needs to know."""

    entry: StageEntry
    step: Step
    """`apply` of a `BatchStage`; `measure` of a `CorpusStage`, and `split` by its decision."""
    shard: ShardInput
    folder: Path
    """Folder of the stage."""
    digest: str
    """Hash of stage, parameters and input."""
    rows: tuple[int, int] = (0, 0)
    """For `split`: rows of the decision that belong to this shard, from and to."""

    @property
    def marker(self) -> Path:
        """File that says which digest the stored result has."""
        return self.folder / f"{self.step}-done" / f"{self.shard.number:05}.json"

    def output(self, name: str) -> Path:
        """Parquet file of this shard: `accepted`, `rejected` or `measured`."""
        return self.folder / name / f"{self.shard.number:05}.parquet"


def read_marker(task: ShardTask) -> dict[str, Any] | None:
    """Marker of a result that need not be made again; None if it must be made."""
    if not task.marker.exists():
        return None
    marker: dict[str, Any] = read_json(task.marker)
    return marker if marker["digest"] == task.digest else None


def run_task(task: ShardTask) -> dict[str, Any]:
    """Run one stage on one shard, and write tables and marker."""
    started = time.perf_counter()
    items = read_shard(task.shard)
    stage = _stage(digest_of([task.entry.stage, task.entry.parameters]), task)
    shard = Shard(task.shard.number, task.folder)
    marker: dict[str, Any] = {"digest": task.digest, "rows": len(items)}
    if task.step == "measure":
        assert isinstance(stage, CorpusStage)
        measured = stage.measure(items, shard)
        assert len(measured) == len(items), "a measurement has one row per item"
        for column in ("source", "item"):
            measured = measured.add_column(0, column, items.column(column))
        write_table(measured, task.output("measured"))
    else:
        if task.step == "apply":
            assert isinstance(stage, BatchStage)
            output = stage.apply(items, shard)
        else:
            output = _split_by_decision(items, task)
        assert len(output.items) == len(output.reasons) == len(items), "a stage keeps all rows"
        marker |= _write(output, task)
    marker["seconds"] = round(time.perf_counter() - started, 4)
    write_json(task.marker, marker)
    return marker


def _write(output: StageOutput, task: ShardTask) -> dict[str, Any]:
    accepted, rejected = output.split()
    write_table(accepted, task.output("accepted"))
    write_table(rejected, task.output("rejected"))
    kinds: Counter[str] = Counter()
    for entry in pc.value_counts(rejected.column("reason")).to_pylist():
        kinds[reason_kind(entry["values"])] += entry["counts"]
    kept, lost = _per_source(accepted), _per_source(rejected)
    return {
        "accepted": len(accepted),
        "rejected": len(rejected),
        "reasons": dict(kinds),
        "sources": {name: [kept.get(name, 0), lost.get(name, 0)] for name in {**kept, **lost}},
        "facts": output.facts,
    }


def _per_source(items: pa.Table) -> dict[str, int]:
    counts = pc.value_counts(items.column("source")).to_pylist()
    return {entry["values"]: entry["counts"] for entry in counts}


def _split_by_decision(items: pa.Table, task: ShardTask) -> StageOutput:
    start, stop = task.rows
    decision = pq.read_table(task.folder / "decision.parquet").slice(start, stop - start)
    assert decision.column("item").equals(items.column("item").cast(pa.string()))
    for name in decision.column_names:
        if name not in ("item", "reason"):
            items = set_column(items, name, decision.column(name))
    return StageOutput(items, decision.column("reason"))


_KEPT: dict[str, Any] = {}


def _stage(key: str, task: ShardTask) -> Any:  # noqa: ANN401 - a stage of any kind
    """The stage of a task; kept for the next shard, because it may have loaded an encoder."""
    if key not in _KEPT:
        _KEPT.clear()
        _KEPT[key] = task.entry.build()
    return _KEPT[key]
