"""One run of a study: the recipe of an arm and a seed, trained by the loop or only evaluated."""

import shutil
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from terraseek.files import read_json, write_json
from terraseek.progress import Progress, silent
from terraseek_train.config import DataSource, TrainConfig
from terraseek_train.loop.checkpoint import load_classified, load_ranks, read_log, save_results
from terraseek_train.loop.model import ClipModel
from terraseek_train.loop.start import initial_config, initialize_weights
from terraseek_train.loop.validate import load_validation, validate
from terraseek_train.study.config import Arm, StudyConfig
from terraseek_train.study.statistics import ArmRun
from terraseek_train.train import train

__all__ = ["load_arm_run", "recipe_of", "run_arm", "sources_of"]

_RECORD = "cell.json"


def sources_of(config: StudyConfig) -> tuple[DataSource, DataSource]:
    """Training and validation source of a study; disjoint parts of one under `held_out`."""
    train = replace(config.train, skip=config.held_out, limit=config.pictures or 0)
    if not config.held_out:
        return train, config.val
    return train, replace(config.train, limit=config.held_out)


def recipe_of(config: StudyConfig, arm: Arm, seed: int, out: Path) -> TrainConfig:
    """Recipe of an arm and a seed, as `terraseek train` takes it.

    The weights of the last step are evaluated, without averaging, and the method `contrastive` is
    plain InfoNCE: the terms that need class labels or a sentence encoder are left out.

    Raises:
        ConfigError: the base is unknown, or the method refuses a setting.
    """
    base = initial_config(config.base, Path(config.base))
    training, val = sources_of(config)
    side = int(base["arch"]["vision_cfg"]["image_size"])
    return TrainConfig(
        out=str(out),
        data=(training,),
        val=val,
        val_extra=(config.second,) if config.second else (),
        allow_leakage=bool(config.held_out),  # one file for both; their images are disjoint
        arch=base["arch"],
        means=tuple(base["means"]),
        stds=tuple(base["stds"]),
        init=config.base,
        method="contrastive" if arm.method == "base" else arm.method,
        options=config.options_of(arm),
        tune=arm.tune,
        seed=seed,
        epochs=config.epochs,
        batch=config.batch,
        lr=arm.lr or config.lr,
        warmup=config.warmup,
        final_lr=config.final_lr,
        weight_decay=config.weight_decay,
        clip=config.clip,
        views=config.views,
        stored_size=config.stored_size,
        sizes=((0.0, side),),
        cache=config.cache,
        threads=config.threads,
        workers=config.threads,
        device=config.device,
        bf16=config.bf16,
        ema=0.0,
        smoothing=0.0,
        class_weight=0.0,
        template_share=0.0,
        text_only=0,
        eval_every=1_000_000,  # at the end
    )


def run_arm(recipe: TrainConfig, arm: Arm, mark: str, keep: bool, progress: Progress) -> None:
    """Train and evaluate, or resume what was interrupted; a complete run of the same mark stays.

    Args:
        recipe: of the arm and a seed.
        arm: the arm.
        mark: digest of everything that the run depends on.
        keep: keep the trained weights.
        progress: called after every step.
    """
    out = Path(recipe.out)
    stored = read_json(out / _RECORD) if (out / _RECORD).is_file() else {}
    if stored.get("mark") == mark and stored.get("metrics"):
        return
    if stored.get("mark") != mark:
        shutil.rmtree(out, ignore_errors=True)
        write_json(out / _RECORD, {"mark": mark})
    started = time.monotonic()
    if arm.method == "base":
        _evaluate_initial(recipe, out, progress)
        facts: dict[str, Any] = {"parameters": 0, "steps": 0}
    else:
        train(recipe, lambda what, n, of: progress(f"{arm.name}, {recipe.seed}: {what}", n, of))
        last = read_log(out)[-1]
        facts = {"parameters": last["trained"], "steps": last["step"], "loss": last["loss"]}
    facts |= {"arm": arm.name, "seed": recipe.seed}
    facts["seconds"] = round(time.monotonic() - started, 2)
    metrics = asdict(load_ranks(out).score()) | facts
    if classified := load_classified(out):
        metrics["top1"] = classified.score().top1
    write_json(out / _RECORD, {"mark": mark, "metrics": metrics})
    _remove_weights(out, keep)


def load_arm_run(out: Path) -> ArmRun:
    """Load a complete run."""
    return ArmRun(read_json(out / _RECORD)["metrics"], load_ranks(out), load_classified(out))


def _evaluate_initial(recipe: TrainConfig, out: Path, progress: Progress = silent) -> None:
    torch.manual_seed(recipe.seed)
    model = ClipModel(recipe.arch)
    initialize_weights(model, recipe, progress)
    save_results(out, validate(model, load_validation(recipe, progress), recipe))


def _remove_weights(out: Path, keep: bool) -> None:
    (out / "resume.pt").unlink(missing_ok=True)
    if not keep:
        (out / "model.safetensors").unlink(missing_ok=True)
        shutil.rmtree(out / "adapter", ignore_errors=True)
