"""One training batch: augmented images, chosen sentences, and which pairs are positive.

Every random choice of a batch comes from a generator seeded with (seed, batch number), so a
resumed run sees exactly the batches of an uninterrupted one.
"""

from concurrent.futures import Executor
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float16, Float32, Int16, Int32, Int64, UInt8

from terraseek_train.config import TrainConfig
from terraseek_train.data.augment import (
    NUMBERS_PER_VIEW,
    PredrawnRandom,
    RandomSource,
    augment,
    coarse_mosaic,
)
from terraseek_train.data.corpus import Corpus

__all__ = ["Batch", "Mixup", "draw_mixup", "drop_words", "make_batch", "mix_pixels"]

_START = 49_406
"""CLIP's start token; the next one is the end token, and all smaller ones are pieces of words."""
_VIEW_SEED = 30_000
"""Of the views that come back, which are the same in runs of every seed."""
_VIEWS_PER_TASK = 8
"""Views that a thread makes at a time."""


@dataclass(frozen=True)
class Mixup:
    """How the images of a batch are mixed; arrays cover the rows of all processes."""

    partner: Int64[np.ndarray, " all"]
    """Row of the other image, which is of the same process."""
    lam: Float32[np.ndarray, " all"]
    """Weight of the image itself, above 0 to 1; 1 where it is not mixed."""


@dataclass(frozen=True)
class Batch:
    """The rows of one process (b images, t sentences), and pairs over all processes (`all`)."""

    pixels: UInt8[np.ndarray, "b side side 3"]
    tokens: Int32[np.ndarray, "t context"]
    """The b sentences of the images, then sentences without an image."""
    positive: Bool[np.ndarray, "all all"]
    """Sentence column is true of image row."""
    neutral: Bool[np.ndarray, "all all"]
    """Pairs that are neither positive nor negative."""
    label: Int16[np.ndarray, " b"]
    """Scene class; -1 for none."""
    source: Int16[np.ndarray, " b"]
    """Data source."""
    sentence_vectors: Float16[np.ndarray, "t 384"] | None
    """Vectors of `tokens` by the sentence encoder."""
    all_sentence_vectors: Float16[np.ndarray, "all 384"] | None
    """Vectors of the sentences of all images, over all processes."""
    text_rows: Int32[np.ndarray, " b"]
    """Rows of the images' sentences in the corpus."""
    all_place: Int64[np.ndarray, " all"]
    """Equal for images of one place, over all processes."""
    all_label: Int16[np.ndarray, " all"]
    """Scene class of all images, over all processes; -1 for none."""
    number: int
    """Position of the batch in the run, from 0."""
    mixup: Mixup | None = None


def make_batch(
    corpus: Corpus,
    rows: Int64[np.ndarray, " all"],
    config: TrainConfig,
    number: int,
    rank: int = 0,
    world_size: int = 1,
    pool: Executor | None = None,
) -> Batch:
    """Augment the images of `rows` and choose one sentence for each.

    Args:
        corpus: images and sentences.
        rows: images of the whole batch.
        config: augmentation and seed.
        number: of the batch; its random choices follow from seed and number.
        rank: of the process whose images are made.
        world_size: number of processes that share the batch.
        pool: its threads decode and augment; the batch is the same without one.
    """
    text_rng = np.random.default_rng((config.seed, 2, number))
    is_mosaic = _choose_mosaics(corpus, rows, config, text_rng)
    texts = np.array(
        [
            _choose_text(corpus, int(row), 1.0 if mosaic else config.template_share, *numbers)
            for row, mosaic, numbers in zip(
                rows, is_mosaic, text_rng.random((len(rows), 2)).tolist(), strict=True
            )
        ]
    )
    place, concept, text_concept = (
        corpus.place[rows],
        corpus.concept[rows],
        corpus.text_concept[texts],
    )
    positive = (place[:, None] == place[None, :]) | (texts[:, None] == texts[None, :])
    same_concept = (concept[:, None] == text_concept[None, :]) & (text_concept >= 0)[None, :]

    count = len(rows) // world_size
    local = slice(rank * count, (rank + 1) * count)
    view_rng = np.random.default_rng((config.seed, 3, number, rank))
    step = number // config.accumulate
    side = [side for start, side in config.sizes if step >= start * config.steps][-1]
    pixels = _views(corpus, config, rows[local], is_mosaic[local], side, view_rng, pool)
    mixup = None
    if config.mix:
        mixup = draw_mixup(len(rows), world_size, config.mix, text_rng)
        partner = mixup.partner[local] - local.start
        pixels = mix_pixels(pixels, partner, mixup.lam[local], view_rng)
    unpaired = np.empty(0, np.int32)
    if config.text_only and len(corpus.unpaired_texts) and corpus.sentence_vectors is not None:
        unpaired = view_rng.choice(corpus.unpaired_texts, config.text_only // world_size)
    local_texts = np.concatenate([texts[local], unpaired])
    tokens = corpus.tokens[local_texts]
    if config.word_drop:
        tokens[:count] = drop_words(tokens[:count], config.word_drop, view_rng)
    vectors = corpus.sentence_vectors
    return Batch(
        pixels=pixels,
        tokens=tokens,
        positive=positive,
        neutral=same_concept & ~positive,
        label=corpus.label[rows[local]],
        source=corpus.source[rows[local]],
        sentence_vectors=None if vectors is None else vectors[local_texts],
        all_sentence_vectors=None if vectors is None else vectors[texts],
        text_rows=texts[local].astype(np.int32),
        all_place=place,
        all_label=corpus.label[rows],
        number=number,
        mixup=mixup,
    )


def drop_words(
    tokens: Int32[np.ndarray, "t context"], probability: float, rng: np.random.Generator
) -> Int32[np.ndarray, "t context"]:
    """Drop random word pieces of sentences; start and end tokens stay, the rest moves up.

    Args:
        tokens: CLIP byte-pair tokens, zero-padded.
        probability: that a piece is dropped.
        rng: decides which.
    """
    is_piece = (tokens > 0) & (tokens < _START)
    dropped = is_piece & (rng.random(tokens.shape) < probability)
    order = np.argsort(dropped | (tokens == 0), axis=1, kind="stable")
    kept: Int32[np.ndarray, "t context"] = np.take_along_axis(
        np.where(dropped, 0, tokens), order, axis=1
    )
    return kept


def draw_mixup(count: int, world_size: int, probability: float, rng: np.random.Generator) -> Mixup:
    """Draw partners inside the rows of each process, and weights uniform in ½ to 1.

    mixup: Zhang et al. 2018; CutMix: Yun et al. 2019. An image keeps the larger part.
    """
    rows = count // world_size
    partner = np.concatenate([k * rows + rng.permutation(rows) for k in range(world_size)])
    drawn = rng.uniform(0.5, 1.0, count)
    lam = np.where(rng.random(count) < probability, drawn, 1.0)
    return Mixup(partner.astype(np.int64), lam.astype(np.float32))


def mix_pixels(
    pixels: UInt8[np.ndarray, "b side side 3"],
    partner: Int64[np.ndarray, " b"],
    lam: Float32[np.ndarray, " b"],
    rng: np.random.Generator,
) -> UInt8[np.ndarray, "b side side 3"]:
    """Mix images with their partners: half are blended (mixup), half get a box of it (CutMix).

    A box covers 1 - lam of the area.
    """
    out = pixels.copy()
    side = pixels.shape[1]
    for row in np.flatnonzero(lam < 1):
        other = pixels[partner[row]]
        if rng.random() < 0.5:
            out[row] = cv2.addWeighted(pixels[row], float(lam[row]), other, 1 - float(lam[row]), 0)
            continue
        edge = round(side * float(np.sqrt(1 - lam[row])))
        top, left = rng.integers(0, side - edge + 1, 2)
        box = np.s_[top : top + edge, left : left + edge]
        out[row][box] = other[box]
    return out


def _choose_mosaics(
    corpus: Corpus, rows: Int64[np.ndarray, " all"], config: TrainConfig, rng: np.random.Generator
) -> Bool[np.ndarray, " all"]:
    """Choose which rows become mosaics, among those whose concept has sentences."""
    probability = np.array([source.mosaic for source in config.data])[corpus.source[rows]]
    return np.asarray((corpus.concept[rows] >= 0) & (rng.random(len(rows)) < probability), np.bool_)


def _views(
    corpus: Corpus,
    config: TrainConfig,
    rows: Int64[np.ndarray, " b"],
    is_mosaic: Bool[np.ndarray, " b"],
    side: int,
    rng: np.random.Generator,
    pool: Executor | None,
) -> UInt8[np.ndarray, "b side side 3"]:
    """Make all views of a batch; random numbers are drawn first, so threads can share the work."""
    numbers = rng.random((len(rows), NUMBERS_PER_VIEW))
    if config.views:
        chosen = rng.integers(config.views, size=len(rows))
        pairs = zip(rows, chosen, strict=True)
        each = [np.random.default_rng((_VIEW_SEED, int(row), int(k))) for row, k in pairs]
        numbers = np.stack([one.random(NUMBERS_PER_VIEW) for one in each])
    pixels = np.empty((len(rows), side, side, 3), np.uint8)

    def make(positions: range) -> None:
        for position in positions:
            random, row = PredrawnRandom(numbers[position].tolist()), int(rows[position])
            if is_mosaic[position]:
                pixels[position] = _mosaic(corpus, row, side, random)
            else:
                source = config.data[corpus.source[row]]
                image = _image(corpus, row)
                pixels[position] = augment(image, side, random, source.area, source.air)

    starts = range(0, len(rows), _VIEWS_PER_TASK)
    tasks = [range(start, min(start + _VIEWS_PER_TASK, len(rows))) for start in starts]
    for _ in map(make, tasks) if pool is None else pool.map(make, tasks):
        pass
    return pixels


def _image(corpus: Corpus, row: int) -> UInt8[np.ndarray, "side side 3"]:
    image: UInt8[np.ndarray, "side side 3"] = corpus.images[corpus.source[row]][
        int(corpus.row[row])
    ]
    return image


def _mosaic(
    corpus: Corpus, row: int, side: int, random: RandomSource
) -> UInt8[np.ndarray, "side side 3"]:
    """Make a mosaic of the image and three others of its source and concept."""
    candidates = np.flatnonzero(
        (corpus.concept == corpus.concept[row]) & (corpus.source == corpus.source[row])
    )
    others = [int(candidates[int(random.random() * len(candidates))]) for _ in range(3)]
    return coarse_mosaic([_image(corpus, r) for r in (row, *others)], side, random)


def _choose_text(
    corpus: Corpus, row: int, template_share: float, use_template: float, choice: float
) -> int:
    """Choose a caption of the image or a template sentence of its concept.

    Args:
        corpus: images and sentences.
        row: the image.
        template_share: probability of a template where there are both.
        use_template: random number that decides between the two.
        choice: random number that picks the sentence.
    """
    texts, templates = corpus.captions[row], corpus.templates.get(int(corpus.concept[row]))
    if templates is not None and (not len(texts) or use_template < template_share):
        texts = templates
    return int(texts[int(choice * len(texts))])
