"""What one step sees: images augmented, sentences chosen, which pairs are true.

Every random choice of a batch comes from a generator seeded with (seed, step), so that a resumed
run sees exactly what an uninterrupted one would have seen.
"""

from concurrent.futures import Executor
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float16, Float32, Int16, Int32, Int64, UInt8

from terraseek_train.config import TrainConfig
from terraseek_train.data.augment import DRAWS, Chance, Drawn, augment, coarse_mosaic
from terraseek_train.data.corpus import Corpus

__all__ = ["Batch", "Mixed", "drop_words", "make_batch", "mix_pixels"]

_START = 49_406
"""CLIP's token that begins a sentence; the next one ends it, all others are pieces of words."""
_PART = 8
"""Views a thread makes at a time."""


@dataclass(frozen=True)
class Mixed:
    """Which other images of the batch the images hold parts of; own share 1 where none."""

    partner: Int64[np.ndarray, " all"]
    """Row of the other image, in the share of the same process."""
    own: Float32[np.ndarray, " all"]
    """Share of an image that is its own, above 0 to 1."""


@dataclass(frozen=True)
class Batch:
    """What one step sees."""

    pixels: UInt8[np.ndarray, "b side side 3"]
    """Images of this process: b of all the batch's."""
    tokens: Int32[np.ndarray, "t context"]
    """The b sentences of these images, then those without an image."""
    same: Bool[np.ndarray, "all all"]
    """Sentence column is true of image row, over the batches of all processes."""
    neutral: Bool[np.ndarray, "all all"]
    """Pairs that are neither right nor wrong."""
    label: Int16[np.ndarray, " b"]
    source: Int16[np.ndarray, " b"]
    teacher: Float16[np.ndarray, "t 384"] | None
    teacher_all: Float16[np.ndarray, "all 384"] | None
    mixed: Mixed | None = None


def make_batch(
    corpus: Corpus,
    rows: Int64[np.ndarray, " all"],
    config: TrainConfig,
    step: int,
    rank: int = 0,
    size: int = 1,
    pool: Executor | None = None,
) -> Batch:
    """Images of `rows`, augmented, each with one of its sentences.

    Args:
        corpus: where they come from.
        rows: of the whole batch.
        config: augmentation and seed.
        step: number of the batch; its random choices follow from seed and step.
        rank: of `size` processes that share the batch; only this one's images are made.
        size: number of processes.
        pool: whose threads decode and augment; the batch is the same without one.
    """
    said = np.random.default_rng((config.seed, 2, step))
    coarse = _coarse(corpus, rows, config, said)
    texts = np.array(
        [
            _pick(corpus, int(row), 1.0 if joined else config.template_share, *chances)
            for row, joined, chances in zip(
                rows, coarse, said.random((len(rows), 2)).tolist(), strict=True
            )
        ]
    )
    key, concept, meant = corpus.key[rows], corpus.concept[rows], corpus.text_concept[texts]
    same = (key[:, None] == key[None, :]) | (texts[:, None] == texts[None, :])
    true_too = (concept[:, None] == meant[None, :]) & (meant >= 0)[None, :]

    share = len(rows) // size
    own = slice(rank * share, (rank + 1) * share)
    seen = np.random.default_rng((config.seed, 3, step, rank))
    done = step // config.accumulate
    side = [side for start, side in config.sizes if done >= start * config.steps][-1]
    pixels = _views(corpus, config, rows[own], coarse[own], side, seen, pool)
    mixed = None
    if config.mix:
        mixed = draw_mixed(len(rows), size, config.mix, said)
        pixels = mix_pixels(pixels, mixed.partner[own] - own.start, mixed.own[own], seen)
    loose = np.empty(0, np.int32)
    if config.text_only and len(corpus.loose) and corpus.teacher is not None:
        loose = seen.choice(corpus.loose, config.text_only // size)
    mine = np.concatenate([texts[own], loose])
    tokens = corpus.tokens[mine]
    if config.word_drop:
        tokens[:share] = drop_words(tokens[:share], config.word_drop, seen)
    return Batch(
        pixels=pixels,
        tokens=tokens,
        same=same,
        neutral=true_too & ~same,
        label=corpus.label[rows[own]],
        source=corpus.source[rows[own]],
        teacher=None if corpus.teacher is None else corpus.teacher[mine],
        teacher_all=None if corpus.teacher is None else corpus.teacher[texts],
        mixed=mixed,
    )


def drop_words(
    tokens: Int32[np.ndarray, "t context"], share: float, rng: np.random.Generator
) -> Int32[np.ndarray, "t context"]:
    """Sentences without some of their word pieces; start and end stay, the rest moves up.

    Args:
        tokens: CLIP byte-pair tokens, zero-padded.
        share: how often a piece is left out.
        rng: which ones.
    """
    piece = (tokens > 0) & (tokens < _START)
    gone = piece & (rng.random(tokens.shape) < share)
    order = np.argsort(gone | (tokens == 0), axis=1, kind="stable")
    kept: Int32[np.ndarray, "t context"] = np.take_along_axis(
        np.where(gone, 0, tokens), order, axis=1
    )
    return kept


def draw_mixed(count: int, size: int, chance: float, rng: np.random.Generator) -> Mixed:
    """Partners inside each process's share of the batch, and own shares, even from ½ to 1.

    mixup: Zhang et al. 2018; CutMix: Yun et al. 2019. An image keeps the larger part.
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
    """Half of the mixed images are blended, half get a box of their partner; equal shares."""
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


def _views(
    corpus: Corpus,
    config: TrainConfig,
    rows: Int64[np.ndarray, " b"],
    coarse: Bool[np.ndarray, " b"],
    side: int,
    rng: np.random.Generator,
    pool: Executor | None,
) -> UInt8[np.ndarray, "b side side 3"]:
    """All views of a batch; their random numbers are drawn first, so threads share the work."""
    numbers = rng.random((len(rows), DRAWS))
    pixels = np.empty((len(rows), side, side, 3), np.uint8)

    def make(part: range) -> None:
        for place in part:
            chance, row = Drawn(numbers[place].tolist()), int(rows[place])
            if coarse[place]:
                pixels[place] = _mosaic(corpus, row, side, chance)
            else:
                source = config.data[corpus.source[row]]
                image = _image(corpus, row)
                pixels[place] = augment(image, side, chance, source.area, source.air)

    parts = [range(start, min(start + _PART, len(rows))) for start in range(0, len(rows), _PART)]
    for _ in map(make, parts) if pool is None else pool.map(make, parts):
        pass
    return pixels


def _image(corpus: Corpus, row: int) -> UInt8[np.ndarray, "side side 3"]:
    image: UInt8[np.ndarray, "side side 3"] = corpus.images[corpus.source[row]][
        int(corpus.row[row])
    ]
    return image


def _mosaic(
    corpus: Corpus, row: int, side: int, chance: Chance
) -> UInt8[np.ndarray, "side side 3"]:
    """The image beside three others of its source and concept."""
    alike = np.flatnonzero(
        (corpus.concept == corpus.concept[row]) & (corpus.source == corpus.source[row])
    )
    others = [int(alike[int(chance.random() * len(alike))]) for _ in range(3)]
    return coarse_mosaic([_image(corpus, r) for r in (row, *others)], side, chance)


def _pick(corpus: Corpus, row: int, template_share: float, templated: float, chosen: float) -> int:
    """One of the image's sentences, or of its concept's; the last two are random numbers."""
    own, templates = corpus.captions[row], corpus.templates.get(int(corpus.concept[row]))
    if templates is not None and (not len(own) or templated < template_share):
        own = templates
    return int(own[int(chosen * len(own))])
