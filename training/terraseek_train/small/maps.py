"""Feature maps of training views after the frozen blocks, computed once and stored on disk.

The frozen blocks cost a third of a step and always give the same maps for the same view. With the
maps stored, a step costs only the trained blocks; the number of different views is limited.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import typer
from jaxtyping import Bool, Float16, Int64
from numpy.lib.format import open_memmap

from terraseek.files import atomic_path
from terraseek.progress import Progress, silent
from terraseek_train.small.batches import make_batch, row_order
from terraseek_train.small.corpus import Corpus
from terraseek_train.small.model import SmallModel, normalise_pixels
from terraseek_train.small.settings import Settings

__all__ = ["StoredMaps", "open_maps", "pooled_of_maps"]

_FIRST_STEP = 2_000_000
"""Step whose random numbers the first batch of views gets, apart from those of training."""


class StoredMaps:
    """Feature maps [n, h, w, channels] on disk, and the corpus row of each."""

    def __init__(self, maps: Float16[np.ndarray, "n h w c"], rows: Int64[np.ndarray, " n"]) -> None:
        self.maps, self.rows = maps, rows

    def order(self, settings: Settings) -> Iterator[Int64[np.ndarray, " batch"]]:
        """Yield the stored views of successive batches, each view once per epoch."""
        epoch, size = 0, settings.batch
        while True:
            chosen = np.random.default_rng((settings.seed, 6, epoch)).permutation(len(self.rows))
            for start in range(0, len(chosen) - size + 1, size):
                yield chosen[start : start + size]
            epoch += 1

    def batch(self, chosen: Int64[np.ndarray, " b"]) -> torch.Tensor:
        """Read maps as float32 [b, channels, h, w] in channels-last layout."""
        return torch.from_numpy(self.maps[np.sort(chosen)]).float().permute(0, 3, 1, 2)


def open_maps(
    settings: Settings, corpus: Corpus, model: SmallModel, progress: Progress = silent
) -> StoredMaps:
    """Open the stored maps of a run; they are computed first if there are none.

    Views are drawn in the order and with the sources' shares of training.

    Args:
        settings: recipe with `stored_views` and `maps`, the folder of the two files.
        corpus: images of the recipe.
        model: network with the frozen blocks.
        progress: called for each batch of views.
    """
    folder = Path(settings.maps or settings.out)
    maps, rows = folder / "maps.npy", folder / "map-rows.npy"
    if not rows.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _compute(settings, corpus, model, maps, rows, progress)
    return StoredMaps(np.load(maps, mmap_mode="r"), np.load(rows))


@torch.inference_mode()
def _compute(
    settings: Settings,
    corpus: Corpus,
    model: SmallModel,
    maps: Path,
    rows: Path,
    progress: Progress,
) -> None:
    n_batches = -(-settings.stored_views // settings.batch)
    shape = model.frozen_features(torch.zeros(1, 3, settings.side, settings.side)).shape
    size = (n_batches * settings.batch, *shape[2:], shape[1])
    stored: Any = open_memmap(maps, mode="w+", dtype=np.float16, shape=size)
    order = []
    for number, part in enumerate(islice(row_order(corpus, settings), n_batches)):
        views = make_batch(corpus, settings, part, _FIRST_STEP + number).views
        features = model.frozen_features(normalise_pixels(views)).permute(0, 2, 3, 1)
        start = number * settings.batch
        stored[start : start + len(part)] = features.half().numpy()
        order.append(part)
        progress("maps", number + 1, n_batches)
    stored.flush()
    with atomic_path(rows) as file, file.open("wb") as target:
        np.save(target, np.concatenate(order))


@torch.inference_mode()
def pooled_of_maps(
    stored: StoredMaps,
    model: SmallModel,
    among: Bool[np.ndarray, " n"],
    count: int,
    progress: Progress = silent,
    batch: int = 96,
) -> tuple[Int64[np.ndarray, " count"], Float16[np.ndarray, "count c"]]:
    """Compute pooled features of some stored views, chosen at random.

    Args:
        stored: maps of training views.
        model: network with the trained blocks, in evaluation mode.
        among: views to choose from.
        count: number of views; all of `among` if it has fewer.
        progress: called for each batch.
        batch: views per forward pass.

    Returns:
        Corpus rows and features.
    """
    candidates = np.flatnonzero(among)
    size = min(count, len(candidates))
    chosen = np.sort(np.random.default_rng(0).choice(candidates, size, replace=False))
    pooled = []
    for start in range(0, size, batch):
        pooled.append(model.pooled(stored.batch(chosen[start : start + batch])).half().numpy())
        progress("features", min(start + batch, size), size)
    return stored.rows[chosen], np.concatenate(pooled)


def main(recipe: Path) -> None:
    """Compute the maps of RECIPE, so that several runs can share them."""
    from terraseek.commands.console import bar
    from terraseek_train.small.corpus import build_corpus
    from terraseek_train.small.model import load_start
    from terraseek_train.small.settings import load_settings

    settings = load_settings(recipe)
    torch.set_num_threads(settings.threads)
    corpus = build_corpus(settings)
    model = SmallModel(settings, corpus)
    if settings.init:
        load_start(model, Path(settings.init))
    with bar() as progress:
        open_maps(settings, corpus, model.eval(), progress)


if __name__ == "__main__":
    typer.run(main)
