"""Train the scene classifier whose features instruct PIR and PriorCLIP, and use it.

The papers take a ResNet-50 trained on AID's 30 classes. Any timm network and any labelled sources
do here; what is saved is a folder with `classifier.json` and `model.safetensors`.
"""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor, nn

from terraseek.encoders.base import fit_square
from terraseek.errors import AnnotationError, ConfigError, WeightsNotFoundError
from terraseek.files import read_json, write_json
from terraseek.progress import Progress, silent
from terraseek_train.config import DataSource, expand_variables
from terraseek_train.data.augment import augment
from terraseek_train.data.corpus import decode_source, read_source
from terraseek_train.loop.model import save_weights
from terraseek_train.methods.schedule import Schedule

__all__ = [
    "MEAN",
    "STD",
    "ClassifierConfig",
    "SceneClassifier",
    "load_classifier_config",
    "make_network",
    "train_classifier",
]

MEAN, STD = (0.37, 0.38, 0.34), (0.19, 0.17, 0.17)
"""Of the pixels the network sees, R, G, B on the scale 0 to 1."""
_BLOCK = 256


@dataclass(frozen=True)
class ClassifierConfig:
    """Everything the training of a scene classifier depends on besides the data."""

    out: str
    data: tuple[DataSource, ...]
    """Labelled sources; classes of the same name are one class."""
    model: str = "resnet50"
    """timm network; the papers' is `resnet50`."""
    side: int = 64
    """Pixels the network sees."""
    stored_size: int = 96
    held_out: float = 0.1
    """Share of the images its accuracy is measured on."""
    epochs: int = 5
    batch: int = 64
    lr: float = 1e-3
    warmup: int = 20
    weight_decay: float = 0.05
    cache: str = "runs/cache"
    seed: int = 0
    threads: int = 1


def load_classifier_config(path: Path) -> ClassifierConfig:
    """Read the JSON; environment variables in strings are filled in.

    Raises:
        ConfigError: not JSON, an unknown or missing key, or an unset variable.
    """
    try:
        value = expand_variables(json.loads(path.read_text(encoding="utf-8")), path)
        data = tuple(DataSource(**_tupled(entry, "area")) for entry in value.pop("data", ()))
        return ClassifierConfig(data=data, **value)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path} is no JSON: {error}") from error
    except (TypeError, AttributeError) as error:
        known = ", ".join(item.name for item in fields(ClassifierConfig))
        raise ConfigError(f"{path}: {error}; keys: {known}") from error


class SceneClassifier:
    """A trained network without its last layer.

    Args:
        network: timm network with its classifier.
        classes: names, in the order of its outputs.
        side: pixels it sees.
        name: timm's of the network.
    """

    def __init__(
        self,
        network: Any,  # noqa: ANN401
        classes: tuple[str, ...],
        side: int,
        name: str,
    ) -> None:
        self.network = network.eval().requires_grad_(False)
        self.name = name
        self.classes = classes
        self.side = side

    @classmethod
    def open(cls, folder: Path) -> "SceneClassifier":
        """Of a folder that `train_classifier` wrote.

        Raises:
            WeightsNotFoundError: it holds no classifier.
        """
        from safetensors.torch import load_file

        if not (folder / "classifier.json").is_file():
            raise WeightsNotFoundError(
                f"{folder} holds no classifier.json; `terraseek-train instruction CONFIG` makes one"
            )
        facts = read_json(folder / "classifier.json")
        name = facts["config"]["model"]
        network = make_network(name, len(facts["classes"]))
        network.load_state_dict(load_file(folder / "model.safetensors"))
        return cls(network, tuple(facts["classes"]), int(facts["config"]["side"]), name)

    def backbone(self) -> nn.Module:
        """Images to pooled features, as `InstructionEncoder` takes it."""
        return _Pooled(self.network)

    @property
    def width(self) -> int:
        """Length of the features."""
        return int(self.network.num_features)

    @torch.inference_mode()
    def features(
        self, squares: UInt8[np.ndarray, "n side side 3"], progress: Progress = silent
    ) -> Float32[np.ndarray, "n features"]:
        """Pooled features of square images of any side."""
        pooled, parts = self.backbone(), []
        for start in range(0, len(squares), _BLOCK):
            small = np.stack([fit_square(s, self.side) for s in squares[start : start + _BLOCK]])
            parts.append(pooled(_pixels(small)).numpy())
            progress("scene features", start, len(squares))
        found: Float32[np.ndarray, "n features"] = np.concatenate(parts)
        return found


class _Pooled(nn.Module):
    def __init__(self, network: Any) -> None:  # noqa: ANN401 - timm has no types
        super().__init__()
        self.network = network

    def forward(self, pixels: Float[Tensor, "b 3 side side"]) -> Float[Tensor, "b features"]:
        maps = self.network.forward_features(pixels)
        out: Tensor = self.network.forward_head(maps, pre_logits=True)
        return out


def train_classifier(config: ClassifierConfig, progress: Progress = silent) -> dict[str, Any]:
    """Train on scene classes and write the folder `config.out`; the best epoch is not picked.

    Returns:
        Facts also written to `classifier.json`: config, classes, held-out accuracy in percent.

    Raises:
        AnnotationError: fewer than two classes.
    """
    torch.set_num_threads(config.threads)
    squares, label, classes = _labelled(config, progress)
    rng = np.random.default_rng(config.seed)
    order = rng.permutation(len(label))
    kept = max(1, round(config.held_out * len(label)))
    held, used = order[:kept], order[kept:]
    torch.manual_seed(config.seed)
    network: Any = make_network(config.model, len(classes))
    size = min(config.batch, len(used))
    steps = config.epochs * (len(used) // size)
    plan = Schedule(steps, config.lr, config.warmup, config.weight_decay)
    optimizer = plan.optimizer(network)
    network.train()
    for step in range(plan.steps):
        place = step % (len(used) // size) * size
        if place == 0:
            used = rng.permutation(used)
        rows = used[place : place + size]
        views = np.stack([augment(squares[row], config.side, rng) for row in rows])
        plan.set(optimizer, step)
        logits = network(_pixels(views))
        loss = F.cross_entropy(logits, torch.from_numpy(label[rows]), label_smoothing=0.1)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch has none here
        optimizer.step()
        progress("train classifier", step + 1, plan.steps)
    facts = {
        "config": asdict(config),
        "classes": classes,
        "accuracy": _accuracy(network, squares[held], label[held], config.side),
        "held_out": len(held),
    }
    save_weights(network.state_dict(), Path(config.out) / "model.safetensors")
    write_json(Path(config.out) / "classifier.json", facts)
    return facts


def _labelled(
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
    squares: UInt8[np.ndarray, "n side side 3"],
    label: Int64[np.ndarray, " n"],
    side: int,
) -> float:
    network.eval()
    right = 0
    for start in range(0, len(squares), _BLOCK):
        small = np.stack([fit_square(s, side) for s in squares[start : start + _BLOCK]])
        guess = network(_pixels(small)).argmax(dim=1).numpy()
        right += int((guess == label[start : start + _BLOCK]).sum())
    return round(100 * right / len(label), 2)


def make_network(name: str, classes: int) -> Any:  # noqa: ANN401
    """An untrained timm network.

    Raises:
        ConfigError: timm has none of this name.
    """
    import timm

    try:
        return timm.create_model(name, pretrained=False, num_classes=classes)
    except RuntimeError as error:
        raise ConfigError(f"timm has no network {name!r}: {error}") from error


def _pixels(squares: UInt8[np.ndarray, "b side side 3"]) -> Float[Tensor, "b 3 side side"]:
    mean = torch.tensor(MEAN).view(1, 3, 1, 1)
    std = torch.tensor(STD).view(1, 3, 1, 1)
    pixels = torch.from_numpy(squares.astype(np.float32)).permute(0, 3, 1, 2) / 255
    return ((pixels - mean) / std).contiguous()


def _tupled(entry: dict[str, Any], key: str) -> dict[str, Any]:
    return entry | {key: tuple(entry[key])} if key in entry else entry
