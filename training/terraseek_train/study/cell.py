"""One cell of a study: an arm trained from the base with one seed, then measured."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from terraseek.errors import ConfigError
from terraseek.files import atomic_path, write_json
from terraseek.progress import Progress, silent
from terraseek_train.evaluate.retrieval import Retrieved, ranks
from terraseek_train.methods.schedule import Schedule
from terraseek_train.peft import apply
from terraseek_train.study.base import Base
from terraseek_train.study.config import Arm, StudyConfig
from terraseek_train.study.learner import Learner
from terraseek_train.study.learner_ebaker import EbakerArm, EbakerLearner
from terraseek_train.study.learner_prior import PriorArm, PriorLearner
from terraseek_train.study.options import read_options
from terraseek_train.study.pairs import Pairs, batches

__all__ = ["Trained", "make_learner", "measure", "run_cell", "train_cell"]


@dataclass(frozen=True)
class Trained:
    """What training did, for the record."""

    parameters: int
    """Numbers that were trained."""
    steps: int
    seconds: float
    loss: float
    """Mean over the last epoch; NaN is an error before it is a number here."""


def make_learner(base: Base, arm: Arm, train: Pairs, seed: int) -> Learner:
    """The arm's learner around a copy of the base, adapters applied.

    New parameters follow from `seed`.

    Raises:
        ConfigError: an option is unknown or has no meaning, or a tower takes no adapters.
    """
    torch.manual_seed(seed)
    model = base.fresh()
    if arm.method != "base":
        apply(model, arm.peft)
    who = f"arm {arm.name!r}"
    if arm.method == "ebaker":
        return EbakerLearner(
            model, read_options(EbakerArm, arm.options, who), train, base.dim, seed
        )
    if arm.method == "prior":
        features = None if train.scene is None else train.scene.shape[1]
        return PriorLearner(model, read_options(PriorArm, arm.options, who), base.dim, features)
    if arm.options:
        raise ConfigError(f"{who}: the method {arm.method} has no options")
    return Learner(model)


def train_cell(
    learner: Learner,
    base: Base,
    config: StudyConfig,
    arm: Arm,
    seed: int,
    train: Pairs,
    progress: Progress = silent,
) -> Trained:
    """Train every parameter of the learner that requires gradients, for the study's epochs.

    Raises:
        ConfigError: the loss is not finite any more.
    """
    plan = _plan(config, arm, len(train))
    chosen = [p for p in learner.parameters() if p.requires_grad]
    optimizer = plan.optimizer(learner)
    began, step = time.monotonic(), 0
    last: list[float] = []
    for epoch in range(config.epochs):
        learner.start_epoch(epoch)
        last = []
        for batch in batches(train, base.preprocess, config.train.area, config.batch, seed, epoch):
            torch.manual_seed(seed * 1_000_003 + step)  # dropout
            plan.set(optimizer, step)
            learner.train()
            loss = learner.loss(batch)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]  # torch has none here
            nn.utils.clip_grad_norm_(chosen, config.clip)
            optimizer.step()
            last.append(float(loss.detach()))
            step += 1
            progress(f"{arm.name}, seed {seed}", step, plan.steps)
    mean = float(np.mean(last))
    if not np.isfinite(mean):
        raise ConfigError(f"arm {arm.name!r}, seed {seed}: the loss is {mean}; lower its lr")
    count = sum(p.numel() for p in chosen)
    return Trained(count, step, round(time.monotonic() - began, 2), round(mean, 4))


def measure(learner: Learner, base: Base, split: Pairs) -> Retrieved:
    """Where every picture and sentence of `split` finds its answer."""
    scores = learner.scores(split, base.preprocess)
    own = [np.flatnonzero(split.image_of == row) for row in range(len(split))]
    back = ranks(scores.T, [np.array([row]) for row in split.image_of])
    return Retrieved(ranks(scores, own), back, split.image_of)


def run_cell(
    base: Base,
    config: StudyConfig,
    arm: Arm,
    seed: int,
    splits: tuple[Pairs, Pairs],
    out: Path,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Train and measure; writes `ranks.npz`, with `keep` the adapter, and last `metrics.json`.

    Args:
        base: what is trained.
        config: of the study.
        arm: one of its arms.
        seed: of everything random.
        splits: training and validation pairs.
        out: the cell's folder.
        progress: told after every step.
    """
    train, val = splits
    learner = make_learner(base, arm, train, seed)
    trained = Trained(0, 0, 0.0, 0.0)
    if arm.method != "base":
        trained = train_cell(learner, base, config, arm, seed, train, progress)
    found = measure(learner, base, val)
    with atomic_path(out / "ranks.npz") as part:
        np.savez(
            part,
            image_rank=found.image_rank,
            caption_rank=found.caption_rank,
            image_of=found.image_of,
        )
    if config.keep and arm.method != "base":
        learner.keep(base, config.instruction, out / "adapter")
    metrics = asdict(found.score()) | asdict(trained) | {"arm": arm.name, "seed": seed}
    write_json(out / "metrics.json", metrics)
    return metrics


def _plan(config: StudyConfig, arm: Arm, pictures: int) -> Schedule:
    steps = config.epochs * (pictures // min(config.batch, pictures))
    lr = arm.lr or config.lr
    return Schedule(steps, lr, config.warmup, config.weight_decay, config.final_lr)
