"""Add MiniLM and a hubness correction to trained weights, before `terraseek_train.release`.

`python -m terraseek_train.small.finish OUT RUN RECIPE`: the statistics of the correction (see
`terraseek.encoders.nets.hubness`) are computed from the recipe's training views and sentences.
Nothing is trained, and no validation data is used.
"""

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import typer
from jaxtyping import Float, Float32, Int
from safetensors.torch import load_file

from terraseek.encoders.architecture import HUBNESS_DIMS
from terraseek.encoders.nets.fuse import fold_batch_norms
from terraseek.encoders.nets.hubness import MODALITIES, Modality
from terraseek.encoders.nets.lite_clip import build_lite_clip
from terraseek.files import read_json, write_json
from terraseek.progress import Progress, silent
from terraseek_train.loop.model import save_weights
from terraseek_train.release.hubness import HubnessSettings, fit_correction
from terraseek_train.small.batches import make_batch, row_order
from terraseek_train.small.corpus import Corpus, build_corpus, minilm_of
from terraseek_train.small.maps import open_maps, pooled_of_maps
from terraseek_train.small.model import MEAN, STD, SmallModel, load_start, normalise_pixels
from terraseek_train.small.settings import Settings, load_settings

__all__ = ["finish", "training_pairs", "vectors_of"]

_TOWERS = "towers."
_HUBNESS = HubnessSettings()
_PAINTED = ("coarse", "demo", "demo-more")
"""Sources of synthetic images, which are no querybank for searches of real ones."""


def finish(
    out: Path,
    run: Path,
    settings: Settings,
    side: int = 160,
    pairs: int = 16_384,
    hubness: HubnessSettings = _HUBNESS,
    features: Path | None = None,
    maps: bool = False,
    progress: Progress = silent,
) -> None:
    """Write `model.safetensors` and `config.json` of a run with hubness correction.

    Args:
        out: folder to write into.
        run: folder of a trained network or an average of several.
        settings: settings of the training.
        side: input pixels of the encoder.
        pairs: number of training views, each with a sentence, that are clustered.
        hubness: constants of the correction.
        features: file of `terraseek_train.small.heads` with pooled features of training views,
            which are then not computed again.
        maps: take the features of stored maps of real images (`small.maps`), which are training
            views at the recipe's side, instead of new views.
        progress: called while views are encoded.
    """
    stored = read_json(run / "config.json")
    state = {
        key.removeprefix(_TOWERS): value
        for key, value in load_file(run / "model.safetensors").items()
        if key.startswith(_TOWERS)
    }
    minilm = minilm_of(Path(settings.minilm), settings.levels).state_dict()
    state |= {f"text.reader.{key}": value for key, value in minilm.items()}
    plain: Any = build_lite_clip(stored["arch"]).eval()
    plain.load_state_dict(state)
    corpus = build_corpus(replace(settings, teacher=None))
    if maps:
        rows, pooled = _map_features(run, settings, corpus, pairs, progress)
        vectors = vectors_of(plain, corpus, rows, pooled)
    elif features is None:
        vectors = training_pairs(plain, corpus, replace(settings, side=side), pairs, progress)
    else:
        stored_features = np.load(features)
        vectors = vectors_of(plain, corpus, stored_features["rows"], stored_features["pooled"])
    arch = stored["arch"] | {
        "embed_dim": stored["arch"]["embed_dim"] + HUBNESS_DIMS,
        "hubs": hubness.to_json(),
        "vision_cfg": stored["arch"]["vision_cfg"] | {"image_size": side},
    }
    network: Any = build_lite_clip(arch)
    for modality, other in zip(MODALITIES, MODALITIES[::-1], strict=True):
        tower = network.visual if modality == "image" else network.text
        fit_correction(tower.level, vectors[modality], vectors[other])
    added = {k: v for k, v in network.state_dict().items() if k not in state}
    out.mkdir(parents=True, exist_ok=True)
    save_weights(state | added, out / "model.safetensors")
    facts = {"arch": arch, "means": [MEAN] * 3, "stds": [STD] * 3}
    write_json(out / "config.json", stored | facts)


@torch.inference_mode()
def training_pairs(
    network: Any,  # noqa: ANN401 - a LiteClip, also folded
    corpus: Corpus,
    settings: Settings,
    count: int,
    progress: Progress = silent,
) -> dict[Modality, Float32[np.ndarray, "n dim"]]:
    """Compute unit vectors of training views and of one sentence for each."""
    visual: Any = fold_batch_norms(
        network.visual.to(memory_format=torch.channels_last), settings.side
    )
    rows, pooled = [], []
    batches = -(-count // settings.batch)
    for step, part in enumerate(islice(row_order(corpus, settings), batches)):
        pixels = normalise_pixels(make_batch(corpus, settings, part, step).views)
        rows.append(part)
        pooled.append(visual.trunk.forward_head(visual.trunk.forward_features(pixels)).numpy())
        progress("encode", step + 1, batches)
    return vectors_of(network, corpus, np.concatenate(rows), np.concatenate(pooled))


@torch.inference_mode()
def vectors_of(
    network: Any,  # noqa: ANN401 - a LiteClip, also folded
    corpus: Corpus,
    rows: Int[np.ndarray, " n"],
    pooled: Float[np.ndarray, "n c"],
) -> dict[Modality, Float32[np.ndarray, "n dim"]]:
    """Compute unit vectors of images from pooled features, and of one sentence for each."""
    rng = np.random.default_rng(0)
    texts = [_sentence(corpus, int(row), rng) for row in rows]
    means = torch.from_numpy(corpus.text_means[texts]).float()
    vectors: dict[Modality, Float32[np.ndarray, "n dim"]] = {
        "image": network.visual.head(torch.from_numpy(pooled).float()).numpy(),
        "text": network.text.head(means).numpy(),
    }
    return vectors


def _sentence(corpus: Corpus, row: int, rng: np.random.Generator) -> int:
    own = corpus.captions[row]
    if not len(own):
        own = corpus.templates[int(corpus.concept[row])]
    return int(own[int(rng.integers(len(own)))])


def _map_features(
    run: Path, settings: Settings, corpus: Corpus, count: int, progress: Progress
) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, "n c"]]:
    """Compute pooled features by a run of stored maps of real images, not of painted ones."""
    model = SmallModel(settings, corpus)
    load_start(model, run)
    stored = open_maps(settings, corpus, model.eval())
    real = [source.name not in _PAINTED for source in settings.data]
    among = np.array(real)[corpus.source[stored.rows]]
    return pooled_of_maps(stored, model, among, count, progress)


def main(
    out: Path,
    run: Path,
    recipe: Path,
    features: Path | None = typer.Option(None, help="Features stored by `heads`, to reuse."),
    maps: bool = typer.Option(
        False, help="Use stored maps of real images (the recipe's `maps`) instead of new views."
    ),
    side: int = typer.Option(160, help="Input pixels of the encoder."),
    weight: float | None = typer.Option(
        None, help="Strength of the correction of both modalities; the defaults of TerraSeek tiny."
    ),
) -> None:
    """Add MiniLM and hubness correction to RUN, trained with RECIPE; write to the folder OUT."""
    from terraseek.commands.console import bar

    settings, hubness = load_settings(recipe), _HUBNESS
    if weight is not None:
        hubness = replace(
            hubness,
            images=replace(hubness.images, weight=weight),
            sentences=replace(hubness.sentences, weight=weight),
        )
    with bar() as progress:
        finish(
            out, run, settings, side, hubness=hubness, features=features, maps=maps,
            progress=progress,
        )  # fmt: skip


if __name__ == "__main__":
    typer.run(main)
