"""Train one network: `python -m terraseek_train.small.train RECIPE.json`.

The state is saved every few minutes; the same command resumes from there.
"""

import json
import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import typer
from torch import Tensor

from terraseek.files import atomic_path, write_json
from terraseek_train.loop.losses import class_loss
from terraseek_train.loop.model import save_weights
from terraseek_train.small.batches import Batch, label_pairs, make_batch, make_texts, row_order
from terraseek_train.small.corpus import Corpus, build_corpus
from terraseek_train.small.maps import open_maps
from terraseek_train.small.model import (
    SmallModel,
    load_start,
    load_text_start,
    normalise_pixels,
    parameter_groups,
)
from terraseek_train.small.objective import Queue, SoftScores, cross_entropy, targets
from terraseek_train.small.settings import Settings, load_settings

__all__ = ["Training", "train"]

_CLIP = 5.0
_MAX_SCALE = 60.0
"""Largest factor of the cosines."""
_REPLAY_BATCH = 256
"""Images of a step of only the heads."""


class Training:
    """Training run and its state."""

    def __init__(self, settings: Settings, corpus: Corpus) -> None:
        self.settings, self.corpus = settings, corpus
        self.soft_scores = SoftScores(corpus, settings)
        self.model = SmallModel(settings, corpus)
        if settings.init:
            load_start(self.model, Path(settings.init))
        if settings.init_text:
            load_text_start(self.model, Path(settings.init_text))
        self.average = {k: v.clone() for k, v in self.trained_state().items()}
        self.optimiser = torch.optim.AdamW(
            parameter_groups(self.model, settings), betas=(0.9, 0.98)
        )
        self.queue = Queue(torch.empty(0, settings.dim), np.empty(0, np.int64))
        self._features = torch.empty(0, self.model.classes.in_features)
        self.class_source = torch.from_numpy(corpus.class_source)
        self.step = 0
        self.out = Path(settings.out)
        if (self.out / "state.pt").exists():
            self._resume()

    def trained_state(self) -> dict[str, Tensor]:
        """Return all tensors that may change; the sentence encoder is left out."""
        state = self.model.state_dict()
        return {key: value for key, value in state.items() if ".reader." not in key}

    def run(self, log: Any) -> None:  # noqa: ANN401 - a function of a dict
        """Train to the last step and save regularly."""
        saved, began = time.monotonic(), time.process_time()
        sums: dict[str, float] = {}
        last = self.settings.stop or self.settings.steps
        for losses in self._steps(last):
            for repeat in range(self.settings.replay):
                self._replay(repeat)
            self.step += 1
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + value
            if self.step % 20 == 0:
                means = {name: round(value / 20, 4) for name, value in sums.items()}
                log({"step": self.step, **means, "cpu_s": round(time.process_time() - began)})
                sums = {}
            if time.monotonic() - saved > self.settings.save_seconds:
                self.save()
                saved = time.monotonic()
        self.save()

    def _steps(self, last: int) -> Iterator[dict[str, float]]:
        """Run the steps up to the last one; yields the parts of the loss of each."""
        settings, corpus = self.settings, self.corpus
        if not settings.stored_views:
            for rows in islice(row_order(corpus, settings), self.step, last):
                yield self.train_step(make_batch(corpus, settings, rows, self.step))
            return
        stored = open_maps(settings, corpus, self.model)
        for chosen in islice(stored.order(settings), self.step, last):
            rows = stored.rows[np.sort(chosen)]
            rng = np.random.default_rng((settings.seed, 2, self.step))
            texts = make_texts(corpus, settings, rows, rng)
            yield self.update(partial(self.loss_of_maps, stored.batch(chosen), rows, *texts))

    def train_step(self, batch: Batch) -> dict[str, float]:
        """Run one step on a batch; returns the parts of the loss."""
        return self.update(lambda: self.loss(batch))

    def _replay(self, repeat: int) -> None:
        """Run a step of only the heads, on stored features of some images of the queue."""
        rng = np.random.default_rng((self.settings.seed, 4, self.step, repeat))
        count = min(_REPLAY_BATCH, len(self._features))
        chosen = rng.choice(len(self._features), count, replace=False)
        rows = self.queue.rows[: len(self._features)][chosen]
        texts, n_own = make_texts(self.corpus, self.settings, rows, rng)
        features = self._features[torch.from_numpy(chosen)]
        self.update(lambda: self.loss_of_features(features, rows, texts, n_own))

    def update(self, loss_of: Callable[[], tuple[Tensor, dict[str, Tensor]]]) -> dict[str, float]:
        """Run one optimizer step on a loss; returns its parts."""
        self.model.train()
        torch.manual_seed(1_000_003 * self.settings.seed + self.step)  # for dropout
        self._set_learning_rates()
        loss, parts = loss_of()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        trained = [p for group in self.optimiser.param_groups for p in group["params"]]
        torch.nn.utils.clip_grad_norm_(trained, _CLIP)
        self.optimiser.step()
        with torch.no_grad():
            self.model.scale.clamp_(max=math.log(_MAX_SCALE))
            decay = min(self.settings.ema, (1 + self.step) / (10 + self.step))
            for key, value in self.trained_state().items():
                if value.is_floating_point():
                    self.average[key].lerp_(value, 1 - decay)
                else:
                    self.average[key].copy_(value)
        return {name: float(value.detach()) for name, value in parts.items()}

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute the loss of a batch and its parts: contrast in both directions, and classes."""
        maps = self.model.frozen_features(normalise_pixels(batch.views))
        return self.loss_of_maps(maps, batch.rows, batch.texts, batch.n_own)

    def loss_of_maps(
        self, maps: Tensor, rows: np.ndarray, text_rows: np.ndarray, n_own: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute the loss of feature maps after the frozen blocks, and its parts."""
        pooled = self.model.pooled(maps)
        result = self.loss_of_features(pooled, rows, text_rows, n_own)
        with torch.no_grad():
            vectors = self.model.towers.visual.head(pooled)
        self.queue.push(vectors, rows, self.settings.queue)
        self._features = torch.cat([pooled.detach(), self._features])[: self.settings.queue]
        return result

    def loss_of_features(
        self, pooled: Tensor, rows: np.ndarray, text_rows: np.ndarray, n_own: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute the loss of pooled features; the first `n_own` sentences belong to the images."""
        towers, settings, corpus = self.model.towers, self.settings, self.corpus
        images = towers.visual.head(pooled)
        texts = towers.text.head(torch.from_numpy(corpus.text_means[text_rows]).float())
        scale, own = self.model.scale.exp(), text_rows[:n_own]
        image_targets = targets(
            label_pairs(corpus, rows, text_rows),
            self.soft_scores.text_similarity(rows, text_rows),
            self.soft_scores.teacher(rows, text_rows),
            settings,
        )
        image_loss = cross_entropy(scale * images @ texts.T, *image_targets)
        all_rows = np.concatenate([rows, self.queue.rows])
        text_targets = targets(
            label_pairs(corpus, all_rows, own),
            self.soft_scores.text_similarity(all_rows, own),
            self.soft_scores.teacher(all_rows, own),
            settings,
            transpose=True,
        )
        all_images = torch.cat([images, self.queue.vectors])
        text_loss = cross_entropy(scale * texts[:n_own] @ all_images.T, *text_targets)
        labels = torch.from_numpy(corpus.label[rows])
        source = torch.from_numpy(corpus.source[rows])
        label_loss = class_loss(self.model.classes(pooled), labels, source, self.class_source)
        total = (image_loss + text_loss) / 2 + settings.class_weight * label_loss
        return total, {"i2t": image_loss, "t2i": text_loss, "class": label_loss, "scale": scale}

    def _set_learning_rates(self) -> None:
        step, settings = self.step, self.settings
        warm = min(1.0, (step + 1) / settings.warmup)
        angle = math.pi * min(1.0, step / settings.steps)
        factor = settings.final_lr + (1 - settings.final_lr) * (1 + math.cos(angle)) / 2
        for group in self.optimiser.param_groups:
            group["lr"] = group["peak"] * warm * factor

    def averaged(self) -> SmallModel:
        """Build the network with averaged weights, in evaluation mode."""
        copy = SmallModel(self.settings, self.corpus)
        copy.load_state_dict(self.average, strict=False)
        return copy.eval()

    def save(self) -> None:
        """Write the averaged weights, and the state that resuming needs."""
        self.out.mkdir(parents=True, exist_ok=True)
        state = {
            "step": self.step,
            "trained": self.trained_state(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "queue": (self.queue.vectors, torch.from_numpy(self.queue.rows)),
            "features": self._features,
        }
        with atomic_path(self.out / "state.pt") as part:
            torch.save(state, part)
        save_weights(self.average, self.out / "model.safetensors")
        write_json(self.out / "config.json", {"arch": self.settings.arch, "step": self.step})

    def _resume(self) -> None:
        state = torch.load(self.out / "state.pt", weights_only=True)
        self.step, self.average = state["step"], state["average"]
        self.model.load_state_dict(state["trained"], strict=False)
        self.optimiser.load_state_dict(state["optimiser"])
        self.queue = Queue(state["queue"][0], state["queue"][1].numpy())
        self._features = state["features"]


def train(settings: Settings) -> None:
    """Train to the end, or resume where an earlier call stopped."""
    torch.set_num_threads(settings.threads)
    out = Path(settings.out)
    out.mkdir(parents=True, exist_ok=True)
    training = Training(settings, build_corpus(settings))
    with (out / "log.jsonl").open("a") as file:

        def log(facts: dict[str, Any]) -> None:
            file.write(json.dumps(facts) + "\n")
            file.flush()

        training.run(log)


def main(recipe: Path) -> None:
    """Train with the settings of RECIPE."""
    train(load_settings(recipe))


if __name__ == "__main__":
    typer.run(main)
