"""The plan of a larger corpus: arithmetic by hand, and the command on a corpus that was run."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from helpers.corpus_runs import jpeg, pixels, write_images
from terraseek.cli import build_app
from terraseek.errors import ConfigError
from terraseek_train.corpus.output.plan import plan_corpus, plan_lines


def stage(name: str, count: int, accepted: int, seconds: float) -> dict[str, object]:
    return {"name": name, "stage": name, "in": count, "accepted": accepted, "seconds": seconds}


def test_items_hours_and_bytes_follow_the_measured_rates():
    stages = [stage("broken", 100, 50, 10.0), stage("embed", 50, 40, 100.0)]
    stages += [stage("leakage", 40, 40, 4.0)]
    plans = plan_corpus(stages, [1000, 5000, 80], 7200)
    assert [plan.items for plan in plans] == [7200, 3600, 2880]
    assert [plan.core_hours for plan in plans] == pytest.approx([0.2, 2.0, 0.08])
    assert [plan.gigabytes for plan in plans] == pytest.approx([7.2e-5, 3.6e-4, 5.76e-6])
    assert [plan.compares for plan in plans] == [False, False, True]
    last = plan_lines(plans, 4)[-1]
    assert last.startswith("all stages: 2.3 core-hours, 0.6 hours on 4 cores")


def test_a_stage_without_items_has_no_rate():
    with pytest.raises(ConfigError, match="stage geo had no item"):
        plan_corpus([stage("geo", 0, 0, 1.0)], [0], 10)


def test_command(run, tmp_path: Path):
    images = {f"{n}.jpg": jpeg(pixels(n)) for n in range(4)} | {"bad.jpg": b"junk"}
    write_images(tmp_path / "a", images, {})
    source = {"name": "a", "kind": "captions", "path": str(tmp_path / "a/captions.json")}
    run([source], [{"stage": "broken"}, {"stage": "duplicates", "by": "sha256"}])
    arguments = ["corpus", "plan", str(tmp_path / "corpus"), "--images", "1000", "--json"]
    done = CliRunner().invoke(build_app(), arguments)
    assert done.exit_code == 0, done.output
    broken, duplicates = json.loads(done.stdout)
    assert (broken["items"], duplicates["items"]) == (1000, 800)
    assert broken["measured_items"] == 5
    assert broken["gigabytes"] > 0
