"""The training corpus: images (decoded once or streamed), sentences, and the order of an epoch."""

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float16, Int16, Int32, Int64, UInt8

from terraseek.encoders.base import fit_square
from terraseek.errors import ConfigError
from terraseek.files import atomic_path
from terraseek.progress import Progress, silent
from terraseek_train.config import DataSource, TrainConfig
from terraseek_train.data.sources import ImageBytes, Sample, open_images, read_captions
from terraseek_train.data.sources.templates import CONCEPTS, concept_of, concept_texts
from terraseek_train.data.stream import StreamedImages, index_images
from terraseek_train.data.text_table import TextTable, rs5m_phrases, sentence_vectors, tokenize

__all__ = [
    "Corpus",
    "SquareImages",
    "build_corpus",
    "decode_source",
    "epoch_order",
    "listed_samples",
    "read_source",
    "read_streamed",
]


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


def read_source(source: DataSource) -> tuple[list[Sample], dict[str, bytes]]:
    """Read the samples of a source, and their encoded images by name.

    Raises:
        ConfigError: a caption names an image that is absent and the source is not `partial`.
    """
    images = open_images(Path(source.images))
    samples = listed_samples(source)
    if samples is None:
        samples = [images.sample(name) for name in images]
    pairs = _paired(source, samples, images)
    return [s for s, _ in pairs], {s.image: images.read(name) for s, name in pairs}


def read_streamed(source: DataSource, side: int) -> tuple[list[Sample], StreamedImages]:
    """Read the samples of a source, and locate its images, which stay in their files.

    Raises:
        ConfigError: a caption names an image that is absent and the source is not `partial`.
        SourceError: there is no image at all.
    """
    samples = listed_samples(source)
    index = index_images(Path(source.images), keep_folders=samples is None)
    if samples is None:
        samples = [sample for sample, _ in index.values()]
    names = ImageBytes(Path(source.images), {k: ("", ref.file) for k, (_, ref) in index.items()})
    pairs = _paired(source, samples, names)
    return [s for s, _ in pairs], StreamedImages([index[name][1] for _, name in pairs], side)


def listed_samples(source: DataSource) -> list[Sample] | None:
    """Read the samples of a source's caption or label file; None where it has neither."""
    if source.captions:
        return read_captions(Path(source.captions), source.split)
    if source.labels:
        with Path(source.labels).open(encoding="utf-8", newline="") as file:
            return [Sample(r["filename"], (), r["label"]) for r in csv.DictReader(file)]
    return None


def _paired(
    source: DataSource, samples: Sequence[Sample], images: ImageBytes
) -> list[tuple[Sample, str]]:
    """Pair samples with the stored name of their image; absent images are refused or skipped."""
    found = [(sample, images.find(sample.image)) for sample in samples]
    missing = [sample.image for sample, name in found if name is None]
    if missing and not source.partial:
        raise ConfigError(
            f"source {source.name}: {len(missing)} images are missing, first {missing[0]}; "
            'add them, or set "partial" to true to skip their captions'
        )
    return [(sample, name) for sample, name in found if name is not None]


def decode_source(
    source: DataSource,
    samples: Sequence[Sample],
    content: dict[str, bytes],
    side: int,
    cache: Path,
    progress: Progress = silent,
) -> UInt8[np.ndarray, "n side side 3"]:
    """Decode all images of a source to squares, or map the file that an earlier run stored.

    Args:
        source: names the stored file.
        samples: images in the order of the rows.
        content: encoded images by name.
        side: pixels of a square.
        cache: folder of the stored file; its name holds a hash of the images.
        progress: called while images are decoded.
    """
    from terraseek_train.data.sources.images import decode

    digest = hashlib.sha256()
    for sample in samples:
        digest.update(sample.image.encode() + hashlib.sha256(content[sample.image]).digest())
    stored = cache / f"{source.name}-{side}-{digest.hexdigest()[:12]}.npy"
    if not stored.exists():
        squares = np.empty((len(samples), side, side, 3), np.uint8)
        for row, sample in enumerate(samples):
            squares[row] = fit_square(decode(content[sample.image], sample.image), side)
            if row % 200 == 0:
                progress(f"decode {source.name}", row, len(samples))
        with atomic_path(stored) as part, part.open("wb") as file:
            np.save(file, squares)
    array: UInt8[np.ndarray, "n side side 3"] = np.load(stored, mmap_mode="r")
    return array


def build_corpus(config: TrainConfig, progress: Progress = silent) -> Corpus:
    """Read all sources of a config, decode what is not cached, and embed all sentences once.

    Raises:
        ConfigError: an image is missing, or has neither a caption nor a known class.
    """
    cache = Path(config.cache)
    table, concept_id = TextTable([], []), {concept: i for i, concept in enumerate(CONCEPTS)}
    templates = {
        i: np.array([table.add(text, i) for text in concept_texts(concept)], np.int32)
        for concept, i in concept_id.items()
    }
    images: list[SquareImages] = []
    source_of, row_of, place_of, concept_col, label_col, captions = [], [], [], [], [], []
    classes: dict[tuple[int, str], int] = {}
    for number, source in enumerate(config.data):
        if source.stream:
            samples, streamed = read_streamed(source, config.stored_size)
            images.append(streamed)
        else:
            samples, content = read_source(source)
            side = config.stored_size
            images.append(decode_source(source, samples, content, side, cache, progress))
        for row, sample in enumerate(samples):
            concept = concept_id.get(concept_of(sample.label) or "", -1)
            label = -1
            if sample.label is not None:
                label = classes.setdefault((number, sample.label), len(classes))
            texts = np.array([table.add(text.lower()) for text in sample.captions], np.int32)
            if not len(texts) and concept < 0:
                raise ConfigError(
                    f"source {source.name}: no words for {sample.image}, label {sample.label!r}; "
                    "give a caption file, or name its folder after a known scene class"
                )
            source_of.append(number)
            row_of.append(row)
            place_of.append(_place_id(sample))
            concept_col.append(concept)
            label_col.append(label)
            captions.append(texts)
    paired = len(table.texts)
    if config.rs5m_captions:
        for phrase in rs5m_phrases(Path(config.rs5m_captions)):
            table.add(phrase)
    vectors = None
    if config.teacher:
        vectors = sentence_vectors(table.texts, Path(config.teacher), cache, progress)
    context = int(config.arch["text_cfg"]["context_length"])
    return Corpus(
        images=images,
        source=np.array(source_of, np.int16),
        row=np.array(row_of, np.int32),
        place=np.array(place_of, np.int64),
        concept=np.array(concept_col, np.int16),
        label=np.array(label_col, np.int16),
        captions=captions,
        templates=templates,
        class_source=np.array([number for number, _ in classes], np.int16),
        tokens=tokenize(table.texts, context).astype(np.int32),
        text_concept=np.array(table.concepts, np.int16),
        sentence_vectors=vectors,
        unpaired_texts=np.arange(paired, len(table.texts), dtype=np.int32),
        weights=tuple(source.weight for source in config.data),
    )


def _place_id(sample: Sample) -> int:
    """Hash name and captions: images equal in both show one place (RSICD and its wide views)."""
    text = "\n".join((Path(sample.image).stem, *sample.captions))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")


def epoch_order(corpus: Corpus, seed: int, epoch: int) -> Int64[np.ndarray, " k"]:
    """Shuffle the rows of one epoch, in which each image occurs `weight` times on average."""
    rng = np.random.default_rng((seed, 1, epoch))
    parts = []
    for number, weight in enumerate(corpus.weights):
        rows = np.flatnonzero(corpus.source == number)
        whole, count = int(weight), round((weight % 1) * len(rows))
        parts += [rows] * whole + [rng.permutation(rows)[:count]]
    return rng.permutation(np.concatenate(parts))
