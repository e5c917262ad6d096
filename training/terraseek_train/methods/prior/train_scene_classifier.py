"""Train the scene classifier whose features instruct PIR and PriorCLIP, on any labelled sources."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Int64, UInt8

from terraseek.encoders.base import fit_square
from terraseek.errors import AnnotationError, ConfigError
from terraseek.files import write_json
from terraseek.progress import Progress, silent
from terraseek_train.config import DataSource, expand_variables
from terraseek_train.data.augment import augment
from terraseek_train.data.read_source import decode_source, read_source
from terraseek_train.loop.model import save_weights
from terraseek_train.loop.parallel import local_device
from terraseek_train.methods.prior.scene_classifier import make_network, normalize
from terraseek_train.methods.schedule import Schedule

__all__ = ["ClassifierConfig", "load_classifier_config", "train_classifier"]

_BATCH = 256


@dataclass(frozen=True)
class ClassifierConfig:
    """Settings of the training of a scene classifier."""

    out: str
    data: tuple[DataSource, ...]
    """Labelled sources; classes of the same name are one class."""
    model: str = "resnet50"
    """timm network; the papers use `resnet50`."""
    side: int = 64
    """Side of the network's input in pixels."""
    stored_size: int = 96
    """Side in pixels at which images are kept decoded."""
    held_out: float = 0.1
    """Share of the images held out to measure accuracy."""
    epochs: int = 5
    batch: int = 64
    lr: float = 1e-3
    warmup: int = 20
    weight_decay: float = 0.05
    cache: str = "runs/cache"
    seed: int = 0
    threads: int = 1
    device: str = "auto"
    """`auto` takes CUDA where there is one; or `cpu`, `cuda`, `cuda:1`."""


def load_classifier_config(path: Path) -> ClassifierConfig:
    """Read the config from JSON; environment variables in strings are expanded.

    Raises:
        ConfigError: not JSON, an unknown or missing key, or an unset variable.
    """
    try:
        value = expand_variables(json.loads(path.read_text(encoding="utf-8")), path)
        data = tuple(DataSource(**_with_tuple(entry, "area")) for entry in value.pop("data", ()))
        return ClassifierConfig(data=data, **value)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path} is no JSON: {error}") from error
    except (TypeError, AttributeError) as error:
        known = ", ".join(item.name for item in fields(ClassifierConfig))
        raise ConfigError(f"{path}: {error}; keys: {known}") from error


def train_classifier(config: ClassifierConfig, progress: Progress = silent) -> dict[str, Any]:
    """Train on scene classes and write the folder `config.out`, with the weights of the last epoch.

    Returns:
        Content of `classifier.json`: config, classes, held-out accuracy in percent.

    Raises:
        AnnotationError: the sources have fewer than two classes.
    """
    torch.set_num_threads(config.threads)
    images, label, classes = _labelled_images(config, progress)
    rng = np.random.default_rng(config.seed)
    order = rng.permutation(len(label))
    n_test = max(1, round(config.held_out * len(label)))
    test_rows, train_rows = order[:n_test], order[n_test:]
    torch.manual_seed(config.seed)
    device = local_device(config.device)
    network: Any = make_network(config.model, len(classes)).to(device)
    batch = min(config.batch, len(train_rows))
    steps_per_epoch = len(train_rows) // batch
    steps = config.epochs * steps_per_epoch
    schedule = Schedule(steps, config.lr, config.warmup, config.weight_decay)
    optimizer = schedule.optimizer(network)
    network.train()
    for step in range(steps):
        start = step % steps_per_epoch * batch
        if start == 0:
            train_rows = rng.permutation(train_rows)
        rows = train_rows[start : start + batch]
        views = np.stack([augment(images[row], config.side, rng) for row in rows])
        schedule.set_rate(optimizer, step)
        logits = network(normalize(views).to(device))
        target = torch.from_numpy(label[rows]).to(device)
        loss = F.cross_entropy(logits, target, label_smoothing=0.1)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch has none here
        optimizer.step()
        progress("train classifier", step + 1, steps)
    record = {
        "config": asdict(config),
        "classes": classes,
        "accuracy": _accuracy(network, images[test_rows], label[test_rows], config.side),
        "held_out": len(test_rows),
    }
    save_weights(network.state_dict(), Path(config.out) / "model.safetensors")
    write_json(Path(config.out) / "classifier.json", record)
    return record


def _labelled_images(
    config: ClassifierConfig, progress: Progress
) -> tuple[UInt8[np.ndarray, "n side side 3"], Int64[np.ndarray, " n"], list[str]]:
    parts, names = [], []
    for source in config.data:
        samples, content = read_source(source)
        chosen = [sample for sample in samples if sample.label is not None]
        side, cache = config.stored_size, Path(config.cache)
        parts.append(decode_source(source, chosen, content, side, cache, progress))
        names += [str(sample.label).lower() for sample in chosen]
    classes = sorted(set(names))
    if len(classes) < 2:
        raise AnnotationError(
            f"{len(classes)} scene class(es) in {', '.join(s.name for s in config.data)}; "
            "a classifier needs two"
        )
    number = {name: row for row, name in enumerate(classes)}
    return np.concatenate(parts), np.array([number[name] for name in names], np.int64), classes


@torch.inference_mode()
def _accuracy(
    network: Any,  # noqa: ANN401
    images: UInt8[np.ndarray, "n side side 3"],
    label: Int64[np.ndarray, " n"],
    side: int,
) -> float:
    network.eval()
    device = next(network.parameters()).device
    correct = 0
    for start in range(0, len(images), _BATCH):
        small = np.stack([fit_square(i, side) for i in images[start : start + _BATCH]])
        predicted = network(normalize(small).to(device)).argmax(dim=1).cpu().numpy()
        correct += int((predicted == label[start : start + _BATCH]).sum())
    return round(100 * correct / len(label), 2)


def _with_tuple(entry: dict[str, Any], key: str) -> dict[str, Any]:
    return entry | {key: tuple(entry[key])} if key in entry else entry
