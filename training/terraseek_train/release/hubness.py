"""Add hubness correction to an ensemble, see `terraseek.encoders.nets.hubness`.

`python -m terraseek_train.release.hubness OUT RUN RECIPE`
RUN is a folder as `join` writes it, RECIPE the settings it was trained with: its sources, views and
sentences are what vectors are compared with. OUT is a folder like RUN. Nothing is learnt by
gradients and no validation data is looked at.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import torch
import torch.nn.functional as F
import typer
from jaxtyping import Float32

from terraseek.encoders.architecture import HUBNESS_DIMS
from terraseek.encoders.base import unit
from terraseek.encoders.nets.build import build_model
from terraseek.encoders.nets.checkpoints import fit_state, read_state, towers_of
from terraseek.encoders.nets.fuse import fold_batch_norms
from terraseek.encoders.nets.hubness import MODALITIES, HubnessCorrection, Modality
from terraseek.errors import ConfigError
from terraseek.files import read_json, write_json
from terraseek.progress import Progress, silent
from terraseek_train.config import TrainConfig, load_config
from terraseek_train.data.batch import Batch
from terraseek_train.data.corpus import build_corpus
from terraseek_train.loop.model import Trainee, save_weights
from terraseek_train.loop.parallel import Team
from terraseek_train.train import batches

__all__ = ["HeldBack", "HubSettings", "add_hubs", "centres", "training_pairs"]

Vectors = Float32[np.ndarray, "_ dim"]


@dataclass(frozen=True)
class HeldBack:
    """How one kind is held back, and how many centres of it the other is compared with."""

    count: int = 256
    weight: float = 1.0


@dataclass(frozen=True)
class HubSettings:
    """The `hubs` of an architecture; chosen on RSICD val, see docs/experiments.md."""

    sharpness: float = 10.0
    images: HeldBack = HeldBack(weight=0.5)
    sentences: HeldBack = HeldBack()
    centred: bool = True

    def to_json(self) -> dict[str, Any]:
        """The settings as `hubs` of an architecture, whose key for images is `pictures`."""
        values = asdict(self)
        return {"pictures": values.pop("images"), **values}


def add_hubs(
    out: Path,
    run: Path,
    config: TrainConfig,
    pairs: int = 16_384,
    settings: HubSettings = HubSettings(),
    progress: Progress = silent,
) -> None:
    """Write `model.safetensors` and `config.json` of RUN with hubs into `out`.

    Args:
        out: folder to write into.
        run: folder of joined encoders without hubs.
        config: what they were trained with.
        pairs: training views, each with a sentence, that are clustered.
        settings: constants.
        progress: told while images are encoded.

    Raises:
        ConfigError: the run is not of joined encoders, or has hubs already.
    """
    stored = read_json(run / "config.json")
    arch: dict[str, Any] = stored["arch"]
    if "members" not in arch or "hubs" in arch:
        what = "has hubs already" if "hubs" in arch else "is no encoder that `join` made"
        raise ConfigError(
            f"{run} {what}; give a folder as `terraseek_train.release.ensemble` writes it"
        )
    model = Trainee(arch, 1).eval()
    state = towers_of(read_state(run / "model.safetensors"))
    fit_state(model.clip, state, run)
    model.clip.visual = fold_batch_norms(model.clip.visual, int(arch["vision_cfg"]["image_size"]))
    vectors = training_pairs(model, config, pairs, progress)
    arch = arch | {"embed_dim": arch["embed_dim"] + HUBNESS_DIMS, "hubs": settings.to_json()}
    network: Any = build_model(arch)
    for modality, other in zip(MODALITIES, MODALITIES[::-1], strict=True):
        module = network.visual.level if modality == "image" else network.level
        fit_correction(module, vectors[modality], vectors[other])
    filled = {k: v for k, v in network.state_dict().items() if k not in state}
    out.mkdir(parents=True, exist_ok=True)
    save_weights(state | filled, out / "model.safetensors")
    write_json(out / "config.json", stored | {"arch": arch})


@torch.inference_mode()
def training_pairs(
    model: Trainee, config: TrainConfig, count: int, progress: Progress = silent
) -> dict[Modality, Vectors]:
    """Unit vectors of at least `count` training views and of a sentence of each.

    Views are as the training has them, but whole sentences and no blended images; sources come
    in the shares of an epoch.
    """
    images, sentences = [], []
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) * 255 for v in (config.means, config.stds))
    for batch in _batches(config, count):
        squares = torch.from_numpy(batch.pixels)
        images.append(F.normalize(model.squares(squares, mean, std), dim=-1).numpy())
        tokens = torch.from_numpy(batch.tokens)
        sentences.append(F.normalize(model.texts(tokens), dim=-1).numpy())
        progress("encode", sum(map(len, images)), count)
    return {"image": np.concatenate(images), "text": np.concatenate(sentences)}


def _batches(config: TrainConfig, count: int) -> Iterator[Batch]:
    side = int(config.arch["vision_cfg"]["image_size"])
    whole = replace(config, mix=0.0, word_drop=0.0, teacher=None, rs5m_captions=None)
    plain = replace(
        whole, sizes=((0.0, side),), accumulate=1, steps=math.ceil(count / config.batch)
    )
    return batches(build_corpus(plain), plain, 0, Team())


def centres(vectors: Vectors, count: int) -> tuple[Vectors, Float32[np.ndarray, " count"]]:
    """k-means centres of unit vectors, not of unit length, and the share of each."""
    means = faiss.Kmeans(vectors.shape[1], count, niter=25, seed=0, min_points_per_centroid=1)
    means.train(vectors)
    _, nearest = means.index.search(vectors, 1)
    shares = np.bincount(nearest[:, 0], minlength=count) / len(vectors)
    return np.asarray(means.centroids, np.float32), shares.astype(np.float32)


def fit_correction(
    module: HubnessCorrection,
    own: Vectors,
    others: Vectors,
) -> None:
    """Set the buffers of a correction from unit training vectors of both modalities."""
    with torch.no_grad():
        if module.centred:
            module.mean.copy_(torch.from_numpy(own.mean(axis=0)))
            others = unit(others - others.mean(axis=0))
        middle, weights = centres(others, len(module.querybank))
        module.querybank.copy_(torch.from_numpy(middle))
        module.log_weights.copy_(torch.from_numpy(np.log(weights.clip(1e-6))))
        similarity = module.similarity(module.center(torch.from_numpy(own)))
        module.mean_similarity.copy_(similarity.mean())


def main(out: Path, run: Path, recipe: Path) -> None:
    """Write the joined encoders of RUN into OUT, hubs held back as RECIPE's data has them."""
    from terraseek.commands.console import bar

    with bar() as progress:
        add_hubs(out, run, load_config(recipe), progress=progress)


if __name__ == "__main__":
    typer.run(main)
