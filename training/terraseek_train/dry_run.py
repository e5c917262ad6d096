"""Try a recipe without its data: two steps on made images, with the recipe's model and method."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from terraseek.files import write_json
from terraseek.progress import Progress, silent
from terraseek_train.config import DataSource, TrainConfig
from terraseek_train.loop.checkpoint import read_log
from terraseek_train.loop.model import save_weights
from terraseek_train.methods.prior.scene_classifier import make_network
from terraseek_train.train import train

__all__ = ["DryRun", "dry_run"]

_STEPS = 2
_COLOURS = {"red": (200, 30, 30), "green": (30, 180, 40), "blue": (20, 40, 190)}
_CLASSES = 30
"""Classes of the papers' scene classifier (AID)."""


@dataclass(frozen=True)
class DryRun:
    """What two steps of a recipe took."""

    method: str
    tune: str
    trained: int
    """Number of trained values."""
    losses: list[float]
    images_s: float
    """Images per second of the second step, validation left out."""
    peak_gib: float | None
    """Peak memory of the CUDA device; None on a CPU."""

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def dry_run(
    recipe: TrainConfig,
    folder: Path,
    batch: int = 8,
    classifier: str = "resnet50",
    progress: Progress = silent,
) -> DryRun:
    """Train two steps on made images with initial weights at random, and validate once.

    Architecture, method, options, tuning, precision, loss terms and optimizer are those of the
    recipe. Its data, initial weights, teachers and scene classifier are replaced by made ones, and
    the batch is cut.

    Args:
        recipe: settings, as `load_config(path, keep_unset=True)` reads them.
        folder: empty folder for the made data and the run.
        batch: largest batch.
        classifier: timm network of the made scene classifier.
        progress: called after every step.

    Raises:
        TerraSeekError: as `train`; the loss is not finite, or a setting cannot be used.
    """
    made = _made(recipe, folder, min(batch, recipe.batch), classifier)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    records = read_log(train(made, progress))
    on_cuda = recipe.device != "cpu" and torch.cuda.is_available()
    tuning = recipe.tuning()
    return DryRun(
        recipe.method,
        tuning.kind,
        records[-1]["trained"],
        [record["loss"] for record in records],
        records[-1]["images_s"],
        torch.cuda.max_memory_allocated() / 2**30 if on_cuda else None,
    )


def _made(recipe: TrainConfig, folder: Path, batch: int, classifier: str) -> TrainConfig:
    count = 2 * batch
    _write_images(folder / "data", count * len(recipe.data), min(64, recipe.stored_size))
    images, captions = str(folder / "data"), str(folder / "data" / "captions.json")
    data = tuple(
        replace(
            source,
            images=images,
            captions=captions,
            labels=None,
            split="train",
            partial=False,
            skip=number * count,
            limit=count,
        )
        for number, source in enumerate(recipe.data)
    )
    options: Mapping[str, Any] = recipe.options
    if getattr(recipe.method_options(), "instruction", ""):
        options = dict(options) | {"instruction": str(_write_classifier(folder, classifier))}
    return replace(
        recipe,
        out=str(folder / "run"),
        cache=str(folder / "cache"),
        data=data,
        val=DataSource("made-val", images, captions, split="val"),
        val_extra=(),
        options=dict(options),
        init=None,
        init_text=None,
        init_image=None,
        teacher=None,
        rs5m_captions=None,
        distil=None,
        steps=_STEPS,
        epochs=0,
        batch=batch,
        chunk=min(recipe.chunk, max(1, batch // 2)),
        warmup=min(recipe.warmup, 1),
        eval_every=_STEPS,
        save_every=_STEPS,
        tensorboard=False,
    )


def _write_images(folder: Path, count: int, side: int) -> None:
    """Squares of one colour with noise, which alone tells them apart, and their captions."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    entries = []
    for row in range(count + 6):
        name = list(_COLOURS)[row % 3]
        small = rng.normal(_COLOURS[name], 40, (8, 8, 3)).clip(0, 255).astype(np.uint8)
        pixels = cv2.resize(small, (side, side), interpolation=cv2.INTER_NEAREST)
        cv2.imwrite(str(folder / f"{name}_{row}.png"), pixels[..., ::-1])
        texts = (f"a {name} square of land", f"many small {name} fields number {row} .")
        sentences = [{"raw": text} for text in texts]
        split = "train" if row < count else "val"
        entry = {"filename": f"{name}_{row}.png", "split": split, "sentences": sentences}
        entries.append(entry)
    (folder / "captions.json").write_text(json.dumps({"images": entries}), encoding="utf-8")


def _write_classifier(folder: Path, name: str) -> Path:
    """Write an untrained scene classifier."""
    out = folder / "classifier"
    network = make_network(name, _CLASSES)
    save_weights(network.state_dict(), out / "model.safetensors")
    facts = {"config": {"model": name, "side": 224}, "classes": [str(n) for n in range(_CLASSES)]}
    write_json(out / "classifier.json", facts)
    return out
