"""Batches of a training step: views, sentences, and which pairs match.

Every random choice comes from a generator seeded with (seed, step), so that a resumed run gets
exactly the batches of an uninterrupted one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64, UInt8

from terraseek_train.data.augment import (
    NUMBERS_PER_VIEW,
    PredrawnRandom,
    augment,
    coarse_mosaic,
    crop,
)
from terraseek_train.small.corpus import Corpus
from terraseek_train.small.settings import Settings

__all__ = ["Batch", "PairLabels", "label_pairs", "make_batch", "make_texts", "row_order"]

_TEMPLATES = 3
"""Class sentences of an image without captions."""
_TEMPLATE_WEIGHT = 0.5
"""Target weight of a class sentence of a captioned image; captions have 1."""


@dataclass(frozen=True)
class Batch:
    """Images and sentences as rows of the corpus, and the views."""

    rows: Int64[np.ndarray, " b"]
    views: UInt8[np.ndarray, "b side side 3"]
    texts: Int32[np.ndarray, " t"]
    """Sentences of the batch's images, then those of other images."""
    n_own: int
    """Number of sentences of the batch's images."""


@dataclass(frozen=True)
class PairLabels:
    """Labels of pairs, images by sentences."""

    positive: Float32[np.ndarray, "images texts"]
    """Target weight of matching pairs; 0 for all others."""
    neutral: Bool[np.ndarray, "images texts"]
    """Pairs left out of the loss, because it is unknown whether they match."""


def row_order(corpus: Corpus, settings: Settings) -> Iterator[Int64[np.ndarray, " b"]]:
    """Yield the rows of successive batches; a source gives its weight's share of rows per epoch."""
    epoch, remaining = 0, np.empty(0, np.int64)
    weights = [source.weight for source in settings.data]
    while True:
        if len(remaining) < settings.batch:
            rng = np.random.default_rng((settings.seed, 1, epoch))
            parts = []
            for number, weight in enumerate(weights):
                rows = rng.permutation(np.flatnonzero(corpus.source == number))
                parts.append(rows[: max(1, round(weight * len(rows)))])
            remaining = np.concatenate([remaining, rng.permutation(np.concatenate(parts))])
            epoch += 1
        yield remaining[: settings.batch]
        remaining = remaining[settings.batch :]


def make_batch(
    corpus: Corpus, settings: Settings, rows: Int64[np.ndarray, " b"], step: int
) -> Batch:
    """Make the views and sentences of a step."""
    rng = np.random.default_rng((settings.seed, 2, step))
    texts, n_own = make_texts(corpus, settings, rows, rng)
    views = np.stack([_view(corpus, settings, int(row), rng) for row in rows])
    return Batch(rows, views, texts, n_own)


def make_texts(
    corpus: Corpus, settings: Settings, rows: Int64[np.ndarray, " b"], rng: np.random.Generator
) -> tuple[Int32[np.ndarray, " t"], int]:
    """Choose sentences of the rows, then those of other images.

    Returns:
        Rows of the sentences, without repeats, and the number of those of the rows' images.
    """
    own = [text for row in rows for text in _sentences(corpus, int(row), settings, rng)]
    own = list(dict.fromkeys(own))
    # other images are drawn by source weight, or the source with most captions would dominate
    chances = np.array([source.weight for source in settings.data])[corpus.source]
    other_rows = rng.choice(len(corpus.row), settings.others, p=chances / chances.sum())
    more = [_sentences(corpus, int(row), settings, rng, one=True)[0] for row in other_rows]
    already = set(own)
    others = [text for text in dict.fromkeys(more) if text not in already]
    return np.array(own + others, np.int32), len(own)


def label_pairs(
    corpus: Corpus, rows: Int64[np.ndarray, " p"], texts: Int32[np.ndarray, " t"]
) -> PairLabels:
    """Label all pairs of images and sentences."""
    column_of = {int(text): column for column, text in enumerate(texts)}
    concept, matching = corpus.concept[rows], corpus.text_concepts[texts]
    named = matching[:, concept].T & (concept >= 0)[:, None]
    captioned = np.array([len(corpus.captions[row]) > 0 for row in rows])
    positive = np.where(named, np.where(captioned, _TEMPLATE_WEIGHT, 1.0)[:, None], 0.0)
    positive = positive.astype(np.float32)
    positive[corpus.place[rows][:, None] == corpus.text_place[texts][None]] = 1.0
    for number, row in enumerate(rows):
        for text in corpus.captions[row].tolist():
            if text in column_of:
                positive[number, column_of[text]] = 1.0
    is_class_sentence = matching.any(axis=1)
    same = (concept[:, None] == corpus.text_concept[texts][None]) & (concept >= 0)[:, None]
    neutral = (same & ~captioned[:, None]) | ((concept < 0)[:, None] & is_class_sentence[None])
    return PairLabels(positive, neutral & (positive == 0))


def _sentences(
    corpus: Corpus, row: int, settings: Settings, rng: np.random.Generator, one: bool = False
) -> list[int]:
    """Choose sentences of an image: all captions, and sometimes a class sentence; or only one."""
    captions: list[int] = corpus.captions[row].tolist()
    concept = int(corpus.concept[row])
    named: list[int] = corpus.templates[concept].tolist() if concept >= 0 else []
    if one:
        from_class = named and (not captions or rng.random() < settings.template_share / 5)
        chosen = named if from_class else captions
        return [int(chosen[int(rng.integers(len(chosen)))])]
    if not captions:
        return [int(text) for text in rng.choice(named, min(_TEMPLATES, len(named)), replace=False)]
    if named and rng.random() < settings.template_share:
        captions = [*captions, named[int(rng.integers(len(named)))]]
    return captions


def _view(
    corpus: Corpus, settings: Settings, row: int, rng: np.random.Generator
) -> UInt8[np.ndarray, "side side 3"]:
    """Make a random view of an image, by the options of its source."""
    number = int(corpus.source[row])
    source, image = settings.data[number], corpus.images[number][int(corpus.row[row])]
    rng_view = PredrawnRandom(rng.random(NUMBERS_PER_VIEW).tolist())
    if source.mosaic and corpus.concept[row] >= 0 and rng.random() < source.mosaic:
        same_class = np.flatnonzero(
            (corpus.source == number) & (corpus.concept == corpus.concept[row])
        )
        others = corpus.row[rng.choice(same_class, 3)]
        parts = [image, *(corpus.images[number][int(other)] for other in others)]
        return coarse_mosaic(parts, settings.side, rng_view)
    if len(corpus.captions[row]) and rng.random() < settings.plain_share:
        return crop(np.asarray(image), settings.side, settings.plain_area, rng_view)
    return augment(np.asarray(image), settings.side, rng_view, source.area, source.air)
