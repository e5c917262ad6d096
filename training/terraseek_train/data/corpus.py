"""The corpus: its images, decoded once or streamed, its sentences, the order of an epoch."""

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
from terraseek_train.data.text_table import TextTable, rs5m_phrases, teacher_vectors, tokenize

__all__ = ["Corpus", "Pictures", "build_corpus", "decoded", "epoch_order", "listed", "read_source"]


@runtime_checkable
class Pictures(Protocol):
    """Square images by row: an array, or files that are decoded when asked for."""

    def __len__(self) -> int:
        """How many."""
        ...

    def __getitem__(self, row: int) -> UInt8[np.ndarray, "side side 3"]:
        """One of them."""
        ...


@dataclass(frozen=True)
class Corpus:
    """Images and sentences of all training sources; arrays over images share their rows."""

    images: Sequence[Pictures]
    """One entry per source."""
    source: Int16[np.ndarray, " rows"]
    row: Int32[np.ndarray, " rows"]
    """Row inside the source's images."""
    key: Int64[np.ndarray, " rows"]
    """Equal for images of the same place that share captions."""
    concept: Int16[np.ndarray, " rows"]
    label: Int16[np.ndarray, " rows"]
    """Index of the class among all sources' classes; -1 unknown."""
    captions: list[Int32[np.ndarray, " _"]]
    templates: dict[int, Int32[np.ndarray, " _"]]
    """Concept → rows of its sentences."""
    class_source: Int16[np.ndarray, " classes"]
    """Source every class belongs to."""
    tokens: Int32[np.ndarray, "texts context"]
    text_concept: Int16[np.ndarray, " texts"]
    teacher: Float16[np.ndarray, "texts 384"] | None
    loose: Int32[np.ndarray, " loose"]
    """Sentences that have no image."""
    weights: tuple[float, ...]


def read_source(source: DataSource) -> tuple[list[Sample], dict[str, bytes]]:
    """Samples of a source and their encoded images by sample name.

    Raises:
        ConfigError: a caption names an image that is not there and the source is not `partial`.
    """
    images = open_images(Path(source.images))
    samples = listed(source)
    if samples is None:
        samples = [images.sample(name) for name in images]
    pairs = _paired(source, samples, images)
    return [s for s, _ in pairs], {s.image: images.read(name) for s, name in pairs}


def stream_source(source: DataSource, side: int) -> tuple[list[Sample], StreamedImages]:
    """Samples of a source whose images stay in their files.

    Raises:
        ConfigError: a caption names an image that is not there and the source is not `partial`.
        SourceError: there is no image at all.
    """
    samples = listed(source)
    found = index_images(Path(source.images), keep_folders=samples is None)
    if samples is None:
        samples = [sample for sample, _ in found.values()]
    names = ImageBytes(Path(source.images), {k: ("", ref.file) for k, (_, ref) in found.items()})
    pairs = _paired(source, samples, names)
    return [s for s, _ in pairs], StreamedImages([found[name][1] for _, name in pairs], side)


def listed(source: DataSource) -> list[Sample] | None:
    """What the source's caption or label file lists; None where it has none."""
    if source.captions:
        return read_captions(Path(source.captions), source.split)
    if source.labels:
        with Path(source.labels).open(encoding="utf-8", newline="") as file:
            return [Sample(r["filename"], (), r["label"]) for r in csv.DictReader(file)]
    return None


def _paired(
    source: DataSource, samples: Sequence[Sample], images: ImageBytes
) -> list[tuple[Sample, str]]:
    found = [(sample, images.find(sample.image)) for sample in samples]
    lost = [sample.image for sample, name in found if name is None]
    if lost and not source.partial:
        raise ConfigError(
            f"source {source.name}: {len(lost)} pictures are missing, first {lost[0]}"
        )
    return [(sample, name) for sample, name in found if name is not None]


def decoded(
    source: DataSource,
    samples: Sequence[Sample],
    content: dict[str, bytes],
    side: int,
    cache: Path,
    progress: Progress = silent,
) -> UInt8[np.ndarray, "n side side 3"]:
    """All images of a source as squares in memory, kept in one file between runs."""
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
    """Read every source of the config, decode what is not cached, and embed all sentences once."""
    cache = Path(config.cache)
    table, names = TextTable([], []), {concept: i for i, concept in enumerate(CONCEPTS)}
    templates = {
        i: np.array([table.add(text, i) for text in concept_texts(concept)], np.int32)
        for concept, i in names.items()
    }
    images: list[Pictures] = []
    source_of, row_of, key_of, concept_col, label_col, captions = [], [], [], [], [], []
    classes: dict[tuple[int, str], int] = {}
    for number, source in enumerate(config.data):
        if source.stream:
            samples, streamed = stream_source(source, config.stored_size)
            images.append(streamed)
        else:
            samples, content = read_source(source)
            images.append(decoded(source, samples, content, config.stored_size, cache, progress))
        for row, sample in enumerate(samples):
            concept = names.get(concept_of(sample.label) or "", -1)
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
            key_of.append(_key(sample))
            concept_col.append(concept)
            label_col.append(label)
            captions.append(texts)
    paired = len(table.texts)
    if config.rs5m_captions:
        for phrase in rs5m_phrases(Path(config.rs5m_captions)):
            table.add(phrase)
    teacher = None
    if config.teacher:
        teacher = teacher_vectors(table.texts, Path(config.teacher), cache, progress)
    context = int(config.arch["text_cfg"]["context_length"])
    return Corpus(
        images=images,
        source=np.array(source_of, np.int16),
        row=np.array(row_of, np.int32),
        key=np.array(key_of, np.int64),
        concept=np.array(concept_col, np.int16),
        label=np.array(label_col, np.int16),
        captions=captions,
        templates=templates,
        class_source=np.array([number for number, _ in classes], np.int16),
        tokens=tokenize(table.texts, context).astype(np.int32),
        text_concept=np.array(table.concepts, np.int16),
        teacher=teacher,
        loose=np.arange(paired, len(table.texts), dtype=np.int32),
        weights=tuple(source.weight for source in config.data),
    )


def _key(sample: Sample) -> int:
    """Images with the same name and captions show the same place (RSICD and its wide views)."""
    text = "\n".join((Path(sample.image).stem, *sample.captions))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")


def epoch_order(corpus: Corpus, seed: int, epoch: int) -> Int64[np.ndarray, " k"]:
    """Rows of one epoch in random order, each source giving its weight's share of its images."""
    rng = np.random.default_rng((seed, 1, epoch))
    parts = []
    for number, weight in enumerate(corpus.weights):
        rows = np.flatnonzero(corpus.source == number)
        whole, count = int(weight), round((weight % 1) * len(rows))
        parts += [rows] * whole + [rng.permutation(rows)[:count]]
    return rng.permutation(np.concatenate(parts))
