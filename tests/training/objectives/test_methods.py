"""Every method in the one loop: resumed exactly, tuned as named, in chunks and processes alike."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from helpers.method_cases import METHODS
from terraseek.errors import ConfigError
from terraseek_train.config import TrainConfig, load_config
from terraseek_train.data.corpus import build_corpus
from terraseek_train.loop.checkpoint import load_ranks, read_log
from terraseek_train.loop.model import ClipWithHeads, save_weights
from terraseek_train.methods.options import METHODS as KNOWN
from terraseek_train.objectives.build import build_training_model
from terraseek_train.peft import KINDS
from terraseek_train.train import train


def config_of(settings: dict[str, Any], folder: Path) -> TrainConfig:
    path = folder / "recipe.json"
    path.write_text(json.dumps(settings))
    return load_config(path)


def state(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(out / "resume.pt", weights_only=True)
    return found


def assert_equal(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert first.keys() == second.keys()
    assert [k for k, v in first.items() if not torch.equal(v, second[k])] == []


def test_every_method_has_a_case() -> None:
    assert {case["method"] for case in METHODS.values()} == set(KNOWN)


@pytest.mark.parametrize("case", METHODS)
def test_a_killed_run_of_every_method_resumes_with_the_same_weights(
    case: str, recipe: Any, tmp_path: Path
) -> None:
    changes = {"steps": 4, "accumulate": 2, "ema": 0.9, "lr": 0.01, "eval_every": 4}
    whole = train(config_of(recipe(case, **changes), tmp_path))
    config = config_of(recipe(case, **changes, out=str(tmp_path / "killed")), tmp_path)
    killed = train(config, stop_after=3)  # its last checkpoint is of step 2, inside an epoch
    train(config)
    first, second = state(whole), state(killed)
    assert_equal(first["model"], second["model"])
    assert_equal(first["average"], second["average"])
    assert [r["loss"] for r in read_log(whole)] == [r["loss"] for r in read_log(killed)]
    assert np.isfinite([r["loss"] for r in read_log(whole)]).all()
    assert load_ranks(whole).score() == load_ranks(killed).score()


def test_ebaker_drops_pairs_after_its_first_epoch_and_keeps_its_bank_over_a_kill(
    recipe: Any, tmp_path: Path
) -> None:
    settings = recipe("ebaker", epochs=3, save_every=4, eval_every=9)  # 3 batches an epoch
    out = train(config_of(settings, tmp_path), stop_after=4)
    (bank, _) = state(out)["method"]["banks"]
    assert len(bank["values"]) == 5  # one batch of the second epoch
    assert bank["threshold"] is not None
    train(config_of(settings, tmp_path))
    dropped = [record["dropped"] for record in read_log(out)]
    assert len(dropped) == 9
    assert dropped[:3] == [0, 0, 0]
    assert sum(dropped[3:]) > 0


@pytest.mark.parametrize("case", ["ebaker", "pir", "priorclip", "georsclip"])
def test_chunks_do_not_change_the_losses_of_a_method(
    case: str, recipe: Any, tmp_path: Path
) -> None:
    changes = {"steps": 3, "eval_every": 3}
    options = {"dropout": 0.0} if case in ("pir", "priorclip") else {}
    settings = recipe(case, **changes)
    settings["options"] |= options
    whole = train(config_of(settings, tmp_path))
    parts = train(config_of(settings | {"chunk": 2, "out": str(tmp_path / "parts")}, tmp_path))
    np.testing.assert_allclose(
        [r["loss"] for r in read_log(parts)], [r["loss"] for r in read_log(whole)], rtol=1e-4
    )


def base(settings: dict[str, Any], folder: Path) -> Path:
    """Write initial weights."""
    torch.manual_seed(3)
    save_weights(ClipWithHeads(settings["arch"], 1).clip.state_dict(), folder / "base.safetensors")
    return folder / "base.safetensors"


def named_parts(kind: str, names: set[str]) -> set[str]:
    """Names of the towers' own parameters that a kind of tuning trains."""
    image = {name for name in names if name.startswith("visual.")}
    if kind == "full":
        return names
    if kind == "frozen-image":
        return names - image
    if kind == "frozen-text":
        return image | {"logit_scale"}
    if kind == "linear-probe":
        return {"visual.proj", "text_projection", "logit_scale"}
    return set()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bf16", [False, True])
def test_tuning_moves_what_it_names_and_nothing_else(
    kind: str, bf16: bool, recipe: Any, tmp_path: Path
) -> None:
    settings = recipe("georsclip", tune=kind, steps=3, eval_every=3, weight_decay=0.5, bf16=bf16)
    settings |= {"init": str(base(settings, tmp_path)), "lr": 0.01, "ema": 0.5}
    config = config_of(settings, tmp_path)
    start = build_training_model(config, build_corpus(config)).state_dict()
    out = train(config)
    for weights in (state(out)["model"], state(out)["average"]):
        moved = {k for k, v in weights.items() if not torch.equal(v, start[k])}
        plain = set(ClipWithHeads(config.arch, 1).clip.state_dict())
        added = {k.removeprefix("clip.") for k in start} - plain
        wanted = named_parts(kind, plain) | (added if config.tuning().adds_modules else set())
        moved = {key.removeprefix("clip.") for key in moved}
        assert moved <= wanted
        assert {name for name in wanted - moved if not name.endswith("bias")} == set()


@pytest.mark.parametrize("case", ["ebaker", "pir", "priorclip", "contrastive"])
def test_a_frozen_text_tower_stays_under_every_method(
    case: str, recipe: Any, tmp_path: Path
) -> None:
    settings = recipe(case, tune="frozen-text", steps=3, eval_every=3, lr=0.01)
    config = config_of(settings, tmp_path)
    torch.manual_seed(config.seed)
    corpus = build_corpus(config, keep_texts=True)
    start = build_training_model(config, corpus).state_dict()
    after = state(train(config))["model"]
    same = {k for k, v in after.items() if torch.equal(v, start[k])}
    text = {k for k in start if k.startswith("clip.") and not k.startswith("clip.visual.")}
    text -= {"clip.logit_scale"}
    assert text <= same
    assert not torch.equal(after["clip.visual.conv1.weight"], start["clip.visual.conv1.weight"])
    assert {k for k in start if "instruction.backbone" in k} <= same


def test_what_a_method_cannot_use_is_refused_by_name(recipe: Any, tmp_path: Path) -> None:
    cases = [
        ({"method": "magic"}, "method 'magic' is unknown; known: contrastive, georsclip, ebaker"),
        ({"mix": 0.5}, "mix is part of the method contrastive"),
        ({"options": {"colour": 1}}, "the method georsclip has no option 'colour'; known: clamped"),
        ({"tune": "magic"}, "kind has the unknown value 'magic'"),
        ({"tune": {"kind": "lora", "rank": 0}}, "rank is 0"),
        ({"tune": 3}, "tune 3 must be a text"),
        ({"method": "pir", "options": {"belief": "firm"}}, "belief is 'firm'; it can be none"),
    ]
    for change, message in cases:
        with pytest.raises(ConfigError, match=message):
            config_of(recipe("georsclip") | change, tmp_path)
    with pytest.raises(ConfigError, match="needs the option instruction"):
        train(config_of(recipe("georsclip") | {"method": "pir"}, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("case", ["ebaker", "priorclip closed", "georsclip"])
def test_two_processes_train_every_kind_of_loss(case: str, recipe: Any, tmp_path: Path) -> None:
    settings = recipe(case, steps=2, batch=6, eval_every=2, lr=0.01, out=str(tmp_path / "two"))
    (tmp_path / "two.json").write_text(json.dumps(settings))
    words = ["--nproc-per-node=2", "--master-port=0", "--rdzv-backend=c10d"]
    words += ["--rdzv-endpoint=localhost:0", "-m", "terraseek_train.train"]
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *words, str(tmp_path / "two.json")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    records = read_log(tmp_path / "two")
    assert [record["step"] for record in records] == [1, 2]
    assert np.isfinite([record["loss"] for record in records]).all()
