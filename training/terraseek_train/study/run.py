"""Run a study: all arms and seeds; complete runs are kept, so that the same command resumes."""

import hashlib
import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from terraseek.files import read_json, write_json, write_text
from terraseek.progress import Progress, silent
from terraseek_train.evaluate.retrieval import Retrieved
from terraseek_train.study.arm_run import run_arm
from terraseek_train.study.config import Arm, StudyConfig
from terraseek_train.study.inputs.base import BaseModel, load_base
from terraseek_train.study.inputs.dataset import CaptionedImages, read_dataset, subset
from terraseek_train.study.statistics import ArmResult, ArmRun, compare
from terraseek_train.study.table import markdown

__all__ = ["add_scene_features", "load_arm_run", "run_study"]

_RUN_RECORD = "cell.json"  # written last in the folder of a run
_SUBSET_SEED = 20_000  # selects the training images, the same in every run


def run_study(config: StudyConfig, progress: Progress = silent) -> list[ArmResult]:
    """Train and evaluate what is missing, then write `table.md` and `results.json`.

    A run has the folder `ARM/seed-N`; it is repeated if the base, the data or a setting that
    affects it has changed.

    Args:
        config: the study.
        progress: called after every step.
    """
    torch.set_num_threads(config.threads)
    out = Path(config.out)
    base = load_base(config.base)
    splits = _load_splits(config, base, progress)
    runs: dict[str, list[ArmRun]] = {}
    for seed in config.seeds:  # outer loop, so that a table of few seeds is written early
        for arm in config.arms:
            if arm.method == "base" and seed != config.seeds[0]:
                continue  # without training, all seeds give the same result
            folder = out / _slug(arm.name) / f"seed-{seed}"
            fingerprint = _fingerprint(config, arm, base, splits)
            if not _is_complete(folder, fingerprint):
                run_arm(base, config, arm, seed, splits, folder, progress)
                write_json(folder / _RUN_RECORD, {"mark": fingerprint})
            runs.setdefault(arm.name, []).append(load_arm_run(folder))
        results = compare(config, runs)
        _write(config, base, splits, results, out)
    return results


def load_arm_run(folder: Path) -> ArmRun:
    """Load a complete run."""
    with np.load(folder / "ranks.npz") as stored:
        retrieved = Retrieved(stored["image_rank"], stored["caption_rank"], stored["image_of"])
    return ArmRun(read_json(folder / "metrics.json"), retrieved)


def _load_splits(
    config: StudyConfig, base: BaseModel, progress: Progress
) -> tuple[CaptionedImages, CaptionedImages]:
    cache = Path(config.cache)
    train = read_dataset(config.train, config.stored_size, base.context, cache, progress)
    order = np.random.default_rng(_SUBSET_SEED).permutation(len(train))
    n_train = min(config.pictures or len(train), len(train) - config.held_out)
    if config.held_out:
        val = _resize_to_model(subset(train, order[n_train : n_train + config.held_out]), base)
    else:
        val = read_dataset(config.val, base.preprocess.size, base.context, cache, progress)
    train = subset(train, order[:n_train])
    if config.instruction is None:
        return train, val
    folder = Path(config.instruction)
    return add_scene_features(train, folder, progress), add_scene_features(val, folder, progress)


def add_scene_features(
    data: CaptionedImages, folder: Path, progress: Progress = silent
) -> CaptionedImages:
    """The same data with features of the scene classifier in `folder`."""
    from terraseek_train.methods.prior.scene_classifier import SceneClassifier

    features = SceneClassifier.open(folder).features(data.images, progress)
    return replace(data, scene_features=features)


def _resize_to_model(data: CaptionedImages, base: BaseModel) -> CaptionedImages:
    """The same data with images at the side of the model's input."""
    from terraseek.encoders.base import fit_square

    how = base.preprocess
    images = [fit_square(s, how.size, how.interpolation, how.resize_mode) for s in data.images]
    return replace(data, images=np.stack(images))


def _slug(name: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    # names that differ only in punctuation must not share a folder
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def _fingerprint(
    config: StudyConfig, arm: Arm, base: BaseModel, splits: tuple[CaptionedImages, CaptionedImages]
) -> str:
    """Digest of everything that a run depends on besides its seed."""
    settings = config.to_json()
    unrelated = ("title", "out", "arms", "seeds", "reference", "cache", "threads", "keep", "base")
    facts: dict[str, Any] = {k: v for k, v in settings.items() if k not in unrelated}
    facts["arm"] = asdict(arm) | {"peft": arm.peft.to_json(), "against": None}
    facts["base"] = base.sha256
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for data in splits:
        digest.update("\n".join(data.texts).encode())
        digest.update(data.images[:: max(1, len(data) // 64)].tobytes())
        if data.scene_features is not None:
            digest.update(data.scene_features[:: max(1, len(data) // 64)].tobytes())
    return digest.hexdigest()


def _is_complete(folder: Path, fingerprint: str) -> bool:
    record = folder / _RUN_RECORD
    return record.is_file() and read_json(record).get("mark") == fingerprint


def _write(
    config: StudyConfig,
    base: BaseModel,
    splits: tuple[CaptionedImages, CaptionedImages],
    results: list[ArmResult],
    out: Path,
) -> None:
    sizes = f"{len(splits[0])} training images, {config.epochs} epochs, batch {config.batch}"
    evaluated = f"{len(splits[1])} images and {len(splits[1].texts)} captions evaluated"
    write_text(out / "table.md", markdown(config.title, f"{sizes}; {evaluated}", results))
    record = {
        "config": config.to_json(),
        "base_sha256": base.sha256,
        "arms": [result.to_json() for result in results],
    }
    write_json(out / "results.json", record)
