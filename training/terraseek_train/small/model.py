"""Network in training: frozen and trained parts, and their learning rates."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float16, UInt8
from safetensors.torch import load_file
from torch import Tensor, nn

from terraseek.encoders.nets.fuse import fold_batch_norms
from terraseek.encoders.nets.lite_clip import LiteClip, build_lite_clip
from terraseek.files import atomic_path, read_json
from terraseek_train.loop.tower_files import lite_state
from terraseek_train.small.corpus import Corpus, minilm_of
from terraseek_train.small.settings import Settings, vocabulary_bytes

__all__ = [
    "MEAN",
    "STD",
    "SmallModel",
    "load_start",
    "load_text_start",
    "load_trunk",
    "normalise_pixels",
    "parameter_groups",
]

MEAN, STD = 127 / 255, 128 / 255
"""Of the published EfficientNet-Lite weights, for pixels from 0 to 1."""


def normalise_pixels(views: UInt8[np.ndarray, "n side side 3"]) -> Tensor:
    """Return views as the trunk reads them, float32 [n, 3, side, side]."""
    pixels = torch.from_numpy(np.array(views)).permute(0, 3, 1, 2).float()
    return pixels.sub_(MEAN * 255).div_(STD * 255)


def load_start(model: "SmallModel", run: Path) -> None:
    """Load the weights of another run as the start."""
    model.load_state_dict(load_file(run / "model.safetensors"), strict=False)
    model.fold_frozen(model.side)


def load_text_start(model: "SmallModel", run: Path) -> None:
    """Load the text head and the factor of the cosines of another run as the start."""
    weights = load_file(run / "model.safetensors")
    wanted = {k: v for k, v in weights.items() if k.startswith("towers.text.") or k == "scale"}
    model.load_state_dict(wanted, strict=False)


class SmallModel(nn.Module):
    """Both towers and a scene classifier; the first blocks of the trunk and MiniLM are frozen."""

    def __init__(self, settings: Settings, corpus: Corpus) -> None:
        super().__init__()
        torch.manual_seed(settings.seed)
        self.towers: LiteClip = build_lite_clip(settings.arch)
        text = self.towers.text
        text.reader = minilm_of(Path(settings.minilm), settings.levels)
        width = text.reader.width
        if settings.dim == width:
            text.project.straight.weight.data.copy_(torch.eye(width))
            text.project.straight.bias.data.zero_()
        text.vocabulary.copy_(
            torch.tensor(list(vocabulary_bytes(Path(settings.minilm))), dtype=torch.uint8)
        )
        text.usual.copy_(mean_text(corpus, settings))
        if settings.trunk:
            load_trunk(self.towers.visual.trunk, Path(settings.trunk))
        self.towers.visual.to(memory_format=torch.channels_last)
        self.classes = nn.Linear(
            int(self.towers.visual.trunk.num_features), max(1, len(corpus.class_source))
        )
        self.scale = nn.Parameter(torch.tensor(3.0))
        for head in (self.towers.visual.project, text.project):
            head.drop.p = settings.dropout
        self._frozen, self.side = settings.frozen_blocks, settings.side
        for part in [*self.stages()[: self._frozen + 1], text.reader]:
            part.requires_grad_(False)
        self._frozen_trunk: list[nn.Module]
        self.fold_frozen(settings.side)

    def stages(self) -> list[nn.Module]:
        """Return the stem, the blocks and the last convolution, in their order."""
        trunk = self.towers.visual.trunk
        stem, last = (
            nn.Sequential(trunk.conv_stem, trunk.bn1),
            nn.Sequential(trunk.conv_head, trunk.bn2),
        )
        return [stem, *trunk.blocks, last]

    def train(self, mode: bool = True) -> "SmallModel":
        """Set the mode of the trained parts; frozen parts stay in evaluation mode."""
        super().train(mode)
        for part in [*self.stages()[: self._frozen + 1], self.towers.text.reader]:
            part.eval()
        return self

    def frozen_features(self, pixels: Tensor) -> Tensor:
        """Compute the feature map [n, c, h, w] after the frozen blocks of normalised pixels."""
        with torch.no_grad():
            features: Tensor = self._frozen_trunk[0](pixels)
        return features

    def pooled(self, features: Tensor) -> Tensor:
        """Compute the pooled features [n, c] of the feature map after the frozen blocks."""
        for part in self.stages()[self._frozen + 1 :]:
            features = part(features)
        return features.mean(dim=(2, 3))

    def fold_frozen(self, side: int) -> None:
        """Prepare the frozen blocks for views of a side, after weights were loaded."""
        # batch norms folded; in a list, so that it is no submodule and not saved
        early = nn.Sequential(*self.stages()[: self._frozen + 1]).eval()
        self._frozen_trunk = [fold_batch_norms(early, side)]


def mean_text(corpus: Corpus, settings: Settings) -> Tensor:
    """Compute MiniLM's mean vector over sentences, weighted by how often training shows them."""
    weight = torch.zeros(len(corpus.texts), dtype=torch.float64)
    shares = torch.tensor([source.weight for source in settings.data])
    for row, captions in enumerate(corpus.captions):
        own = captions if len(captions) else corpus.templates[int(corpus.concept[row])]
        weight[own] += float(shares[int(corpus.source[row])]) / len(own)
    means = torch.from_numpy(corpus.text_means).double()
    return ((weight[:, None] * means).sum(0) / weight.sum()).float()


def load_trunk(trunk: nn.Module, path: Path) -> None:
    """Load published EfficientNet-Lite weights: same tensors in the same order, other names.

    Raises:
        WeightsLayoutError: a tensor has another shape.
    """
    stored = torch.load(path, map_location="cpu", weights_only=True)
    trunk.load_state_dict(lite_state(stored, trunk.state_dict(), path))


def parameter_groups(model: SmallModel, settings: Settings) -> list[dict[str, Any]]:
    """Group parameters by learning rate, lower for earlier blocks; no weight decay for vectors."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    rates: dict[int, float] = {}
    for depth, stage in enumerate(reversed(model.stages())):
        for parameter in stage.parameters():
            rates[id(parameter)] = settings.lr * settings.decay**depth
    for parameter in model.parameters():
        if parameter.requires_grad:
            lr = rates.get(id(parameter), settings.head_lr)
            decay = settings.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((lr, decay), []).append(parameter)
    return [
        {"params": params, "lr": lr, "peak": lr, "weight_decay": decay}
        for (lr, decay), params in groups.items()
    ]


@torch.inference_mode()
def run_vectors(
    run: Path, corpus: Corpus, settings: Settings, batch: int = 64
) -> tuple[Float16[np.ndarray, "rows dim"], Float16[np.ndarray, "texts dim"]]:
    """Compute the vectors of all images and sentences by an earlier run, and store them with it."""
    stored = run / f"vectors-{len(corpus.row)}-{len(corpus.texts)}-{settings.side}.npz"
    if stored.exists():
        arrays = np.load(stored)
        return arrays["images"], arrays["texts"]
    tower = read_json(run / "config.json")["arch"]["vision_cfg"]["timm_model_name"]
    model = SmallModel(replace(settings, tower=tower, trunk=None), corpus)
    load_start(model, run)
    visual: Any = fold_batch_norms(model.eval().towers.visual, settings.side)
    size = (settings.side, settings.side)
    images = []
    for squares in corpus.images:
        for start in range(0, len(squares), batch):
            pixels = normalise_pixels(np.asarray(squares[start : start + batch]))
            scaled = F.interpolate(pixels, size, mode="bicubic", antialias=True)
            images.append(visual(scaled.contiguous(memory_format=torch.channels_last)).half())
    text_means = torch.from_numpy(corpus.text_means)
    texts = [model.towers.text.head(part.float()).half() for part in torch.split(text_means, 4096)]
    arrays = {"images": torch.cat(images).numpy(), "texts": torch.cat(texts).numpy()}
    with atomic_path(stored) as file, file.open("wb") as target:
        np.savez(target, allow_pickle=False, **arrays)
    return arrays["images"], arrays["texts"]
