"""Train an encoder: `python -m terraseek_train.train CONFIG.json` or `terraseek train CONFIG.json`.

Everything that happens to the weights is in `train` below, top to bottom. Killed at any moment, the
same command goes on from the last checkpoint and sees the same batches with the same weights as an
uninterrupted run.
"""

import json
import math
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from terraseek.progress import Progress, silent
from terraseek_train.checkpoint import append_log, load_resume, save_best, save_resume
from terraseek_train.config import TrainConfig, load_config
from terraseek_train.corpus_text import teacher_vectors
from terraseek_train.data import Batch, Corpus, build_corpus, epoch_order, make_batch
from terraseek_train.losses import (
    contrastive_loss,
    mixed_class_loss,
    mixed_targets,
    soft_targets,
    teacher_loss,
)
from terraseek_train.model import Trainee, init_token_embedding, parameter_groups, token_words
from terraseek_train.parallel import Team, join
from terraseek_train.validate import load_validation, validate

__all__ = ["train"]


def train(config: TrainConfig, progress: Progress = silent, stop_after: int | None = None) -> Path:
    """Run (or go on with) a training; returns the checkpoint folder.

    Args:
        config: the settings.
        progress: told after every step.
        stop_after: leave after this many steps in all, as a kill would (tests).
    """
    torch.set_num_threads(config.threads)
    team = join()
    first = team.rank == 0
    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    corpus = build_corpus(config, progress)
    watched = load_validation(config, progress) if first else []
    torch.manual_seed(config.seed)
    model = Trainee(config.arch, len(corpus.class_source))
    start_weights(model, config, progress)
    model = model.to(memory_format=torch.channels_last)
    average = deepcopy(model).requires_grad_(False)
    optimizer = torch.optim.AdamW(
        parameter_groups(model, config), lr=config.lr, betas=(0.9, 0.98), fused=True
    )
    step, best = load_resume(out, model, average, optimizer, keep_log=not first)
    mean = torch.tensor(config.means).view(1, 3, 1, 1) * 255
    std = torch.tensor(config.stds).view(1, 3, 1, 1) * 255
    class_source = torch.from_numpy(corpus.class_source)
    began, seen = time.monotonic(), 0

    for batch in batches(corpus, config, step, team):
        torch.manual_seed(config.seed * 1_000_003 + step)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, config)

        pixels = torch.from_numpy(batch.pixels).permute(0, 3, 1, 2)
        pixels = ((pixels - mean) / std).contiguous(memory_format=torch.channels_last)
        model.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=config.bf16):
            image = model.images(pixels)
            text = model.texts(torch.from_numpy(batch.tokens))
        count = len(image)
        image_unit, text_unit = F.normalize(image, dim=-1), F.normalize(text, dim=-1)
        same, neutral = torch.from_numpy(batch.same), torch.from_numpy(batch.neutral)
        targets = soft_targets(same, neutral, as_float(batch.teacher_all), config.smoothing)
        label, source = torch.from_numpy(batch.label), torch.from_numpy(batch.source)
        partner, own = torch.arange(count), torch.ones(count)
        if batch.mixed is not None:
            whole_partner, whole_own = map(torch.from_numpy, (batch.mixed.partner, batch.mixed.own))
            targets, neutral = mixed_targets(targets, neutral, same, whole_partner, whole_own)
            mine = slice(team.rank * count, (team.rank + 1) * count)
            partner, own = whole_partner[mine] - mine.start, whole_own[mine]
        losses = {
            "contrast": contrastive_loss(
                team.gather(image_unit),
                team.gather(text_unit[:count]),
                team.share(model.scale()),
                targets,
                neutral,
            ),
            "class": config.class_weight
            * mixed_class_loss(model.classes(image), label, source, class_source, partner, own),
        }
        taught = as_float(batch.teacher)
        if taught is not None:
            losses["text"] = config.text_weight * teacher_loss(model.to_teacher(text_unit), taught)
            said = taught[:count]
            blend = own[:, None] * said + (1 - own[:, None]) * said[partner]
            losses["image"] = config.image_weight * teacher_loss(
                model.to_teacher(image_unit), blend
            )
        # the contrastive loss is already that of the whole batch, the others are means over a part
        whole = losses["contrast"]
        loss = whole + (torch.stack(list(losses.values())).sum() - whole) / team.size
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch has none here
        team.sum_gradients(model.parameters())
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        optimizer.step()
        update_average(average, model, min(config.ema, (1 + step) / (10 + step)))

        step, seen = step + 1, seen + count * team.size
        if first:
            record: dict[str, Any] = {"step": step, "loss": float(loss.detach())}
            record |= {name: round(float(value.detach()), 4) for name, value in losses.items()}
            record |= {"scale": round(float(model.scale().detach()), 2), "side": pixels.shape[-1]}
            record["images_s"] = round(seen / (time.monotonic() - began), 1)
            if step % config.eval_every == 0 or step == config.steps:
                record["val"] = validate(average, watched, config)
                score = next(iter(record["val"].values()), {"mR": 0.0})["mR"]
                if score >= best:
                    best = score
                    save_best(out, average, config, record)
            append_log(out, record)
            progress("train", step, config.steps)
            if step % config.save_every == 0 or step == config.steps:
                save_resume(out, model, average, optimizer, step, best)
        if stop_after is not None and step >= stop_after:
            break
    return out


def as_float(vectors: Any) -> Any:  # noqa: ANN401 - a float16 array or None
    """A float32 tensor of stored vectors; None stays None."""
    return None if vectors is None else torch.from_numpy(vectors.astype(np.float32))


def start_weights(model: Trainee, config: TrainConfig, progress: Progress) -> None:
    """Another run's average where `init` names one, else random towers with taught words."""
    if config.init:
        from safetensors.torch import load_file

        stored = load_file(Path(config.init) / "model.safetensors")
        own = model.state_dict()
        fitting = {k: v.float() for k, v in stored.items() if own[k].shape == v.shape}
        model.load_state_dict(own | fitting)
    elif config.teacher:
        words = teacher_vectors(token_words(), Path(config.teacher), Path(config.cache), progress)
        init_token_embedding(model.clip, words)


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


def batches(corpus: Corpus, config: TrainConfig, first: int, team: Team) -> Iterator[Batch]:
    """Batches from step `first` on, the next two made in a thread while one is learnt."""
    per_epoch = max(1, len(epoch_order(corpus, config.seed, 0)) // config.batch)
    orders: dict[int, Any] = {}

    def rows(step: int) -> Any:  # noqa: ANN401 - an integer array
        epoch, place = divmod(step, per_epoch)
        if epoch not in orders:
            orders.clear()
            orders[epoch] = epoch_order(corpus, config.seed, epoch)
        return orders[epoch][place * config.batch : (place + 1) * config.batch]

    with ThreadPoolExecutor(1) as pool:
        ahead = [
            pool.submit(make_batch, corpus, rows(s), config, s, team.rank, team.size)
            for s in range(first, min(first + 2, config.steps))
        ]
        for step in range(first, config.steps):
            batch = ahead.pop(0).result()
            if step + 2 < config.steps:
                late = step + 2
                ahead.append(
                    pool.submit(make_batch, corpus, rows(late), config, late, team.rank, team.size)
                )
            yield batch


if __name__ == "__main__":
    from terraseek.commands.console import bar

    with bar() as drawn:
        folder = train(load_config(Path(sys.argv[1])), drawn)
    sys.stderr.write(json.dumps({"checkpoint": str(folder)}) + "\n")
