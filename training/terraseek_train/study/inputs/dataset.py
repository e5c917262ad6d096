"""Captioned images of a study, in memory, and reproducible batches of them."""

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
from terraseek_train.data.read_source import decode_source, read_source
from terraseek_train.data.text_table import tokenize

__all__ = ["CaptionedImages", "StudyBatch", "batches", "normalize", "read_dataset", "subset"]


@dataclass(frozen=True)
class CaptionedImages:
    """Images with their captions; the captions of all images are in one table."""

    images: UInt8[np.ndarray, "n side side 3"]
    """Square RGB images, 0..255."""
    texts: tuple[str, ...]
    """Captions in lower case."""
    tokens: Int32[np.ndarray, "m context"]
    image_of: Int64[np.ndarray, " m"]
    """Image row of every caption, ascending."""
    label: Int64[np.ndarray, " n"]
    """Scene class of an image, -1 for none."""
    scene_features: Float32[np.ndarray, "n features"] | None = None
    """Features of a frozen scene classifier, without augmentation."""

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class StudyBatch:
    """Input of one training step."""

    pixels: Float[Tensor, "b 3 side side"]
    """Normalised for the image tower."""
    tokens: Int[Tensor, "b context"]
    image_row: Int[Tensor, " b"]
    """Row in the image table."""
    caption_row: Int[Tensor, " b"]
    """Row in the caption table."""
    label: Int[Tensor, " b"]
    scene_features: Float[Tensor, "b features"] | None


def read_dataset(
    source: DataSource,
    side: int,
    context: int,
    cache: Path,
    progress: Progress = silent,
) -> CaptionedImages:
    """Read all captioned images of a source at `side` pixels.

    Raises:
        ConfigError: images are missing, or one has no caption.
    """
    samples, content = read_source(source)
    uncaptioned = [sample.image for sample in samples if not sample.captions]
    if uncaptioned:
        raise ConfigError(
            f"source {source.name}: {uncaptioned[0]} has no caption; a study needs them"
        )
    images = decode_source(source, samples, content, side, cache, progress)
    texts = tuple(text.lower() for sample in samples for text in sample.captions)
    counts = [len(sample.captions) for sample in samples]
    classes = sorted({sample.label for sample in samples if sample.label is not None})
    class_index = {name: index for index, name in enumerate(classes)}
    label = [-1 if s.label is None else class_index[s.label] for s in samples]
    return CaptionedImages(
        images,
        texts,
        tokenize(texts, context).astype(np.int32),
        np.repeat(np.arange(len(samples)), counts),
        np.array(label, np.int64),
    )


def subset(data: CaptionedImages, rows: Int64[np.ndarray, " k"]) -> CaptionedImages:
    """Images of `rows`, in that order, with their captions."""
    new_row = np.full(len(data), -1, np.int64)
    new_row[rows] = np.arange(len(rows))
    captions = np.flatnonzero(new_row[data.image_of] >= 0)
    captions = captions[np.argsort(new_row[data.image_of[captions]], kind="stable")]
    return CaptionedImages(
        data.images[rows],
        tuple(data.texts[row] for row in captions),
        data.tokens[captions],
        new_row[data.image_of[captions]],
        data.label[rows],
        None if data.scene_features is None else data.scene_features[rows],
    )


def batches(
    data: CaptionedImages,
    prepare: Preprocess,
    area: tuple[float, float],
    batch: int,
    seed: int,
    epoch: int,
) -> Iterator[StudyBatch]:
    """Batches of one epoch: every image once, with a random one of its captions.

    An incomplete last batch is dropped; data smaller than a batch are one batch.

    Args:
        data: images and captions.
        prepare: preprocessing of the model's input.
        area: smallest and largest share of an image that a random crop covers.
        batch: images per step.
        seed: determines all random choices, together with `epoch`.
        epoch: from 0.
    """
    rng = np.random.default_rng((seed, epoch))
    first = np.searchsorted(data.image_of, np.arange(len(data)))
    count = np.bincount(data.image_of, minlength=len(data))
    order = rng.permutation(len(data))
    size = min(batch, len(data))
    for start in range(0, len(order) - size + 1, size):
        rows = order[start : start + size]
        captions = first[rows] + rng.integers(0, count[rows])
        views = np.stack([augment(data.images[r], prepare.size, rng, area) for r in rows])
        yield StudyBatch(
            normalize(views, prepare),
            torch.from_numpy(data.tokens[captions]).long(),
            torch.from_numpy(rows),
            torch.from_numpy(captions),
            torch.from_numpy(data.label[rows]),
            None if data.scene_features is None else torch.from_numpy(data.scene_features[rows]),
        )


def normalize(
    images: UInt8[np.ndarray, "b side side 3"], prepare: Preprocess
) -> Float[Tensor, "b 3 side side"]:
    """Normalised pixels for the image tower, from RGB images 0..255."""
    pixels = torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2) / 255
    mean = torch.tensor(prepare.mean).view(1, 3, 1, 1)
    std = torch.tensor(prepare.std).view(1, 3, 1, 1)
    return ((pixels - mean) / std).contiguous()
