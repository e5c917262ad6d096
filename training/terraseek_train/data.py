"""The corpus in memory: pictures decoded once, sentences tokenised once, batches by step number.

Every random choice of a batch comes from a generator seeded with (seed, step), so that a resumed
run sees exactly what an uninterrupted one would have seen.
"""

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float16, Float32, Int16, Int32, Int64, UInt8

from terraseek.encoders.base import fit_square
from terraseek.errors import ConfigError
from terraseek.files import atomic_path
from terraseek.progress import Progress, silent
from terraseek_train.augment import augment, coarse_mosaic
from terraseek_train.config import DataSource, TrainConfig
from terraseek_train.corpus_text import TextTable, rs5m_phrases, teacher_vectors, tokenize
from terraseek_train.sources import Sample, open_images, read_captions
from terraseek_train.sources.templates import CONCEPTS, concept_of, concept_texts

__all__ = ["Batch", "Corpus", "build_corpus", "epoch_order", "make_batch", "read_source"]


@dataclass(frozen=True)
class Corpus:
    """Pictures and sentences of all training sources; arrays over pictures share their rows."""

    images: list[UInt8[np.ndarray, "_ side side 3"]]
    """One array per source."""
    source: Int16[np.ndarray, " rows"]
    row: Int32[np.ndarray, " rows"]
    """Row inside the source's array."""
    key: Int64[np.ndarray, " rows"]
    """Equal for pictures of the same place that share captions."""
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
    """Sentences that have no picture."""
    weights: tuple[float, ...]


@dataclass(frozen=True)
class Mixed:
    """Which other pictures of the batch the pictures hold parts of; own share 1 where none."""

    partner: Int64[np.ndarray, " all"]
    """Row of the other picture, in the share of the same process."""
    own: Float32[np.ndarray, " all"]
    """Share of a picture that is its own, above 0 to 1."""


@dataclass(frozen=True)
class Batch:
    """What one step sees."""

    pixels: UInt8[np.ndarray, "b side side 3"]
    """Pictures of this process: b of all the batch's."""
    tokens: Int32[np.ndarray, "t context"]
    """The b sentences of these pictures, then those without a picture."""
    same: Bool[np.ndarray, "all all"]
    """Sentence column is true of picture row, over the batches of all processes."""
    neutral: Bool[np.ndarray, "all all"]
    """Pairs that are neither right nor wrong."""
    label: Int16[np.ndarray, " b"]
    source: Int16[np.ndarray, " b"]
    teacher: Float16[np.ndarray, "t 384"] | None
    teacher_all: Float16[np.ndarray, "all 384"] | None
    mixed: Mixed | None = None


def read_source(source: DataSource) -> tuple[list[Sample], dict[str, bytes]]:
    """Samples of a source and their encoded pictures by sample name.

    Raises:
        ConfigError: a caption names a picture that is not there and the source is not `partial`.
    """
    images = open_images(Path(source.images))
    if source.captions:
        samples = read_captions(Path(source.captions), source.split)
    elif source.labels:
        with Path(source.labels).open(encoding="utf-8", newline="") as file:
            samples = [Sample(r["filename"], (), r["label"]) for r in csv.DictReader(file)]
    else:
        samples = [Sample(name, (), images.folder(name)) for name in images]
    found = [(sample, images.find(sample.image)) for sample in samples]
    lost = [sample.image for sample, name in found if name is None]
    if lost and not source.partial:
        raise ConfigError(
            f"source {source.name}: {len(lost)} pictures are missing, first {lost[0]}"
        )
    kept = [(sample, name) for sample, name in found if name is not None]
    return [s for s, _ in kept], {s.image: images.read(name) for s, name in kept}


def decoded(
    source: DataSource,
    samples: Sequence[Sample],
    content: dict[str, bytes],
    side: int,
    cache: Path,
    progress: Progress = silent,
) -> UInt8[np.ndarray, "n side side 3"]:
    """All pictures of a source as squares in memory, kept in one file between runs."""
    from terraseek_train.sources.images import decode

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
    array: UInt8[np.ndarray, "n side side 3"] = np.load(stored)
    return array


def build_corpus(config: TrainConfig, progress: Progress = silent) -> Corpus:
    """Read every source of the config, decode what is not cached, and embed all sentences once."""
    cache = Path(config.cache)
    table, names = TextTable([], []), {concept: i for i, concept in enumerate(CONCEPTS)}
    templates = {
        i: np.array([table.add(text, i) for text in concept_texts(concept)], np.int32)
        for concept, i in names.items()
    }
    images, source_of, row_of, key_of, concept_col, label_col, captions = [], [], [], [], [], [], []
    classes: dict[tuple[int, str], int] = {}
    for number, source in enumerate(config.data):
        samples, content = read_source(source)
        images.append(decoded(source, samples, content, config.stored_size, cache, progress))
        for row, sample in enumerate(samples):
            concept = names.get(concept_of(sample.label) or "", -1)
            label = -1
            if sample.label is not None:
                label = classes.setdefault((number, sample.label), len(classes))
            texts = np.array([table.add(text.lower()) for text in sample.captions], np.int32)
            if not len(texts) and concept < 0:
                raise ConfigError(f"source {source.name}: no words for the label {sample.label!r}")
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
    """Pictures with the same name and captions show the same place (RSICD and its wide views)."""
    text = "\n".join((Path(sample.image).stem, *sample.captions))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")


def epoch_order(corpus: Corpus, seed: int, epoch: int) -> Int64[np.ndarray, " k"]:
    """Rows of one epoch in random order, each source giving its weight's share of its pictures."""
    rng = np.random.default_rng((seed, 1, epoch))
    parts = []
    for number, weight in enumerate(corpus.weights):
        rows = np.flatnonzero(corpus.source == number)
        whole, count = int(weight), round((weight % 1) * len(rows))
        parts += [rows] * whole + [rng.permutation(rows)[:count]]
    return rng.permutation(np.concatenate(parts))


def make_batch(
    corpus: Corpus,
    rows: Int64[np.ndarray, " all"],
    config: TrainConfig,
    step: int,
    rank: int = 0,
    size: int = 1,
) -> Batch:
    """Pictures of `rows`, augmented, each with one of its sentences.

    Args:
        corpus: where they come from.
        rows: of the whole batch.
        config: augmentation and seed.
        step: its random choices follow from seed and step.
        rank: of `size` processes that share the batch; only this one's pictures are made.
        size: number of processes.
    """
    said = np.random.default_rng((config.seed, 2, step))
    coarse = _coarse(corpus, rows, config, said)
    texts = np.array(
        [
            _pick(corpus, int(r), 1.0 if c else config.template_share, said)
            for r, c in zip(rows, coarse, strict=True)
        ]
    )
    key, concept, meant = corpus.key[rows], corpus.concept[rows], corpus.text_concept[texts]
    same = (key[:, None] == key[None, :]) | (texts[:, None] == texts[None, :])
    true_too = (concept[:, None] == meant[None, :]) & (meant >= 0)[None, :]

    share = len(rows) // size
    own = slice(rank * share, (rank + 1) * share)
    seen = np.random.default_rng((config.seed, 3, step, rank))
    side = [side for start, side in config.sizes if step >= start * config.steps][-1]
    pixels = np.stack(
        [
            _mosaic(corpus, int(row), side, seen)
            if joined
            else _view(corpus, config, int(row), side, seen)
            for row, joined in zip(rows[own], coarse[own], strict=True)
        ]
    )
    mixed = None
    if config.mix:
        mixed = draw_mixed(len(rows), size, config.mix, said)
        pixels = mix_pixels(pixels, mixed.partner[own] - own.start, mixed.own[own], seen)
    loose = np.empty(0, np.int32)
    if config.text_only and len(corpus.loose) and corpus.teacher is not None:
        loose = seen.choice(corpus.loose, config.text_only // size)
    mine = np.concatenate([texts[own], loose])
    return Batch(
        pixels=pixels,
        tokens=corpus.tokens[mine],
        same=same,
        neutral=true_too & ~same,
        label=corpus.label[rows[own]],
        source=corpus.source[rows[own]],
        teacher=None if corpus.teacher is None else corpus.teacher[mine],
        teacher_all=None if corpus.teacher is None else corpus.teacher[texts],
        mixed=mixed,
    )


def draw_mixed(count: int, size: int, chance: float, rng: np.random.Generator) -> Mixed:
    """Partners inside each process's share of the batch, and own shares, even from ½ to 1.

    mixup: Zhang et al. 2018; CutMix: Yun et al. 2019. A picture keeps the larger part.
    """
    share = count // size
    partner = np.concatenate([k * share + rng.permutation(share) for k in range(size)])
    drawn = rng.uniform(0.5, 1.0, count)
    own = np.where(rng.random(count) < chance, drawn, 1.0)
    return Mixed(partner.astype(np.int64), own.astype(np.float32))


def mix_pixels(
    pixels: UInt8[np.ndarray, "b side side 3"],
    partner: Int64[np.ndarray, " b"],
    own: Float32[np.ndarray, " b"],
    rng: np.random.Generator,
) -> UInt8[np.ndarray, "b side side 3"]:
    """Half of the mixed pictures are blended, half get a box of their partner; equal shares."""
    out = pixels.copy()
    side = pixels.shape[1]
    for row in np.flatnonzero(own < 1):
        other = pixels[partner[row]]
        if rng.random() < 0.5:
            out[row] = cv2.addWeighted(pixels[row], float(own[row]), other, 1 - float(own[row]), 0)
            continue
        edge = round(side * float(np.sqrt(1 - own[row])))
        top, left = rng.integers(0, side - edge + 1, 2)
        box = np.s_[top : top + edge, left : left + edge]
        out[row][box] = other[box]
    return out


def _coarse(
    corpus: Corpus, rows: Int64[np.ndarray, " all"], config: TrainConfig, rng: np.random.Generator
) -> Bool[np.ndarray, " all"]:
    """Which of the rows become mosaics: some of those whose concept has sentences."""
    share = np.array([source.mosaic for source in config.data])[corpus.source[rows]]
    return np.asarray((corpus.concept[rows] >= 0) & (rng.random(len(rows)) < share), np.bool_)


def _mosaic(
    corpus: Corpus, row: int, side: int, rng: np.random.Generator
) -> UInt8[np.ndarray, "side side 3"]:
    alike = (corpus.concept == corpus.concept[row]) & (corpus.source == corpus.source[row])
    others = rng.choice(np.flatnonzero(alike), 3)
    squares = [corpus.images[corpus.source[r]][corpus.row[r]] for r in (row, *others)]
    return coarse_mosaic(squares, side, rng)


def _view(
    corpus: Corpus, config: TrainConfig, row: int, side: int, rng: np.random.Generator
) -> UInt8[np.ndarray, "side side 3"]:
    source = int(corpus.source[row])
    return augment(corpus.images[source][corpus.row[row]], side, rng, config.data[source].area)


def _pick(corpus: Corpus, row: int, template_share: float, rng: np.random.Generator) -> int:
    own, templates = corpus.captions[row], corpus.templates.get(int(corpus.concept[row]))
    if templates is not None and (not len(own) or rng.random() < template_share):
        return int(rng.choice(templates))
    return int(rng.choice(own))
