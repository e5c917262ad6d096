"""Add hubness correction to an ensemble, see `terraseek.encoders.nets.hubness`.

`python -m terraseek_train.release.hubness OUT RUN RECIPE`
RUN is a folder that `terraseek_train.release.ensemble` wrote. RECIPE is the config it was trained
with: its images and sentences give the statistics of the correction. OUT is a folder like RUN.
Nothing is trained, and no validation data is used.
"""

import math
from collections.abc import Generator
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
from terraseek.encoders.nets.checkpoints import clip_state, fit_state, read_state
from terraseek.encoders.nets.fuse import fold_batch_norms
from terraseek.encoders.nets.hubness import MODALITIES, HubnessCorrection, Modality
from terraseek.errors import ConfigError
from terraseek.files import read_json, write_json
from terraseek.progress import Progress, silent
from terraseek_train.config import TrainConfig, load_config
from terraseek_train.data.batch import Batch
from terraseek_train.data.corpus import build_corpus
from terraseek_train.loop.model import ClipWithHeads, save_weights
from terraseek_train.loop.parallel import ProcessGroup
from terraseek_train.train import training_batches

__all__ = [
    "HubnessSettings",
    "ModalitySettings",
    "add_hubness_correction",
    "cluster",
    "fit_correction",
    "training_vectors",
]

Vectors = Float32[np.ndarray, "_ dim"]


@dataclass(frozen=True)
class ModalitySettings:
    """Correction of the vectors of one modality."""

    count: int = 256
    """Cluster centres of this modality, which are the querybank of the other one."""
    weight: float = 1.0
    """Strength of the correction."""


@dataclass(frozen=True)
class HubnessSettings:
    """Constants of the correction; chosen on RSICD val, see docs/experiments.md."""

    sharpness: float = 10.0
    """Inverse temperature of the smoothed maximum over the querybank."""
    images: ModalitySettings = ModalitySettings(weight=0.5)
    sentences: ModalitySettings = ModalitySettings()
    centred: bool = True
    """Subtract the mean vector of each modality first."""

    def to_json(self) -> dict[str, Any]:
        """Convert to the `hubs` of an architecture, whose key for images is `pictures`."""
        values = asdict(self)
        return {"pictures": values.pop("images"), **values}


def add_hubness_correction(
    out: Path,
    run: Path,
    config: TrainConfig,
    pairs: int = 16_384,
    settings: HubnessSettings = HubnessSettings(),
    progress: Progress = silent,
) -> None:
    """Write `model.safetensors` and `config.json` of an ensemble with hubness correction.

    Args:
        out: folder to write into.
        run: folder of an ensemble without correction.
        config: config the ensemble was trained with.
        pairs: number of training views, each with a sentence, that are clustered.
        settings: constants of the correction.
        progress: called while images are encoded.

    Raises:
        ConfigError: the run is not an ensemble, or is corrected already.
    """
    stored = read_json(run / "config.json")
    arch: dict[str, Any] = stored["arch"]
    if "members" not in arch or "hubs" in arch:
        problem = "is corrected for hubness already" if "hubs" in arch else "is not an ensemble"
        raise ConfigError(
            f"{run} {problem}; give a folder as `terraseek_train.release.ensemble` writes it"
        )
    model = ClipWithHeads(arch, 1).eval()
    state = clip_state(read_state(run / "model.safetensors"))
    fit_state(model.clip, state, run)
    model.clip.visual = fold_batch_norms(model.clip.visual, int(arch["vision_cfg"]["image_size"]))
    vectors = training_vectors(model, config, pairs, progress)
    arch = arch | {"embed_dim": arch["embed_dim"] + HUBNESS_DIMS, "hubs": settings.to_json()}
    network: Any = build_model(arch)
    for modality, other in zip(MODALITIES, MODALITIES[::-1], strict=True):
        module = network.visual.level if modality == "image" else network.level
        fit_correction(module, vectors[modality], vectors[other])
    added = {key: value for key, value in network.state_dict().items() if key not in state}
    out.mkdir(parents=True, exist_ok=True)
    save_weights(state | added, out / "model.safetensors")
    write_json(out / "config.json", stored | {"arch": arch})


@torch.inference_mode()
def training_vectors(
    model: ClipWithHeads, config: TrainConfig, count: int, progress: Progress = silent
) -> dict[Modality, Vectors]:
    """Compute unit vectors of at least `count` training views and of one sentence for each.

    Views are augmented as in training, but sentences are whole and images are not mixed. Each
    source has its share of an epoch.
    """
    images, sentences = [], []
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) * 255 for v in (config.means, config.stds))
    for batch in _batches(config, count):
        pixels, tokens = torch.from_numpy(batch.pixels), torch.from_numpy(batch.tokens)
        images.append(F.normalize(model.encode_pixels(pixels, mean, std), dim=-1).numpy())
        sentences.append(F.normalize(model.encode_texts(tokens), dim=-1).numpy())
        progress("encode", sum(map(len, images)), count)
    return {"image": np.concatenate(images), "text": np.concatenate(sentences)}


def _batches(config: TrainConfig, count: int) -> Generator[Batch, None, None]:
    side = int(config.arch["vision_cfg"]["image_size"])
    unmixed = replace(config, mix=0.0, word_drop=0.0, teacher=None, rs5m_captions=None)
    plain = replace(
        unmixed, sizes=((0.0, side),), accumulate=1, steps=math.ceil(count / config.batch)
    )
    return training_batches(build_corpus(plain), plain, 0, ProcessGroup())


def cluster(vectors: Vectors, count: int) -> tuple[Vectors, Float32[np.ndarray, " count"]]:
    """Compute k-means centres of unit vectors and the fraction of vectors in each cluster.

    The centres are not of unit length.
    """
    means = faiss.Kmeans(vectors.shape[1], count, niter=25, seed=0, min_points_per_centroid=1)
    means.train(vectors)
    _, nearest = means.index.search(vectors, 1)
    fractions = np.bincount(nearest[:, 0], minlength=count) / len(vectors)
    return np.asarray(means.centroids, np.float32), fractions.astype(np.float32)


def fit_correction(module: HubnessCorrection, own: Vectors, others: Vectors) -> None:
    """Set the buffers of a correction from unit training vectors of both modalities.

    Args:
        module: the correction of one modality.
        own: vectors of its modality.
        others: vectors of the other modality.
    """
    with torch.no_grad():
        if module.centred:
            module.mean.copy_(torch.from_numpy(own.mean(axis=0)))
            others = unit(others - others.mean(axis=0))
        centres, weights = cluster(others, len(module.querybank))
        module.querybank.copy_(torch.from_numpy(centres))
        module.log_weights.copy_(torch.from_numpy(np.log(weights.clip(1e-6))))
        similarity = module.similarity(module.center(torch.from_numpy(own)))
        module.mean_similarity.copy_(similarity.mean())


def main(out: Path, run: Path, recipe: Path) -> None:
    """Write the ensemble RUN into OUT, with hubness correction from RECIPE's data."""
    from terraseek.commands.console import bar

    with bar() as progress:
        add_hubness_correction(out, run, load_config(recipe), progress=progress)


if __name__ == "__main__":
    typer.run(main)
