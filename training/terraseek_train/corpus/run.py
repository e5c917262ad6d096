"""Run a recipe: stage after stage, each over all shards; finished work is not done again.

Layout of a corpus folder:

    recipe.json
    sources/NAME/00000.parquet        items of sources that had to be copied
    stages/01-keywords/accepted/00000.parquet, rejected/, apply-done/00000.json, stage.json
    stages/04-duplicates/measured/00000.parquet, decision.parquet, decision.json, …
"""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from terraseek.catalogue.locking import exclusive
from terraseek.files import read_json, write_json
from terraseek.parallel.engine import Failure, TaskEngine
from terraseek.progress import Progress, silent
from terraseek_train.corpus.recipe import Recipe, StageEntry, digest_of
from terraseek_train.corpus.shard_task import ShardTask, Step, read_marker, run_task
from terraseek_train.corpus.sources import ShardInput, list_shards
from terraseek_train.corpus.stage import CorpusStage
from terraseek_train.corpus.status import stage_folder
from terraseek_train.corpus.tables import write_table

__all__ = ["run_recipe"]

_log = logging.getLogger(__name__)


def run_recipe(recipe: Recipe, engine: TaskEngine, progress: Progress = silent) -> list[ShardInput]:
    """Run all stages, and return the shards that the last one accepted.

    A shard that fails is listed in `stage.json`, its items are left out of later stages, and the
    next run tries it again.

    Raises:
        SourceError: a source cannot be read.
        CatalogueError: another process runs a recipe in this folder.
    """
    out = Path(recipe.out).absolute()
    out.mkdir(parents=True, exist_ok=True)
    with exclusive(out):
        write_json(out / "recipe.json", asdict(recipe))
        shards = list_shards(recipe, out, progress)
        for number, entry in enumerate(recipe.stages, start=1):
            shards = _StageRun(entry, stage_folder(out, number, entry.name), engine, progress).run(
                shards
            )
    return shards


class _StageRun:
    """One stage of a recipe over all shards."""

    def __init__(
        self, entry: StageEntry, folder: Path, engine: TaskEngine, progress: Progress
    ) -> None:
        self.entry, self.folder, self.engine, self.progress = entry, folder, engine, progress
        self.digest = entry.digest
        self.failed: dict[str, str] = {}
        self.started = time.perf_counter()
        self.reused = 0

    def run(self, shards: Sequence[ShardInput]) -> list[ShardInput]:
        facts: dict[str, Any] = {}
        measured: dict[int, dict[str, Any]] = {}
        if isinstance(self.entry.build(), CorpusStage):
            tasks = [self._task("measure", shard, shard.digest) for shard in shards]
            measured = self._run_tasks(tasks)
            usable = [shard for shard in shards if shard.number in measured]
            key = digest_of([self.digest, *[shard.digest for shard in usable]])
            facts = self._decide(usable, key)
            tasks = list(self._split_tasks(usable, measured, key))
        else:
            tasks = [self._task("apply", shard, shard.digest) for shard in shards]
        done = self._run_tasks(tasks)
        self._write_summary(shards, done, measured, facts)
        return [
            ShardInput(
                task.shard.number,
                str(task.output("accepted")),
                task.digest,
                done[task.shard.number]["accepted"],
            )
            for task in tasks
            if task.shard.number in done
        ]

    def _task(self, step: Step, shard: ShardInput, key: str) -> ShardTask:
        return ShardTask(self.entry, step, shard, self.folder, digest_of([self.digest, step, key]))

    def _split_tasks(
        self, shards: Sequence[ShardInput], measured: dict[int, dict[str, Any]], key: str
    ) -> Iterator[ShardTask]:
        start = 0
        for shard in shards:
            stop = start + measured[shard.number]["rows"]
            task = self._task("split", shard, f"{key} {shard.digest}")
            yield replace(task, rows=(start, stop))
            start = stop

    def _run_tasks(self, tasks: Sequence[ShardTask]) -> dict[int, dict[str, Any]]:
        """Markers by shard number, of those stored and those that ran now."""
        found = {task.shard.number: read_marker(task) for task in tasks}
        markers = {number: marker for number, marker in found.items() if marker is not None}
        self.reused += len(markers)
        missing = [task for task in tasks if task.shard.number not in markers]
        count = len(markers)
        self.progress(self.entry.name, count, len(tasks))
        for task, result in self.engine.run(run_task, missing):
            if isinstance(result, Failure):
                self.failed[f"{task.shard.number:05}"] = result.error
                _log.warning(
                    "stage %s, shard %05d failed: %s",
                    self.entry.name,
                    task.shard.number,
                    result.error,
                )
            else:
                markers[task.shard.number] = result
            count += 1
            self.progress(self.entry.name, count, len(tasks))
        return markers

    def _decide(self, shards: Sequence[ShardInput], key: str) -> dict[str, Any]:
        """Facts of the decision, which is made again only if a measurement has changed."""
        stored = self.folder / "decision.json"
        if stored.exists() and read_json(stored)["digest"] == key:
            facts: dict[str, Any] = read_json(stored)["facts"]
            return facts
        started = time.perf_counter()
        files = [self.folder / "measured" / f"{shard.number:05}.parquet" for shard in shards]
        measured = pa.concat_tables(pq.read_table(file) for file in files)
        stage = self.entry.build()
        assert isinstance(stage, CorpusStage)
        decision = stage.decide(measured)
        table = pa.table(
            {
                "item": measured.column("item"),
                "reason": pa.array(decision.reasons, pa.string()),
                **{name: pa.array(values) for name, values in decision.columns.items()},
            }
        )
        write_table(table, self.folder / "decision.parquet")
        seconds = round(time.perf_counter() - started, 4)
        write_json(stored, {"digest": key, "facts": decision.facts, "seconds": seconds})
        return decision.facts

    def _write_summary(
        self,
        shards: Sequence[ShardInput],
        done: dict[int, dict[str, Any]],
        measured: dict[int, dict[str, Any]],
        facts: dict[str, Any],
    ) -> None:
        markers = list(done.values())
        decision = self.folder / "decision.json"
        seconds = sum(m["seconds"] for m in [*markers, *measured.values()])
        summary = {
            "name": self.entry.name,
            "stage": self.entry.stage,
            "digest": self.digest,
            "shards": len(shards),
            "failed": self.failed,
            "in": sum(m["rows"] for m in markers),
            "accepted": sum(m["accepted"] for m in markers),
            "rejected": sum(m["rejected"] for m in markers),
            "reasons": _added(m["reasons"] for m in markers),
            "sources": _added_pairs(m["sources"] for m in markers),
            "facts": facts or _added(m["facts"] for m in markers),
            "seconds": round(seconds + (read_json(decision)["seconds"] if measured else 0), 3),
        }
        assert summary["in"] == summary["accepted"] + summary["rejected"]
        write_json(self.folder / "stage.json", summary)


def _added(counts: Iterator[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for one in counts:
        for key, value in one.items():
            total[key] = total.get(key, 0) + value
    return dict(sorted(total.items(), key=lambda pair: (-pair[1], pair[0])))


def _added_pairs(counts: Iterator[dict[str, list[int]]]) -> dict[str, list[int]]:
    total: dict[str, list[int]] = {}
    for one in counts:
        for key, (accepted, rejected) in one.items():
            known = total.setdefault(key, [0, 0])
            total[key] = [known[0] + accepted, known[1] + rejected]
    return dict(sorted(total.items()))
