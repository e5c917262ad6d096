"""The learning rate of every step, by hand."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from terraseek_train.config import load_config
from terraseek_train.loop.checkpoint import read_log
from terraseek_train.methods.schedule import Schedule
from terraseek_train.train import learning_rate, train


def test_a_cosine_falls_from_the_peak_to_a_hundredth() -> None:
    schedule = Schedule(steps=110, lr=2.0, warmup=10, weight_decay=0.0)
    assert [schedule.learning_rate(step) for step in (0, 4, 9)] == pytest.approx([0.2, 1.0, 2.0])
    assert schedule.learning_rate(10) == pytest.approx(2.0)
    assert schedule.learning_rate(60) == pytest.approx(2 * (0.01 + 0.99 / 2))
    quarter = (1 + math.cos(math.pi / 4)) / 2
    assert schedule.learning_rate(35) == pytest.approx(2 * (0.01 + 0.99 * quarter))
    assert schedule.learning_rate(110) == schedule.learning_rate(500) == pytest.approx(0.02)


def test_a_line_falls_evenly() -> None:
    schedule = Schedule(110, 2.0, 10, 0.0, final_lr=0.0, decay="linear")
    rates = [schedule.learning_rate(step) for step in (0, 9, 10, 35, 60, 85, 110, 500)]
    assert rates == pytest.approx([0.2, 2.0, 2.0, 1.5, 1.0, 0.5, 0.0, 0.0])
    half = Schedule(110, 2.0, 10, 0.0, final_lr=0.5, decay="linear")
    assert half.learning_rate(60) == pytest.approx(1.5)


def test_the_loop_follows_a_line_after_a_share_of_the_run(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    settings |= {"steps": 5, "lr": 0.01, "decay": "linear", "final_lr": 0.0, "warmup_share": 0.4}
    (tmp_path / "recipe.json").write_text(json.dumps(settings | {"eval_every": 5}))
    out = train(load_config(tmp_path / "recipe.json"))
    rates = [record["lr"] for record in read_log(out)]
    assert rates == pytest.approx([0.005, 0.01, 0.01, 0.02 / 3, 0.01 / 3])


def test_a_share_of_less_than_half_a_step_is_no_warm_up(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    settings |= {"steps": 4, "lr": 0.01, "warmup": 3, "warmup_share": 0.1}
    (tmp_path / "recipe.json").write_text(json.dumps(settings))
    assert learning_rate(0, load_config(tmp_path / "recipe.json")) == pytest.approx(0.01)
