"""Run a study: all arms and seeds; complete runs are kept, so that the same command resumes."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from terraseek.files import sha256_of, write_json, write_text
from terraseek.progress import Progress, silent
from terraseek_train.config import DataSource, TrainConfig
from terraseek_train.data.read_source import read_source
from terraseek_train.loop.frozen import forget
from terraseek_train.loop.start import initial_weights
from terraseek_train.study.config import StudyConfig
from terraseek_train.study.one_run import load_arm_run, recipe_of, run_arm, sources_of
from terraseek_train.study.statistics import ArmResult, ArmRun, compare
from terraseek_train.study.table import markdown

__all__ = ["run_study"]

_UNRELATED = (
    *("out", "cache", "threads", "workers", "device", "init", "seed"),
    *("data", "val", "val_extra"),
)
"""Settings of a recipe on which the result does not depend, or that the digests stand for."""


@dataclass(frozen=True)
class _Inputs:
    """Sizes and digests of what all runs read."""

    images: tuple[int, int]
    """Number of training and of validation images."""
    captions: int
    """Number of validation captions."""
    digests: Mapping[str, str]


def run_study(config: StudyConfig, progress: Progress = silent) -> list[ArmResult]:
    """Train and evaluate what is missing, then write `table.md` and `results.json`.

    A run has the folder `ARM/seed-N`; it is repeated if the base, the data or a setting that
    affects it has changed.

    Args:
        config: the study.
        progress: called after every step.
    """
    out = Path(config.out)
    inputs = _read_inputs(config)
    runs: dict[str, list[ArmRun]] = {}
    for seed in config.seeds:  # outer loop, so that a table of few seeds is written early
        for arm in config.arms:
            if arm.method == "base" and seed != config.seeds[0]:
                continue  # without training, all seeds give the same result
            folder = out / _slug(arm.name) / f"seed-{seed}"
            recipe = recipe_of(config, arm, seed, folder)
            run_arm(recipe, arm, _mark(recipe, arm.method, inputs), config.keep, progress)
            runs.setdefault(arm.name, []).append(load_arm_run(folder))
        results = compare(config, runs)
        _write(config, inputs, results, out)
    forget()
    return results


def _read_inputs(config: StudyConfig) -> _Inputs:
    train, val = (_digest(source) for source in sources_of(config))
    digests = {"base": sha256_of(initial_weights(config.base)), "train": train[0], "val": val[0]}
    if config.second:
        digests["second"] = _digest(config.second)[0]
    return _Inputs((train[1], val[1]), val[2], digests)


def _digest(source: DataSource) -> tuple[str, int, int]:
    """Digest of images and captions, number of images, number of captions."""
    samples, content = read_source(source)
    digest = hashlib.sha256(json.dumps([source.area, source.mosaic, source.air]).encode())
    for sample in samples:
        text = "\n".join((sample.image, str(sample.label), *sample.captions))
        digest.update(text.encode() + hashlib.sha256(content[sample.image]).digest())
    return digest.hexdigest(), len(samples), sum(len(sample.captions) for sample in samples)


def _slug(name: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    # names that differ only in punctuation must not share a folder
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def _mark(recipe: TrainConfig, method: str, inputs: _Inputs) -> str:
    """Digest of everything that a run depends on besides its seed."""
    facts: dict[str, Any] = {k: v for k, v in recipe.to_json().items() if k not in _UNRELATED}
    facts |= {"arm": method, "inputs": dict(inputs.digests)}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _write(config: StudyConfig, inputs: _Inputs, results: list[ArmResult], out: Path) -> None:
    n_train, n_val = inputs.images
    sizes = f"{n_train} training images, {config.epochs} epochs, batch {config.batch}"
    evaluated = f"{n_val} images and {inputs.captions} captions evaluated"
    note, second = f"{sizes}; {evaluated}", ""
    if config.second:
        second = config.second.name
        note += f"; {second}: zero-shot top-1, classes by their sentences"
    write_text(out / "table.md", markdown(config.title, note, results, second))
    record = {
        "config": config.to_json(),
        "base_sha256": inputs.digests["base"],
        "arms": [result.to_json() for result in results],
    }
    write_json(out / "results.json", record)
