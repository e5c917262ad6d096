"""The training corpus: images and sentences of all sources, and the order of an epoch."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float16, Int16, Int32, Int64, UInt8

from terraseek.errors import ConfigError
from terraseek.progress import Progress, silent
from terraseek_train.config import TrainConfig
from terraseek_train.data.merge import repeated_images
from terraseek_train.data.read_source import decode_source, read_source, read_streamed
from terraseek_train.data.sources import Sample
from terraseek_train.data.sources.templates import CONCEPTS, concept_of, concept_texts
from terraseek_train.data.text_table import TextTable, rs5m_phrases, sentence_vectors, tokenize

__all__ = [
    "Corpus",
    "ImageColumns",
    "SquareImages",
    "batches_per_epoch",
    "build_corpus",
    "epoch_order",
]


_CONCEPT_ID = {concept: number for number, concept in enumerate(CONCEPTS)}


@runtime_checkable
class SquareImages(Protocol):
    """Square images by row: an array, or files that are decoded on access."""

    def __len__(self) -> int:
        """Return the number of images."""
        ...

    def __getitem__(self, row: int) -> UInt8[np.ndarray, "side side 3"]:
        """Return one image."""
        ...


@dataclass(frozen=True)
class Corpus:
    """Images and sentences of all training sources; arrays over images share their rows."""

    images: Sequence[SquareImages]
    """One entry per source."""
    source: Int16[np.ndarray, " rows"]
    """Source of the image."""
    row: Int32[np.ndarray, " rows"]
    """Row of the image inside its source."""
    place: Int64[np.ndarray, " rows"]
    """Equal for images of one place that share their captions."""
    concept: Int16[np.ndarray, " rows"]
    """Concept of the image's label; -1 unknown."""
    label: Int16[np.ndarray, " rows"]
    """Class among the classes of all sources; -1 unknown."""
    captions: list[Int32[np.ndarray, " _"]]
    """Text rows of the captions of each image."""
    templates: dict[int, Int32[np.ndarray, " _"]]
    """Text rows of the template sentences of each concept."""
    class_source: Int16[np.ndarray, " classes"]
    """Source of each class."""
    tokens: Int32[np.ndarray, "texts context"]
    text_concept: Int16[np.ndarray, " texts"]
    """Concept of a template sentence; -1 for captions."""
    sentence_vectors: Float16[np.ndarray, "texts 384"] | None
    """Vectors of the texts by the sentence encoder."""
    unpaired_texts: Int32[np.ndarray, " unpaired"]
    """Text rows of sentences that have no image."""
    weights: tuple[float, ...]
    """`weight` of each source."""
    texts: Sequence[str] = ()
    """The sentences; empty unless `build_corpus` was asked to keep them."""

    def captions_of_source(self, number: int) -> Iterator[str]:
        """Yield the captions of the images of a source; equal captions occur as often as used."""
        for image in np.flatnonzero(self.source == number):
            yield from (self.texts[row] for row in self.captions[image])


@dataclass
class ImageColumns:
    """Columns of the corpus over images, growing while sources are read."""

    source: list[int] = field(default_factory=list)
    row: list[int] = field(default_factory=list)
    place: list[int] = field(default_factory=list)
    concept: list[int] = field(default_factory=list)
    label: list[int] = field(default_factory=list)
    captions: list[Int32[np.ndarray, " _"]] = field(default_factory=list)
    classes: dict[tuple[int, str], int] = field(default_factory=dict)
    """Number of each (source, label)."""

    def add_source(
        self, number: int, name: str, samples: Sequence[Sample], table: TextTable
    ) -> None:
        """Add a row for each sample of a source, and its captions to the table."""
        for row, sample in enumerate(samples):
            concept = _CONCEPT_ID.get(concept_of(sample.label) or "", -1)
            label = -1
            if sample.label is not None:
                label = self.classes.setdefault((number, sample.label), len(self.classes))
            texts = np.array([table.add(text.lower()) for text in sample.captions], np.int32)
            if not len(texts) and concept < 0:
                raise ConfigError(
                    f"source {name}: no words for {sample.image}, label {sample.label!r}; give a "
                    "caption file, or name its folder after a known scene class"
                )
            self.source.append(number)
            self.row.append(row)
            self.place.append(_place_id(sample))
            self.concept.append(concept)
            self.label.append(label)
            self.captions.append(texts)


def build_corpus(
    config: TrainConfig, progress: Progress = silent, keep_texts: bool = False
) -> Corpus:
    """Read all sources of a config, decode what is not cached, and embed all sentences once.

    Args:
        config: sources, and where what was decoded is kept.
        progress: called while images are decoded.
        keep_texts: keep the sentences beside their tokens.

    Raises:
        ConfigError: an image is missing, or has neither a caption nor a known class.
    """
    cache, side, table = Path(config.cache), config.stored_size, TextTable([], [])
    templates = {
        number: np.array([table.add(text, number) for text in concept_texts(concept)], np.int32)
        for concept, number in _CONCEPT_ID.items()
    }
    images: list[SquareImages] = []
    columns = ImageColumns()
    left_out = repeated_images(config, progress)
    for number, source in enumerate(config.data):
        if source.stream:
            samples, streamed = read_streamed(source, side, left_out[number])
            images.append(streamed)
        else:
            samples, content = read_source(source, left_out[number])
            images.append(decode_source(source, samples, content, side, cache, progress))
        columns.add_source(number, source.name, samples, table)
    n_paired = len(table.texts)
    if config.rs5m_captions:
        for phrase in rs5m_phrases(Path(config.rs5m_captions)):
            table.add(phrase)
    vectors = None
    if config.teacher:
        vectors = sentence_vectors(table.texts, Path(config.teacher), cache, progress)
    return Corpus(
        images=images,
        source=np.array(columns.source, np.int16),
        row=np.array(columns.row, np.int32),
        place=np.array(columns.place, np.int64),
        concept=np.array(columns.concept, np.int16),
        label=np.array(columns.label, np.int16),
        captions=columns.captions,
        templates=templates,
        class_source=np.array([number for number, _ in columns.classes], np.int16),
        tokens=tokenize(table.texts, config.arch).astype(np.int32),
        text_concept=np.array(table.concepts, np.int16),
        sentence_vectors=vectors,
        unpaired_texts=np.arange(n_paired, len(table.texts), dtype=np.int32),
        weights=tuple(source.weight for source in config.data),
        texts=table.texts if keep_texts else (),
    )


def _place_id(sample: Sample) -> int:
    """Hash name and captions: images equal in both show one place (RSICD and its wide views)."""
    text = "\n".join((Path(sample.image).stem, *sample.captions))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")


def batches_per_epoch(corpus: Corpus, config: TrainConfig) -> int:
    """Number of batches of an epoch; an incomplete last one counts only if it is the only one."""
    return max(1, len(epoch_order(corpus, config.seed, 0)) // config.batch)


def epoch_order(corpus: Corpus, seed: int, epoch: int) -> Int64[np.ndarray, " k"]:
    """Shuffle the rows of one epoch, in which each image occurs `weight` times on average."""
    rng = np.random.default_rng((seed, 1, epoch))
    parts = []
    for number, weight in enumerate(corpus.weights):
        rows = np.flatnonzero(corpus.source == number)
        whole, count = int(weight), round((weight % 1) * len(rows))
        parts += [rows] * whole + [rng.permutation(rows)[:count]]
    return rng.permutation(np.concatenate(parts))
