"""Train only the heads, on pooled features of the image tower that are computed once.

`python -m terraseek_train.small.heads OUT RUN RECIPE`: a step of the whole network costs as much as
ten steps of its heads, which start untrained and need more steps than the pretrained trunk.
"""

from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import typer
from jaxtyping import Float16, Int64
from safetensors.torch import load_file

from terraseek.encoders.nets.fuse import fold_batch_norms
from terraseek.files import atomic_path
from terraseek.progress import Progress, silent
from terraseek_train.small.batches import make_batch, make_texts, row_order
from terraseek_train.small.corpus import Corpus, build_corpus
from terraseek_train.small.model import normalise_pixels
from terraseek_train.small.settings import Settings, load_settings
from terraseek_train.small.train import Training

__all__ = ["pooled_features", "train_heads"]


def train_heads(
    settings: Settings,
    run: Path,
    views: int,
    steps: int,
    batch: int = 384,
    lr: float = 1e-3,
    progress: Progress = silent,
) -> None:
    """Train the heads of a run further, and write the result to the folder of the settings.

    Args:
        settings: recipe of the run, with the view size of the features.
        run: folder of a trained network or an average of several.
        views: number of training views whose features are computed.
        steps: number of steps.
        batch: images per step.
        lr: largest learning rate.
        progress: called for each batch of views and each step.
    """
    plan = replace(settings, steps=steps, head_lr=lr, frozen_blocks=8, queue=0, init=None)
    training = Training(plan, build_corpus(plan))
    training.model.load_state_dict(load_file(run / "model.safetensors"), strict=False)
    training.average = {key: value.clone() for key, value in training.trained_state().items()}
    rows, pooled = pooled_features(training, settings, views, progress)
    rng = np.random.default_rng((settings.seed, 5))
    while training.step < steps:
        chosen = rng.choice(len(rows), min(batch, len(rows)), replace=False)
        batch_rows = rows[chosen]
        texts, n_own = make_texts(training.corpus, plan, batch_rows, rng)
        features = torch.from_numpy(pooled[chosen]).float()
        training.update(partial(training.loss_of_features, features, batch_rows, texts, n_own))
        training.step += 1
        progress("heads", training.step, steps)
    training.save()


@torch.inference_mode()
def pooled_features(
    training: Training, settings: Settings, count: int, progress: Progress = silent
) -> tuple[Int64[np.ndarray, " n"], Float16[np.ndarray, "n c"]]:
    """Compute the pooled features of training views, with each source's share of an epoch.

    They are stored in the run's folder, by view size and number.

    Returns:
        Rows of the corpus and features.
    """
    stored = Path(settings.out) / f"features-{settings.side}-{count}.npz"
    if stored.exists():
        arrays = np.load(stored)
        return arrays["rows"], arrays["pooled"]
    corpus: Corpus = training.corpus
    visual: Any = training.model.towers.visual.eval()
    folded: Any = fold_batch_norms(visual, settings.side)
    rows, pooled = [], []
    batches = -(-count // settings.batch)
    for step, part in enumerate(islice(row_order(corpus, settings), batches)):
        pixels = normalise_pixels(make_batch(corpus, settings, part, 1_000_000 + step).views)
        features = folded.trunk.forward_head(folded.trunk.forward_features(pixels))
        rows.append(part)
        pooled.append(features.numpy().astype(np.float16))
        progress("features", step + 1, batches)
    result = np.concatenate(rows), np.concatenate(pooled)
    with atomic_path(stored) as file, file.open("wb") as target:
        np.savez(target, rows=result[0], pooled=result[1])
    return result


def main(
    out: Path,
    run: Path,
    recipe: Path,
    views: int = 24_000,
    steps: int = 300,
    side: int = 160,
    seed: int = 0,
) -> None:
    """Train the heads of RUN, trained with RECIPE; write to the folder OUT."""
    from terraseek.commands.console import bar

    settings = replace(load_settings(recipe), out=str(out), side=side, seed=seed)
    torch.set_num_threads(settings.threads)
    out.mkdir(parents=True, exist_ok=True)
    with bar() as progress:
        train_heads(settings, run, views, steps, progress=progress)


if __name__ == "__main__":
    typer.run(main)
