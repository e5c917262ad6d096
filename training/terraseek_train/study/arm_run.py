"""One run of a study: train an arm from the base with one seed, then evaluate it."""

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
from terraseek_train.study.config import Arm, StudyConfig
from terraseek_train.study.inputs.base import BaseModel
from terraseek_train.study.inputs.dataset import CaptionedImages, batches
from terraseek_train.study.models.contrastive import ContrastiveModel
from terraseek_train.study.models.ebaker import EbakerMethodOptions, EbakerModel
from terraseek_train.study.models.options import read_options
from terraseek_train.study.models.prior import PriorMethodOptions, PriorModel

__all__ = ["TrainingSummary", "build_arm_model", "evaluate_retrieval", "run_arm", "train_model"]


@dataclass(frozen=True)
class TrainingSummary:
    """Facts about a training run, for the record."""

    parameters: int
    """Number of trained values."""
    steps: int
    seconds: float
    loss: float
    """Mean over the last epoch; training raises an error before this is NaN."""


def build_arm_model(
    base: BaseModel, arm: Arm, train: CaptionedImages, seed: int
) -> ContrastiveModel:
    """Model of an arm, around a copy of the base with adapters applied.

    `seed` determines the initial values of new parameters.

    Raises:
        ConfigError: an option is unknown or invalid, or a tower takes no adapters.
    """
    torch.manual_seed(seed)
    model = base.copy_model()
    if arm.method != "base":
        apply(model, arm.peft)
    label = f"arm {arm.name!r}"
    if arm.method == "ebaker":
        return EbakerModel(
            model, read_options(EbakerMethodOptions, arm.options, label), train, base.dim, seed
        )
    if arm.method == "prior":
        features = None if train.scene_features is None else train.scene_features.shape[1]
        return PriorModel(
            model, read_options(PriorMethodOptions, arm.options, label), base.dim, features
        )
    if arm.options:
        raise ConfigError(f"{label}: the method {arm.method} has no options")
    return ContrastiveModel(model)


def train_model(
    model: ContrastiveModel,
    base: BaseModel,
    config: StudyConfig,
    arm: Arm,
    seed: int,
    train: CaptionedImages,
    progress: Progress = silent,
) -> TrainingSummary:
    """Train all parameters of the model that require gradients, for the study's epochs.

    Raises:
        ConfigError: the loss has become infinite or NaN.
    """
    schedule = _schedule(config, arm, len(train))
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = schedule.optimizer(model)
    started, step = time.monotonic(), 0
    epoch_losses: list[float] = []
    for epoch in range(config.epochs):
        model.start_epoch(epoch)
        epoch_losses = []
        for batch in batches(train, base.preprocess, config.train.area, config.batch, seed, epoch):
            torch.manual_seed(seed * 1_000_003 + step)  # dropout
            schedule.set_rate(optimizer, step)
            model.train()
            loss = model.loss(batch)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]  # torch has none here
            nn.utils.clip_grad_norm_(trained, config.clip)
            optimizer.step()
            epoch_losses.append(float(loss.detach()))
            step += 1
            progress(f"{arm.name}, seed {seed}", step, schedule.steps)
    mean = float(np.mean(epoch_losses))
    if not np.isfinite(mean):
        raise ConfigError(f"arm {arm.name!r}, seed {seed}: the loss is {mean}; lower its lr")
    count = sum(p.numel() for p in trained)
    return TrainingSummary(count, step, round(time.monotonic() - started, 2), round(mean, 4))


def evaluate_retrieval(
    model: ContrastiveModel, base: BaseModel, split: CaptionedImages
) -> Retrieved:
    """Rank of the first correct result for every image and every caption of `split`."""
    scores = model.score_matrix(split, base.preprocess)
    captions_of_image = [np.flatnonzero(split.image_of == row) for row in range(len(split))]
    image_of_caption = [np.array([row]) for row in split.image_of]
    image_rank, caption_rank = ranks(scores, captions_of_image), ranks(scores.T, image_of_caption)
    return Retrieved(image_rank, caption_rank, split.image_of)


def run_arm(
    base: BaseModel,
    config: StudyConfig,
    arm: Arm,
    seed: int,
    splits: tuple[CaptionedImages, CaptionedImages],
    out: Path,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Train and evaluate an arm; write `ranks.npz`, with `config.keep` the adapter, `metrics.json`.

    Args:
        base: the base model.
        config: of the study.
        arm: one of its arms.
        seed: of all random numbers.
        splits: training and validation data.
        out: folder of this run; `metrics.json` is written last.
        progress: called after every step.
    """
    train, val = splits
    model = build_arm_model(base, arm, train, seed)
    trained = TrainingSummary(0, 0, 0.0, 0.0)
    if arm.method != "base":
        trained = train_model(model, base, config, arm, seed, train, progress)
    retrieved = evaluate_retrieval(model, base, val)
    with atomic_path(out / "ranks.npz") as part:
        np.savez(
            part,
            image_rank=retrieved.image_rank,
            caption_rank=retrieved.caption_rank,
            image_of=retrieved.image_of,
        )
    if config.keep and arm.method != "base":
        model.save_adapter(base, config.instruction, out / "adapter")
    metrics = asdict(retrieved.score()) | asdict(trained) | {"arm": arm.name, "seed": seed}
    write_json(out / "metrics.json", metrics)
    return metrics


def _schedule(config: StudyConfig, arm: Arm, n_images: int) -> Schedule:
    steps = config.epochs * (n_images // min(config.batch, n_images))
    lr = arm.lr or config.lr
    return Schedule(steps, lr, config.warmup, config.weight_decay, config.final_lr)
