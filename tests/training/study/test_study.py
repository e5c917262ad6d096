"""Studies: what a run trains, what is repeated, and what the table contains."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer
from PIL import Image
from safetensors.torch import load_file
from scipy import stats
from typer.testing import CliRunner

from terraseek.errors import ConfigError, TerraSeekError, WeightsNotFoundError
from terraseek.files import read_json, write_json
from terraseek_train.config import DataSource
from terraseek_train.data.read_source import read_source
from terraseek_train.evaluate.retrieval import Retrieved
from terraseek_train.loop.classified import classify
from terraseek_train.loop.model import ClipWithHeads, save_weights
from terraseek_train.methods.options import EbakerMethodOptions, read_options
from terraseek_train.methods.prior.scene_classifier import SceneClassifier
from terraseek_train.methods.prior.train_scene_classifier import (
    load_classifier_config,
    train_classifier,
)
from terraseek_train.study import commands
from terraseek_train.study.config import Arm, StudyConfig, load_study, vary_study
from terraseek_train.study.one_run import recipe_of, sources_of
from terraseek_train.study.run import run_study
from terraseek_train.study.statistics import ArmRun, compare, half_width, holm
from terraseek_train.study.table import markdown

HEADS = {"heads": 2}
EBAKER = {**HEADS, "depth": 1, "vocabulary": "hidden", "first_epoch": 1, "keywords": 4}
ARMS: list[dict[str, Any]] = [
    {"name": "base", "method": "base"},
    {"name": "full", "method": "contrastive"},
    {"name": "LoRA", "tune": "lora"},
    {"name": "EBAKER", "method": "ebaker", "options": EBAKER},
    {"name": "released", "method": "ebaker", "options": {**EBAKER, "release_compatible": True}},
    {
        "name": "contrast alone",
        "method": "ebaker",
        "options": {**EBAKER, "ablate": ["local", "ker", "eba"]},
    },
    {
        "name": "affiliation",
        "method": "priorclip",
        "options": {"belief": "none", "reading": "class"},
    },
    {"name": "PIR", "method": "pir", "options": {**HEADS, "keep": 3}},
    {
        "name": "soft",
        "method": "priorclip",
        "options": {**HEADS, "belief": "soft", "temporal": True},
    },
    {"name": "tower", "method": "priorclip"},
]


@pytest.fixture
def base(settings: dict[str, Any], tmp_path: Path) -> Path:
    """A checkpoint folder with random weights."""
    torch.manual_seed(0)
    folder = tmp_path / "base"
    save_weights(ClipWithHeads(settings["arch"], 2).state_dict(), folder / "model.safetensors")
    facts = {"arch": settings["arch"], "means": [0.4, 0.4, 0.4], "stds": [0.2, 0.2, 0.2]}
    write_json(folder / "config.json", facts)
    return folder


@pytest.fixture
def classifier(settings: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """Settings of a scene classifier of the colours."""
    return {
        "out": str(tmp_path / "classes"),
        "data": settings["data"],
        "model": "test_resnet",
        "side": 32,
        "stored_size": 40,
        "epochs": 4,
        "batch": 4,
        "warmup": 2,
        "cache": settings["cache"],
    }


@pytest.fixture
def plan(settings: dict[str, Any], base: Path, tmp_path: Path) -> dict[str, Any]:
    """Config of a study, as in JSON."""
    return {
        "out": str(tmp_path / "study"),
        "base": str(base),
        "train": settings["data"][0],
        "val": settings["val"],
        "arms": ARMS[:2],
        "seeds": [0, 1],
        "epochs": 2,
        "batch": 5,
        "warmup": 1,
        "stored_size": 40,
        "cache": settings["cache"],
    }


def read(plan: dict[str, Any], tmp_path: Path) -> StudyConfig:
    write_json(tmp_path / "study.json", plan)
    return load_study(tmp_path / "study.json")


def test_every_method_trains_and_is_evaluated(plan, classifier, tmp_path):
    write_json(tmp_path / "classes.json", classifier)
    facts = train_classifier(load_classifier_config(tmp_path / "classes.json"))
    assert facts["classes"] == ["blue", "green", "red"]
    plan |= {"arms": ARMS, "seeds": [0], "instruction": classifier["out"]}
    results = run_study(read(plan, tmp_path))
    assert [result.name for result in results] == [arm["name"] for arm in ARMS]
    trained = {result.name: result.parameters for result in results}
    assert trained["base"] == 0
    assert 0 < trained["LoRA"] < trained["full"] < trained["EBAKER"]
    assert trained["contrast alone"] == trained["full"]
    for result in results:
        assert 0 <= result.mean["mR"] <= 100
    table = (tmp_path / "study" / "table.md").read_text()
    assert all(f"| {arm['name']} |" in table for arm in ARMS)


def test_a_complete_run_is_kept_and_a_changed_one_is_repeated(plan, tmp_path):
    config = read(plan, tmp_path)
    run_study(config)
    runs = sorted((tmp_path / "study").glob("*/seed-*/cell.json"))
    assert len(runs) == 3  # the base has no randomness
    before = {path: path.stat().st_mtime_ns for path in runs}
    run_study(config)
    assert {path: path.stat().st_mtime_ns for path in runs} == before
    stored = json.loads(runs[-1].read_text())
    write_json(runs[-1], {"mark": stored["mark"]})  # as a kill would leave it
    run_study(config)
    again = [path for path in runs if path.stat().st_mtime_ns != before[path]]
    assert again == [runs[-1]]
    plan["arms"][1]["lr"] = 0.01
    run_study(read(plan, tmp_path))
    changed = [path for path in runs if path.stat().st_mtime_ns != before[path]]
    assert [path.parent.parent.name.split("-")[0] for path in changed] == ["full", "full"]


def test_the_same_run_gives_the_same_numbers(plan, tmp_path):
    first = run_study(read(plan, tmp_path))
    second = run_study(read(plan | {"out": str(tmp_path / "again")}, tmp_path))
    assert [r.mean for r in first] == [r.mean for r in second]


def test_saved_adapters_load_onto_the_base(plan, base, tmp_path):
    from terraseek_train.peft import load

    plan |= {"arms": [ARMS[2]], "seeds": [0], "keep": True}
    run_study(read(plan, tmp_path))
    (folder,) = (tmp_path / "study").glob("*/seed-0/adapter")
    model = ClipWithHeads(read_json(base / "config.json")["arch"], 2)
    model.load_state_dict(load_file(base / "model.safetensors"))
    names = load(model.clip, folder)
    assert all("lora" in name for name in names)


def test_a_second_set_with_labels_is_classified(plan, settings, tmp_path):
    folder, rng = tmp_path / "second", np.random.default_rng(5)
    for name, colour in {"beach": 200, "forest": 90, "lake": 20}.items():
        (folder / name).mkdir(parents=True)
        for row in range(4):
            pixels = rng.normal(colour, 20, (40, 40, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{row}.png")
    second = {"name": "scenes", "images": str(folder), "split": None}
    results = run_study(read(plan | {"second": second, "seeds": [0, 1, 2]}, tmp_path))
    runs = sorted((tmp_path / "study").glob("full-*/seed-*/classified.npz"))
    shares = [100 * np.load(path)["correct"].mean() for path in runs]
    assert len(shares) == 3
    assert results[1].mean["top1"] == pytest.approx(np.mean(shares), abs=0.01)
    assert results[1].second.value == pytest.approx(
        results[1].mean["top1"] - results[0].mean["top1"], abs=0.01
    )
    table = (tmp_path / "study" / "table.md").read_text().splitlines()
    assert table[2].endswith("| scenes top-1 | Δ [95 %] |")
    assert f"| {results[0].mean['top1']:.2f} |" in table[4]


def test_classes_score_the_mean_of_their_sentences():
    scores = np.array([[0.9, 0.1, 0.6], [0.2, 0.2, 0.1], [0.9, 0.9, 0.1]])
    found = classify(scores, np.array([0, 0, 1]), np.array([1, 0, 1]))
    assert found.correct.tolist() == [True, True, False]
    assert (found.score().top1, found.n_classes) == (66.67, 2)


def test_held_out_images_are_not_trained_on(plan, tmp_path):
    plan |= {"arms": [ARMS[1]], "seeds": [0], "held_out": 4, "pictures": 30}
    run_study(read(plan, tmp_path))
    (record,) = (tmp_path / "study").glob("*/seed-0/cell.json")
    found = json.loads(record.read_text())["metrics"]
    assert found["n_images"] == 4
    assert found["steps"] == 2 * (11 // 5)


def test_held_out_images_are_others_than_those_trained_on(plan, tmp_path):
    config = read(plan | {"held_out": 4, "pictures": 9}, tmp_path)
    train, val = ({s.image for s in read_source(part)[0]} for part in sources_of(config))
    assert (len(train), len(val)) == (9, 4)
    assert not train & val
    again, _ = sources_of(read(plan | {"held_out": 4}, tmp_path))
    assert len(read_source(again)[0]) == 11


def test_the_recipe_of_an_arm_is_one_that_training_takes(plan, base, tmp_path):
    arms = [ARMS[2], ARMS[3], {**ARMS[1], "lr": 0.5}]
    config = read(plan | {"arms": arms, "pictures": 7}, tmp_path)
    lora, ebaker, full = (recipe_of(config, arm, 3, tmp_path / "x") for arm in config.arms)
    assert (lora.method, lora.tune, lora.init) == ("contrastive", "lora", str(base))
    assert (ebaker.method, ebaker.options["first_epoch"]) == ("ebaker", 1)
    assert (full.lr, full.seed, full.epochs, full.batch, full.data[0].limit) == (0.5, 3, 2, 5, 7)
    assert (full.ema, full.smoothing, full.class_weight, full.template_share) == (0, 0, 0, 0)


def test_an_interrupted_run_of_a_study_continues(plan, tmp_path, monkeypatch):
    from terraseek_train import train as loop
    from terraseek_train.study import one_run

    plan |= {"arms": [ARMS[3]], "seeds": [0]}
    whole = run_study(read(plan | {"out": str(tmp_path / "whole")}, tmp_path))

    def killed(recipe: Any, progress: Any) -> Any:
        from dataclasses import replace

        loop.train(replace(recipe, save_every=1), progress, stop_after=4)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(one_run, "train", killed)
        with pytest.raises(KeyboardInterrupt):
            run_study(read(plan, tmp_path))
    (log,) = (tmp_path / "study").glob("*/seed-0/log.jsonl")
    assert len(log.read_text().splitlines()) == 4
    before = log.read_text()
    assert run_study(read(plan, tmp_path))[0].mean == whole[0].mean
    assert log.read_text().startswith(before)


def test_vary_study_changes_all_arms_of_a_method(plan, tmp_path):
    last = {**ARMS[6], "against": "EBAKER"}
    config = read(plan | {"arms": [ARMS[3], ARMS[5], last, ARMS[1]]}, tmp_path)
    fewer = vary_study(config, ["ker"])
    assert [arm.name for arm in fewer.arms] == [
        "EBAKER without ker",
        "contrast alone without ker",
        "affiliation",
        "full",
    ]
    assert fewer.arms[0].options["ablate"] == ["ker"]
    assert fewer.arms[1].options["ablate"] == ["local", "ker", "eba"]
    assert fewer.arms[2].against == "EBAKER without ker"
    released = vary_study(config, release_compatible=True)
    marks = [arm.options.get("release_compatible") for arm in released.arms]
    assert marks == [True, True, True, None]
    assert vary_study(config) == config


def test_the_command_prints_the_table_and_resumes(plan, tmp_path):
    app = typer.Typer()
    commands.register(app)
    write_json(tmp_path / "study.json", plan | {"seeds": [0]})
    first = CliRunner().invoke(app, ["study", str(tmp_path / "study.json")])
    assert first.exit_code == 0, first.output
    assert first.stdout.startswith("**Study.** 15 training images, 2 epochs, batch 5")
    document = tmp_path / "doc.md"
    document.write_text("# T\n<!-- study: begin -->\nold\n<!-- study: end -->\nrest\n")
    words = ["study", str(tmp_path / "study.json"), "--json", "--into", str(document)]
    again = CliRunner().invoke(app, words)
    assert document.read_text().startswith("# T\n<!-- study: begin -->\n**Study.** 15")
    assert document.read_text().endswith("|\n<!-- study: end -->\nrest\n")
    assert [arm["name"] for arm in json.loads(again.stdout)] == ["base", "full"]
    wrong = CliRunner().invoke(app, ["study", str(tmp_path / "study.json"), "--ablate"])
    assert wrong.exit_code == 2


# --- statistics ------------------------------------------------------------------------------


def arm_run(seed: int, image_rank: list[int], caption_rank: list[int]) -> ArmRun:
    image_of = np.arange(len(image_rank))
    found = Retrieved(np.array(image_rank), np.array(caption_rank), image_of)
    score = vars(found.score())
    return ArmRun(score | {"seed": seed, "parameters": 3, "seconds": 1.0}, found)


def test_intervals_over_seeds_follow_students_distribution():
    values = [10.0, 11.0, 13.0]
    low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert half_width(values) == pytest.approx((high - low) / 2)
    assert half_width([4.0]) is None


def test_holm_keeps_the_order_and_never_lowers():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def study(*names: str, **changes: Any) -> StudyConfig:
    arms = tuple(Arm(name) for name in names)
    source = DataSource("set", "images")
    return StudyConfig("out", "base", source, source, arms, **changes)


def test_differences_are_paired_by_seed_and_image():
    rng = np.random.default_rng(0)
    worse = [rng.integers(0, 40, 30).tolist() for _ in range(3)]
    better = [[max(0, rank - 8) for rank in ranks] for ranks in worse]
    runs = {
        "a": [arm_run(seed, ranks, ranks) for seed, ranks in enumerate(worse)],
        "b": [arm_run(seed, ranks, ranks) for seed, ranks in enumerate(better)],
    }
    first, second = compare(study("a", "b"), runs)
    assert first.comparison is None
    assert second.comparison is not None
    gap = second.mean["mR"] - first.mean["mR"]
    assert second.comparison.value == pytest.approx(gap, abs=0.01)
    assert second.comparison.interval is not None
    assert second.comparison.interval[0] < gap < second.comparison.interval[1]
    assert second.comparison.p_images < 0.01
    mine = [c.metrics["mR"] for c in runs["b"]]
    theirs = [c.metrics["mR"] for c in runs["a"]]
    assert second.comparison.p_seeds == pytest.approx(stats.ttest_rel(mine, theirs).pvalue)


def test_a_single_run_is_compared_with_all_seeds():
    ranks = [0, 5, 20, 3]
    runs = {
        "base": [arm_run(0, [30, 30, 30, 30], [30, 30, 30, 30])],
        "full": [arm_run(seed, ranks, [rank + seed for rank in ranks]) for seed in range(3)],
    }
    for names in (("base", "full"), ("full", "base")):
        results = compare(study(*names), runs)
        found = results[1].comparison
        assert found is not None
        wanted = results[1].mean["mR"] - results[0].mean["mR"]
        assert found.value == pytest.approx(wanted, abs=0.01)


def test_equal_arms_have_a_difference_of_zero():
    ranks = [0, 5, 20, 3]
    runs = {name: [arm_run(s, ranks, ranks) for s in range(3)] for name in ("a", "b")}
    versus = compare(study("a", "b"), runs)[1].comparison
    assert versus is not None
    assert (versus.value, versus.p_images, versus.p_seeds) == (0, 1, None)
    table = markdown("T", "note", compare(study("a", "b"), runs))
    assert "+0.00" in table
    assert table.count("\n| ") == 4


# --- what is refused -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"arms": []}, "at least one arm"),
        ({"seeds": []}, "at least one arm and one seed"),
        ({"arms": [ARMS[0], ARMS[0]]}, "two arms are named 'base'"),
        ({"reference": "nobody"}, "no arm is named 'nobody'"),
        ({"epochs": 0}, "epochs is 0"),
        ({"colour": 1}, "unknown key 'colour'"),
        ({"arms": [{"name": "x", "method": "magic"}]}, "method 'magic' is unknown"),
        ({"arms": [{"name": "x", "tune": "magic"}]}, "arm 'x': kind has the unknown value 'magic'"),
        ({"arms": [{"name": "x", "peft": "lora"}]}, "peft is now its tune"),
        ({"arms": [{"name": "x", "method": "prior"}]}, "known: base, contrastive, georsclip, eb"),
        ({"arms": [{"name": "x", "kind": "lora"}]}, "unknown key 'kind'"),
        ({"arms": [ARMS[7]]}, "needs `instruction`"),
    ],
)
def test_invalid_settings_are_refused(change, message, plan, tmp_path):
    with pytest.raises(ConfigError, match=message):
        read(plan | change, tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ablate": ["colour"]}, "ablate is 'colour'; it can be local, ker, eba"),
        ({"elimination": "both"}, "elimination is 'both'"),
        ({"colour": 1}, "ebaker has no option 'colour'; known: ablate"),
        ({"depth": "deep"}, "depth is 'deep'; it must be a value such as 0"),
        ({"depth": True}, "depth is True"),
        ({"alpha": "much"}, "alpha is 'much'"),
    ],
)
def test_bad_options_are_refused_by_name(options, message):
    with pytest.raises(ConfigError, match=message):
        read_options("ebaker", options)


def test_good_options_are_read():
    arm = read_options("ebaker", {"ablate": ["ker"], "alpha": 1, "weights": [1, 0]})
    assert isinstance(arm, EbakerMethodOptions)
    assert (arm.ablate, arm.alpha, arm.weights) == (("ker",), 1, (1, 0))
    with pytest.raises(ConfigError, match="belief is 'firm'"):
        read_options("priorclip", {"belief": "firm"})


def test_the_released_keyword_head_has_two_blocks():
    blocks = {
        (depth, released): read_options(
            "ebaker", {"depth": depth, "release_compatible": released}
        ).blocks
        for depth in (0, 3)
        for released in (False, True)
    }
    assert blocks == {(0, False): 4, (0, True): 2, (3, False): 3, (3, True): 3}


def test_plain_training_has_no_options(plan, tmp_path):
    plan |= {"arms": [{"name": "x", "options": {"alpha": 1}}]}
    with pytest.raises(ConfigError, match="contrastive has no option 'alpha'; known: it has none"):
        read(plan, tmp_path)


def test_an_unknown_base_is_refused(plan, tmp_path):
    with pytest.raises(TerraSeekError, match="no checkpoint folder, no weights file"):
        run_study(read(plan | {"base": "nothing"}, tmp_path))


def test_a_folder_without_classifier_is_refused(tmp_path):
    with pytest.raises(WeightsNotFoundError, match="terraseek-train instruction"):
        SceneClassifier.open(tmp_path)
