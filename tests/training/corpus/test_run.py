"""Recipes: resuming, unchanged stages, failing shards, workers that die."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from helpers.corpus_runs import items_of
from terraseek.errors import ConfigError, ItemNotFoundError, MissingColumnError
from terraseek.parallel.engine import Failure
from terraseek.parallel.local import LocalEngine
from terraseek_train.corpus.explain import explain_item
from terraseek_train.corpus.recipe import load_recipe, parse_recipe
from terraseek_train.corpus.status import read_status, status_lines

CAPTIONS = ["Aerial VIEW of a port", "a cat", "satellite imagery of Rome", "my Maxar cup", "", None]


@pytest.fixture
def pairs(tmp_path: Path) -> dict[str, str]:
    captions = CAPTIONS * 5
    urls = [f"http://example.org/{row}.jpg" for row in range(len(captions))]
    table = pa.table({"url": urls, "caption": captions})
    pq.write_table(table, tmp_path / "pairs.parquet", row_group_size=7)
    return {"name": "web", "path": str(tmp_path / "pairs.parquet"), "kind": "pairs"}


def test_keywords_keep_captions_that_contain_a_pattern(run: Callable, pairs: dict, tmp_path: Path):
    shards = run([pairs], [{"stage": "keywords"}], shard_rows=8)
    kept = items_of(shards)
    assert [s.rows for s in shards] == [4, 3, 4, 4, 0]
    assert set(kept["caption"].to_pylist()) == {CAPTIONS[0], CAPTIONS[2], CAPTIONS[3]}
    assert kept["item"].to_pylist()[:4] == ["web/0_0", "web/0_2", "web/0_3", "web/0_6"]
    [stage] = read_status(tmp_path / "corpus")
    assert (stage["in"], stage["accepted"], stage["rejected"]) == (30, 15, 15)
    assert stage["facts"] == {"aerial view": 5, "maxar": 5, "satellite imag": 5}
    assert stage["sources"] == {"web": [15, 15]}
    assert "no keyword 15" in status_lines([stage])[1]


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl"])
def test_text_tables_give_the_same_items_as_parquet(
    run: Callable, pairs: dict, tmp_path: Path, form: str
):
    expected = items_of(run([pairs], [{"stage": "keywords"}])).select(["item", "url", "caption"])
    table = pq.read_table(tmp_path / "pairs.parquet").to_pandas()
    path = tmp_path / f"pairs.{form}"
    if form == "jsonl":
        table.to_json(path, orient="records", lines=True)
    else:
        table.to_csv(path, sep="\t" if form == "tsv" else ",", index=False)
    found = items_of(run([pairs | {"path": str(path)}], [{"stage": "keywords"}], shard_rows=4))
    assert found.select(["item", "url", "caption"]).to_pylist() == expected.to_pylist()


def test_a_table_without_the_column_is_refused(run: Callable, pairs: dict):
    source = pairs | {"caption": "text"}
    with pytest.raises(MissingColumnError, match="text"):
        run([source], [{"stage": "keywords"}])


def _times(folder: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in sorted(folder.rglob("*.parquet"))}


def test_unchanged_stages_are_not_run_again(run: Callable, pairs: dict, tmp_path: Path):
    stages = [{"stage": "keywords"}, {"stage": "keywords", "groups": ["applications"]}]
    run([pairs], stages, shard_rows=8)
    first, second = (tmp_path / f"corpus/stages/{n}" for n in ("01-keywords", "02-keywords-2"))
    before, later = _times(first), _times(second)
    assert before
    assert later
    run([pairs], stages, shard_rows=8)
    assert (_times(first), _times(second)) == (before, later)
    shards = run([pairs], [stages[0], {"stage": "keywords", "more": ["port"]}], shard_rows=8)
    assert _times(first) == before
    assert all(_times(second)[name] > time for name, time in later.items())
    assert len(items_of(shards)) == 15


def test_a_killed_run_resumes_where_it_was(run: Callable, pairs: dict, tmp_path: Path):
    run([pairs], [{"stage": "keywords"}], shard_rows=8)
    folder = tmp_path / "corpus/stages/01-keywords"
    (folder / "apply-done/00002.json").unlink()
    before = _times(folder)
    run([pairs], [{"stage": "keywords"}], shard_rows=8)
    again = {Path(name).name for name, time in _times(folder).items() if time != before[name]}
    assert again == {"00002.parquet"}


def test_a_failing_shard_is_listed_and_tried_again(run: Callable, tmp_path: Path, pairs: dict):
    folder = tmp_path / "tables"
    folder.mkdir()
    for part in range(3):
        table = pa.table({"url": ["u"], "caption": [f"aerial view {part}"]})
        pq.write_table(table, folder / f"{part}.parquet")
    source = pairs | {"path": str(folder)}
    run([source], [{"stage": "keywords"}])
    stored = tmp_path / "corpus/stages/01-keywords/accepted/00001.parquet"
    good = stored.read_bytes()
    stored.write_bytes(b"damaged")
    second = [{"stage": "keywords"}, {"stage": "keywords", "more": ["x"]}]
    kept = items_of(run([source], second))
    assert kept["caption"].to_pylist() == ["aerial view 0", "aerial view 2"]
    stage = read_status(tmp_path / "corpus")[1]
    assert list(stage["failed"]) == ["00001"]
    assert "1 shards failed" in status_lines([stage])[1]
    stored.write_bytes(good)
    assert len(items_of(run([source], second))) == 3
    assert read_status(tmp_path / "corpus")[1]["failed"] == {}


def _work(task: str) -> str:
    if task == "kill":
        os._exit(9)
    if task == "raise":
        raise ValueError("not this one")
    return task.upper()


def test_a_worker_that_dies_does_not_take_other_tasks_with_it():
    with LocalEngine(2) as engine:
        tasks = ["a", "kill", "b", "raise", "c", "d", "e", "f"]
        done = dict(engine.run(_work, tasks))
    assert isinstance(done.pop("kill"), Failure)
    assert done.pop("raise") == Failure("ValueError: not this one")
    assert done == {name: name.upper() for name in "abcdef"}


def test_tasks_are_not_read_far_ahead():
    read = []

    def tasks() -> Iterator[str]:
        for number in range(50):
            read.append(number)
            yield str(number)

    with LocalEngine(1) as engine:
        results = engine.run(_work, tasks())
        for _ in range(5):
            next(results)
        assert len(read) <= 8


def test_explain_tells_what_happened_at_each_stage(run: Callable, pairs: dict, tmp_path: Path):
    run([pairs], [{"stage": "keywords"}, {"stage": "keywords", "groups": ["applications"]}])
    history = explain_item(tmp_path / "corpus", "web/0_0")
    assert [(h["stage"], h["outcome"], h["reason"]) for h in history] == [
        ("keywords", "accepted", ""),
        ("keywords-2", "rejected", "no keyword"),
    ]
    by_url = explain_item(tmp_path / "corpus", "http://example.org/1.jpg")
    assert [h["outcome"] for h in by_url] == ["rejected"]
    with pytest.raises(ItemNotFoundError, match="nowhere"):
        explain_item(tmp_path / "corpus", "nowhere/0")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "unknown key 'colour'"),
        ({"stages": [{"stage": "sieve"}]}, "no stage 'sieve'"),
        ({"stages": [{"stage": "keywords", "case": 1}]}, "unknown parameter 'case'"),
        ({"sources": [{"name": "a b", "path": "x"}]}, "source name 'a b'"),
        ({"sources": [{"name": "a", "path": "x"}] * 2}, "two sources called 'a'"),
        ({"sources": []}, "needs a source"),
    ],
)
def test_a_wrong_recipe_is_refused(change: dict, message: str):
    good = {"version": 1, "name": "n", "out": "o", "stages": []}
    good |= {"sources": [{"name": "a", "path": "x"}]}
    with pytest.raises(ConfigError, match=message):
        parse_recipe(good | change, "here")


def test_the_version_of_a_recipe_is_checked(tmp_path: Path):
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps({"version": 9}))
    with pytest.raises(ConfigError, match='"version": 1'):
        load_recipe(path)
