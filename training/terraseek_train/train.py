"""Train an encoder: `python -m terraseek_train.train CONFIG.json` or `terraseek train CONFIG.json`.

`train` below is the whole training loop, top to bottom. If it is killed at any moment, the same
command resumes from the last checkpoint, with the same batches and the same weights as an
uninterrupted run.
"""

import json
import math
import sys
import time
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from copy import deepcopy
from dataclasses import asdict, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor

from terraseek.errors import ConfigError
from terraseek.progress import Progress, silent
from terraseek_train.config import TrainConfig, load_config
from terraseek_train.data.batch import Batch, make_batch
from terraseek_train.data.corpus import Corpus, batches_per_epoch, build_corpus, epoch_order
from terraseek_train.data.leakage import check_leakage
from terraseek_train.loop.checkpoint import (
    append_log,
    check_same_run,
    load_resume,
    save_results,
    save_resume,
    write_config,
)
from terraseek_train.loop.device_batch import DeviceBatch, to_device
from terraseek_train.loop.distil import load_teacher, teacher_scores
from terraseek_train.loop.gradients import backward
from terraseek_train.loop.model import parameter_groups, weights_of
from terraseek_train.loop.parallel import ProcessGroup, init_distributed, local_device
from terraseek_train.loop.tensorboard_log import TensorBoardLog
from terraseek_train.loop.validate import load_validation, validate
from terraseek_train.methods.schedule import Schedule
from terraseek_train.objectives.build import build_training_model
from terraseek_train.objectives.results import save_best

__all__ = ["train", "training_batches"]


def train(recipe: TrainConfig, progress: Progress = silent, stop_after: int | None = None) -> Path:
    """Run or resume a training; returns the run's folder.

    Args:
        recipe: the settings.
        progress: called after every step.
        stop_after: stop after this many steps in all, as a kill would (for tests).

    Raises:
        ConfigError: a setting cannot be used here, or `out` holds a run with other settings.
    """
    config = recipe
    torch.set_num_threads(config.threads)
    cv2.setNumThreads(1)  # views are made in threads of our own
    device = local_device(config.device)
    group = init_distributed("nccl" if device.type == "cuda" else "gloo")
    group.check_batch_size(config.batch)
    is_main = group.rank == 0
    out = Path(config.out)
    check_same_run(out, recipe)
    if is_main:
        check_leakage(config, progress)
    corpus = build_corpus(config, progress, keep_texts=config.method == "ebaker")
    if config.epochs:
        batches_in_all = config.epochs * batches_per_epoch(corpus, config)
        config = replace(config, steps=max(1, batches_in_all // config.accumulate))
    val_sets = load_validation(config, progress) if is_main else []
    torch.manual_seed(config.seed)
    model = build_training_model(config, corpus, progress)
    model = model.to(device).to(memory_format=torch.channels_last)
    average = deepcopy(model).requires_grad_(False)
    teacher = load_teacher(config, device)
    optimizer = torch.optim.AdamW(
        parameter_groups(model, config), lr=config.lr, betas=config.betas, fused=True
    )
    step, best = load_resume(out, model, average, optimizer, keep_log=not is_main)
    if is_main:
        write_config(out, recipe)
    events = TensorBoardLog(out / "tensorboard" if is_main and config.tensorboard else None, step)
    mean, std = (
        torch.tensor(v, device=device).view(1, 3, 1, 1) * 255 for v in (config.means, config.stds)
    )
    used_rows = model.used_token_rows(corpus.tokens)
    n_trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    start_time, images_done = time.monotonic(), 0

    def encode_images(pixels: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=config.bf16):
            return model.encode_pixels(pixels, mean, std)

    def encode_texts(tokens: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=config.bf16):
            return model.encode_texts(tokens)

    def loss(batch: DeviceBatch, image: Tensor, text: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        scores = teacher_scores(teacher, batch, mean, std, config, group) if teacher else None
        value, terms = model.loss(batch, image, text, group, scores)
        return value / config.accumulate, {"loss": value, **terms}

    with closing(training_batches(corpus, config, step, group)) as batches, closing(events):
        while step < min(config.steps, math.inf if stop_after is None else stop_after):
            torch.manual_seed(config.seed * 1_000_003 + step)
            for parameters in optimizer.param_groups:
                parameters["lr"] = learning_rate(step, config)
            optimizer.zero_grad(set_to_none=True)
            model.train()
            step_losses = []
            for batch in islice(batches, config.accumulate):
                model.start_batch(batch.number)
                local = to_device(batch, config, group, device)
                sentences = model.text_inputs(local, group)
                inputs = ((encode_images, local.pixels), (encode_texts, sentences))
                step_losses.append(backward(inputs, partial(loss, local), config.chunk, model))
                images_done += len(local.pixels) * group.world_size
            group.sum_gradients(model.parameters(), used_rows)
            if config.clip:
                torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
            optimizer.step()
            update_average(average, model, min(config.ema, (1 + step) / (10 + step)))

            step += 1
            if not is_main:
                continue
            record: dict[str, Any] = {"step": step, **mean_losses(step_losses)}
            if not math.isfinite(record["loss"]):
                raise ConfigError(f"the loss of step {step} is {record['loss']}; lower lr or clip")
            record["trained"] = n_trained
            record |= {"scale": round(float(model.scale().detach()), 2)}
            record |= {"side": batch.pixels.shape[1], "lr": optimizer.param_groups[0]["lr"]}
            record["images_s"] = round(images_done / (time.monotonic() - start_time), 1)
            if step % config.eval_every == 0 or step == config.steps:
                found = validate(average, val_sets, config)
                record["val"] = {name: asdict(ranked.score()) for name, ranked in found.items()}
                score = main_score(record["val"])
                if score >= best:
                    best = score
                    save_best(out, average, recipe, record)
                    save_results(out, found)
            append_log(out, record)
            events.add(record)
            progress("train", step, config.steps)
            if step % config.save_every == 0 or step == config.steps:
                save_resume(out, model, average, optimizer, step, best)
    return out


@torch.no_grad()
def mean_losses(step_losses: list[dict[str, Tensor]]) -> dict[str, float]:
    """Average losses by name over the batches of a step, with one transfer from the device."""
    rows = torch.stack(
        [torch.stack([v.detach() for v in losses.values()]) for losses in step_losses]
    )
    return dict(zip(step_losses[0], rows.mean(0).tolist(), strict=True))


def learning_rate(step: int, config: TrainConfig) -> float:
    """Linear warm-up, then a cosine or a line down to `final_lr` times the peak."""
    warmup = config.warmup
    if config.warmup_share > 0:
        warmup = round(config.warmup_share * config.steps)
    schedule = Schedule(
        config.steps,
        config.lr,
        warmup,
        config.weight_decay,
        config.final_lr,
        "linear" if config.decay == "linear" else "cosine",
    )
    return schedule.learning_rate(step)


def main_score(validated: Mapping[str, Mapping[str, Any]]) -> float:
    """Score of the first validation set, by which the best weights are chosen; 0 without one."""
    first = next(iter(validated.values()), {"mR": 0.0})
    return float(first["mR"] if "mR" in first else first["top1"])


@torch.no_grad()
def update_average(average: torch.nn.Module, model: torch.nn.Module, decay: float) -> None:
    """Update the exponential moving average of the weights; integer buffers are copied."""
    current, averaged = weights_of(model), weights_of(average)
    floating = [key for key, value in averaged.items() if value.is_floating_point()]
    torch._foreach_lerp_([averaged[k] for k in floating], [current[k] for k in floating], 1 - decay)
    for key in averaged.keys() - set(floating):
        averaged[key].copy_(current[key])


def training_batches(
    corpus: Corpus, config: TrainConfig, step: int, group: ProcessGroup
) -> Generator[Batch, None, None]:
    """Yield the batches from a step on; the next two are prepared in threads.

    Args:
        corpus: images and sentences.
        config: seed, batch size and augmentation.
        step: first step whose batches are made.
        group: only the images of its rank are made.
    """
    per_epoch = max(1, len(epoch_order(corpus, config.seed, 0)) // config.batch)
    orders: dict[int, Any] = {}
    first, end = step * config.accumulate, config.steps * config.accumulate

    def make(number: int, workers: ThreadPoolExecutor | None) -> Batch:
        epoch, place = divmod(number, per_epoch)
        if epoch not in orders:
            orders.clear()
            orders[epoch] = epoch_order(corpus, config.seed, epoch)
        rows = orders[epoch][place * config.batch : (place + 1) * config.batch]
        return make_batch(corpus, rows, config, number, group.rank, group.world_size, workers)

    with ThreadPoolExecutor(1) as loader, ThreadPoolExecutor(config.workers) as pool:
        workers = pool if config.workers > 1 else None
        ahead = [loader.submit(make, n, workers) for n in range(first, min(first + 2, end))]
        for number in range(first, end):
            batch = ahead.pop(0).result()
            if number + 2 < end:
                ahead.append(loader.submit(make, number + 2, workers))
            yield batch


if __name__ == "__main__":
    from terraseek.commands.console import bar

    with bar() as progress_bar:
        folder = train(load_config(Path(sys.argv[1])), progress_bar)
    sys.stderr.write(json.dumps({"checkpoint": str(folder)}) + "\n")
