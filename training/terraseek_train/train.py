"""Train an encoder: `python -m terraseek_train.train CONFIG.json` or `terraseek train CONFIG.json`.

Everything that happens to the weights is in `train` below, top to bottom. Killed at any moment, the
same command goes on from the last checkpoint and sees the same batches with the same weights as an
uninterrupted run.
"""

import json
import math
import sys
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from copy import deepcopy
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor

from terraseek.progress import Progress, silent
from terraseek_train.config import TrainConfig, load_config
from terraseek_train.data.batch import Batch, make_batch
from terraseek_train.data.corpus import Corpus, build_corpus, epoch_order
from terraseek_train.data.leakage import refuse_leakage
from terraseek_train.loop.board import Board
from terraseek_train.loop.checkpoint import (
    append_log,
    begin,
    check_same_run,
    load_resume,
    save_best,
    save_resume,
)
from terraseek_train.loop.distil import finished, scores_of
from terraseek_train.loop.gradients import backward
from terraseek_train.loop.model import Trainee, parameter_groups
from terraseek_train.loop.objective import Ready, objective, ready
from terraseek_train.loop.parallel import Team, join, own_device
from terraseek_train.loop.start import start_weights
from terraseek_train.loop.validate import load_validation, validate

__all__ = ["batches", "train"]


def train(config: TrainConfig, progress: Progress = silent, stop_after: int | None = None) -> Path:
    """Run (or go on with) a training; returns the checkpoint folder.

    Args:
        config: the settings.
        progress: told after every step.
        stop_after: leave after this many steps in all, as a kill would (tests).

    Raises:
        ConfigError: a setting cannot be used here, or `out` holds a run with other settings.
    """
    torch.set_num_threads(config.threads)
    cv2.setNumThreads(1)  # views are made in threads of our own
    device = own_device(config.device)
    team = join("nccl" if device.type == "cuda" else "gloo")
    team.check_share(config.batch)
    first = team.rank == 0
    out = Path(config.out)
    check_same_run(out, config)
    if first:
        refuse_leakage(config, progress)
    corpus = build_corpus(config, progress)
    watched = load_validation(config, progress) if first else []
    torch.manual_seed(config.seed)
    model = Trainee(config.arch, len(corpus.class_source))
    start_weights(model, config, progress)
    if config.freeze_words:
        model.freeze_words()
    model = model.to(device).to(memory_format=torch.channels_last)
    average = deepcopy(model).requires_grad_(False)
    elder = finished(config, device)
    optimizer = torch.optim.AdamW(
        parameter_groups(model, config), lr=config.lr, betas=(0.9, 0.98), fused=True
    )
    step, best = load_resume(out, model, average, optimizer, keep_log=not first)
    if first:
        begin(out, config)
    board = Board(out / "tensorboard" if first and config.tensorboard else None, step)
    mean, std = (
        torch.tensor(v, device=device).view(1, 3, 1, 1) * 255 for v in (config.means, config.stds)
    )
    class_source = torch.from_numpy(corpus.class_source).to(device)
    words = model.words_used(corpus.tokens)
    began, seen = time.monotonic(), 0

    def images(pixels: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=config.bf16):
            return model.squares(pixels, mean, std)

    def texts(tokens: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=config.bf16):
            return model.texts(tokens)

    def loss(batch: Ready, image: Tensor, text: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        scores = scores_of(elder, batch, mean, std, config, team) if elder else None
        value, parts = objective(model, batch, image, text, class_source, config, team, scores)
        return value / config.accumulate, {"loss": value, **parts}

    with closing(batches(corpus, config, step, team)) as coming, closing(board):
        while step < min(config.steps, math.inf if stop_after is None else stop_after):
            torch.manual_seed(config.seed * 1_000_003 + step)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, config)
            optimizer.zero_grad(set_to_none=True)
            model.train()
            told = []
            for batch in islice(coming, config.accumulate):
                part = ready(batch, config, team, device)
                passes = ((images, part.pixels), (texts, part.tokens))
                told.append(backward(passes, partial(loss, part), config.chunk, model))
                seen += len(part.pixels) * team.size
            team.sum_gradients(model.parameters(), words)
            torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
            optimizer.step()
            update_average(average, model, min(config.ema, (1 + step) / (10 + step)))

            step += 1
            if not first:
                continue
            record: dict[str, Any] = {"step": step, **means(told)}
            record |= {"scale": round(float(model.scale().detach()), 2)}
            record |= {"side": batch.pixels.shape[1], "lr": optimizer.param_groups[0]["lr"]}
            record["images_s"] = round(seen / (time.monotonic() - began), 1)
            if step % config.eval_every == 0 or step == config.steps:
                record["val"] = validate(average, watched, config)
                score = next(iter(record["val"].values()), {"mR": 0.0})["mR"]
                if score >= best:
                    best = score
                    save_best(out, average, config, record)
            append_log(out, record)
            board.add(record)
            progress("train", step, config.steps)
            if step % config.save_every == 0 or step == config.steps:
                save_resume(out, model, average, optimizer, step, best)
    return out


@torch.no_grad()
def means(told: list[dict[str, Tensor]]) -> dict[str, float]:
    """Losses by name, averaged over the batches of a step; one transfer from the device."""
    rows = torch.stack([torch.stack([value.detach() for value in one.values()]) for one in told])
    return dict(zip(told[0], rows.mean(0).tolist(), strict=True))


def learning_rate(step: int, config: TrainConfig) -> float:
    """Linear warm-up, then a cosine to `final_lr` of the peak."""
    if step < config.warmup:
        return config.lr * (step + 1) / config.warmup
    done = (step - config.warmup) / max(1, config.steps - config.warmup)
    low = config.final_lr
    return config.lr * (low + (1 - low) * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


@torch.no_grad()
def update_average(average: torch.nn.Module, model: torch.nn.Module, decay: float) -> None:
    """Move the averaged weights towards the current ones; counters are copied."""
    now = model.state_dict()
    mine = average.state_dict()
    floating = [key for key, value in mine.items() if value.is_floating_point()]
    torch._foreach_lerp_([mine[k] for k in floating], [now[k] for k in floating], 1 - decay)
    for key in mine.keys() - set(floating):
        mine[key].copy_(now[key])


def batches(
    corpus: Corpus, config: TrainConfig, step: int, team: Team
) -> Generator[Batch, None, None]:
    """Batches from those of `step` on, the next two made in threads while one is learnt."""
    per_epoch = max(1, len(epoch_order(corpus, config.seed, 0)) // config.batch)
    orders: dict[int, Any] = {}
    first, end = step * config.accumulate, config.steps * config.accumulate

    def made(number: int, workers: ThreadPoolExecutor | None) -> Batch:
        epoch, place = divmod(number, per_epoch)
        if epoch not in orders:
            orders.clear()
            orders[epoch] = epoch_order(corpus, config.seed, epoch)
        rows = orders[epoch][place * config.batch : (place + 1) * config.batch]
        return make_batch(corpus, rows, config, number, team.rank, team.size, workers)

    with ThreadPoolExecutor(1) as loader, ThreadPoolExecutor(config.workers) as pool:
        workers = pool if config.workers > 1 else None
        ahead = [loader.submit(made, n, workers) for n in range(first, min(first + 2, end))]
        for number in range(first, end):
            batch = ahead.pop(0).result()
            if number + 2 < end:
                ahead.append(loader.submit(made, number + 2, workers))
            yield batch


if __name__ == "__main__":
    from terraseek.commands.console import bar

    with bar() as drawn:
        folder = train(load_config(Path(sys.argv[1])), drawn)
    sys.stderr.write(json.dumps({"checkpoint": str(folder)}) + "\n")
