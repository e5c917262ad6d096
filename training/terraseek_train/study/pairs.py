"""Pictures and sentences of a study, in memory, and batches that follow from seed and epoch."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, Int, Int32, Int64, UInt8
from torch import Tensor

from terraseek.encoders.cards import Preprocess
from terraseek.errors import ConfigError
from terraseek.progress import Progress, silent
from terraseek_train.config import DataSource
from terraseek_train.data.augment import augment
from terraseek_train.data.corpus import decode_source, read_source
from terraseek_train.data.text_table import tokenize

__all__ = ["Pairs", "StudyBatch", "batches", "normalised", "read_pairs", "take"]


@dataclass(frozen=True)
class Pairs:
    """Captioned pictures; the captions of all pictures stand in one table."""

    squares: UInt8[np.ndarray, "n side side 3"]
    texts: tuple[str, ...]
    """Lower case."""
    tokens: Int32[np.ndarray, "m context"]
    image_of: Int64[np.ndarray, " m"]
    """Picture row of every caption, ascending."""
    label: Int64[np.ndarray, " n"]
    """Scene class of a picture, -1 for none."""
    scene: Float32[np.ndarray, "n features"] | None = None
    """What a frozen scene classifier sees in the pictures, unaugmented."""

    def __len__(self) -> int:
        return len(self.squares)


@dataclass(frozen=True)
class StudyBatch:
    """What one step sees."""

    pixels: Float[Tensor, "b 3 side side"]
    """Normalised."""
    tokens: Int[Tensor, "b context"]
    picture: Int[Tensor, " b"]
    """Row of the picture."""
    caption: Int[Tensor, " b"]
    """Row of the sentence."""
    label: Int[Tensor, " b"]
    scene: Float[Tensor, "b features"] | None


def read_pairs(
    source: DataSource,
    side: int,
    context: int,
    cache: Path,
    progress: Progress = silent,
) -> Pairs:
    """All captioned pictures of a source at `side` pixels.

    Raises:
        ConfigError: pictures are missing, or one has no caption.
    """
    samples, content = read_source(source)
    bare = [sample.image for sample in samples if not sample.captions]
    if bare:
        raise ConfigError(f"source {source.name}: {bare[0]} has no caption; a study needs them")
    squares = decode_source(source, samples, content, side, cache, progress)
    texts = tuple(text.lower() for sample in samples for text in sample.captions)
    counts = [len(sample.captions) for sample in samples]
    known = sorted({sample.label for sample in samples if sample.label is not None})
    number = {label: row for row, label in enumerate(known)}
    label = [-1 if s.label is None else number[s.label] for s in samples]
    return Pairs(
        squares,
        texts,
        tokenize(texts, context).astype(np.int32),
        np.repeat(np.arange(len(samples)), counts),
        np.array(label, np.int64),
    )


def take(pairs: Pairs, rows: Int64[np.ndarray, " k"]) -> Pairs:
    """The pictures of `rows`, in that order, with their captions."""
    places = np.full(len(pairs), -1, np.int64)
    places[rows] = np.arange(len(rows))
    captions = np.flatnonzero(places[pairs.image_of] >= 0)
    captions = captions[np.argsort(places[pairs.image_of[captions]], kind="stable")]
    return Pairs(
        pairs.squares[rows],
        tuple(pairs.texts[row] for row in captions),
        pairs.tokens[captions],
        places[pairs.image_of[captions]],
        pairs.label[rows],
        None if pairs.scene is None else pairs.scene[rows],
    )


def batches(
    pairs: Pairs,
    prepare: Preprocess,
    area: tuple[float, float],
    batch: int,
    seed: int,
    epoch: int,
) -> Iterator[StudyBatch]:
    """One epoch: every picture once, with one of its captions; an incomplete last batch is left.

    A set smaller than a batch is one batch.

    Args:
        pairs: what to draw from.
        prepare: side and statistics of the model's input.
        area: smallest and largest share of a picture that a view shows.
        batch: pairs a step.
        seed: every random choice follows from it and `epoch`.
        epoch: from 0.
    """
    rng = np.random.default_rng((seed, epoch))
    first = np.searchsorted(pairs.image_of, np.arange(len(pairs)))
    count = np.bincount(pairs.image_of, minlength=len(pairs))
    order = rng.permutation(len(pairs))
    size = min(batch, len(pairs))
    for start in range(0, len(order) - size + 1, size):
        rows = order[start : start + size]
        captions = first[rows] + rng.integers(0, count[rows])
        views = np.stack([augment(pairs.squares[r], prepare.size, rng, area) for r in rows])
        yield StudyBatch(
            normalised(views, prepare),
            torch.from_numpy(pairs.tokens[captions]).long(),
            torch.from_numpy(rows),
            torch.from_numpy(captions),
            torch.from_numpy(pairs.label[rows]),
            None if pairs.scene is None else torch.from_numpy(pairs.scene[rows]),
        )


def normalised(
    squares: UInt8[np.ndarray, "b side side 3"], prepare: Preprocess
) -> Float[Tensor, "b 3 side side"]:
    """Pixels as the picture tower takes them."""
    pixels = torch.from_numpy(squares.astype(np.float32)).permute(0, 3, 1, 2) / 255
    mean = torch.tensor(prepare.mean).view(1, 3, 1, 1)
    std = torch.tensor(prepare.std).view(1, 3, 1, 1)
    return ((pixels - mean) / std).contiguous()
