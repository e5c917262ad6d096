"""Run a study cell by cell; what is finished is kept, so the same command goes on where it was."""

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
from terraseek_train.study.base import Base, load_base
from terraseek_train.study.cell import run_cell
from terraseek_train.study.config import Arm, StudyConfig
from terraseek_train.study.pairs import Pairs, read_pairs, take
from terraseek_train.study.statistics import ArmResult, Cell, compare
from terraseek_train.study.table import markdown

__all__ = ["load_cell", "run_study", "with_scenes"]

_DEALT = 20_000  # seed of which pictures are taken, the same in every cell


def run_study(config: StudyConfig, progress: Progress = silent) -> list[ArmResult]:
    """Train and measure what is not there yet, then write `table.md` and `results.json`.

    A cell is a folder `ARM/seed-N` of the study's; it is done again if the base, the data or a
    setting that touches it has changed.

    Args:
        config: the study.
        progress: told after every step.
    """
    torch.set_num_threads(config.threads)
    out = Path(config.out)
    base = load_base(config.base)
    splits = _splits(config, base, progress)
    cells: dict[str, list[Cell]] = {}
    for seed in config.seeds:  # outermost, so that a first table of few seeds is there early
        for arm in config.arms:
            if arm.method == "base" and seed != config.seeds[0]:
                continue  # nothing is random about it
            folder = out / _slug(arm.name) / f"seed-{seed}"
            mark = _mark(config, arm, base, splits)
            if not _is_done(folder, mark):
                run_cell(base, config, arm, seed, splits, folder, progress)
                write_json(folder / "cell.json", {"mark": mark})
            cells.setdefault(arm.name, []).append(load_cell(folder))
        results = compare(config, cells)
        _write(config, base, splits, results, out)
    return results


def load_cell(folder: Path) -> Cell:
    """A finished cell."""
    with np.load(folder / "ranks.npz") as stored:
        found = Retrieved(stored["image_rank"], stored["caption_rank"], stored["image_of"])
    return Cell(read_json(folder / "metrics.json"), found)


def _splits(config: StudyConfig, base: Base, progress: Progress) -> tuple[Pairs, Pairs]:
    cache = Path(config.cache)
    train = read_pairs(config.train, config.stored_size, base.context, cache, progress)
    dealt = np.random.default_rng(_DEALT).permutation(len(train))
    used = min(config.pictures or len(train), len(train) - config.held_out)
    if config.held_out:
        val = _fitted(take(train, dealt[used : used + config.held_out]), base)
    else:
        val = read_pairs(config.val, base.preprocess.size, base.context, cache, progress)
    train = take(train, dealt[:used])
    if config.instruction is None:
        return train, val
    folder = Path(config.instruction)
    return with_scenes(train, folder, progress), with_scenes(val, folder, progress)


def with_scenes(pairs: Pairs, folder: Path, progress: Progress = silent) -> Pairs:
    """The same pairs with what the scene classifier in `folder` sees in their pictures."""
    from terraseek_train.methods.prior.scene_classes import SceneClassifier

    seen = SceneClassifier.open(folder).features(pairs.squares, progress)
    return replace(pairs, scene=seen)


def _fitted(pairs: Pairs, base: Base) -> Pairs:
    """Pictures at the side the model sees."""
    from terraseek.encoders.base import fit_square

    how = base.preprocess
    squares = [fit_square(s, how.size, how.interpolation, how.resize_mode) for s in pairs.squares]
    return replace(pairs, squares=np.stack(squares))


def _slug(name: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    # names that differ only in signs must not share a folder
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def _mark(config: StudyConfig, arm: Arm, base: Base, splits: tuple[Pairs, Pairs]) -> str:
    """Digest of all that a cell depends on beside its seed."""
    every = config.to_json()
    other = ("title", "out", "arms", "seeds", "reference", "cache", "threads", "keep", "base")
    facts: dict[str, Any] = {key: every[key] for key in every if key not in other}
    facts["arm"] = asdict(arm) | {"peft": arm.peft.to_json(), "against": None}
    facts["base"] = base.sha256
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for pairs in splits:
        digest.update("\n".join(pairs.texts).encode())
        digest.update(pairs.squares[:: max(1, len(pairs) // 64)].tobytes())
        if pairs.scene is not None:
            digest.update(pairs.scene[:: max(1, len(pairs) // 64)].tobytes())
    return digest.hexdigest()


def _is_done(folder: Path, mark: str) -> bool:
    record = folder / "cell.json"
    return record.is_file() and read_json(record).get("mark") == mark


def _write(
    config: StudyConfig,
    base: Base,
    splits: tuple[Pairs, Pairs],
    results: list[ArmResult],
    out: Path,
) -> None:
    sizes = f"{len(splits[0])} training pictures, {config.epochs} epochs, batch {config.batch}"
    asked = f"{len(splits[1])} pictures and {len(splits[1].texts)} captions measured"
    write_text(out / "table.md", markdown(config.title, f"{sizes}; {asked}", results))
    record = {
        "config": config.to_json(),
        "base_sha256": base.sha256,
        "arms": [asdict(result) for result in results],
    }
    write_json(out / "results.json", record)
