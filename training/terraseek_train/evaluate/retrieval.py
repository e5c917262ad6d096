"""Image-text retrieval as the remote-sensing papers measure it (Yuan et al. 2022, section IV)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int, Int64

from terraseek_train.evaluate.bootstrap import Tally

__all__ = ["KS", "RetrievalScore", "Retrieved", "ranks", "recalls", "retrieval_score", "retrieve"]

KS = (1, 5, 10)
_NUMBERS = ("i2t_r1", "i2t_r5", "i2t_r10", "t2i_r1", "t2i_r5", "t2i_r10", "mR")


@dataclass(frozen=True)
class RetrievalScore:
    """Recalls in percent, rounded to two decimals; mR is the mean of the unrounded six."""

    i2t_r1: float
    i2t_r5: float
    i2t_r10: float
    t2i_r1: float
    t2i_r5: float
    t2i_r10: float
    mR: float
    n_images: int
    n_captions: int


@dataclass(frozen=True)
class Retrieved:
    """Where every query found its answer."""

    image_rank: Int64[np.ndarray, " n"]
    """Place (0 is best) of an image's first own caption among all captions; -1 if it has none."""
    caption_rank: Int64[np.ndarray, " m"]
    """Place of a caption's image among all images."""
    image_of: Int64[np.ndarray, " m"]
    """Image row of every caption."""

    def tally(self) -> Tally:
        """The six recalls and mR in percent; an image is drawn together with its captions."""
        asked = self.image_rank >= 0
        cuts = np.array(KS)
        there = 100.0 * (self.image_rank[:, None] < cuts)
        back = np.zeros((len(asked), len(KS)))
        np.add.at(back, self.image_of, 100.0 * (self.caption_rank[:, None] < cuts))
        own = np.bincount(self.image_of, minlength=len(asked)).astype(np.float64)
        bottom = np.repeat(np.stack([np.ones(len(asked)), own], axis=1), len(KS), axis=1)
        mean = np.full((6, 1), 1 / 6)
        top: Float64[np.ndarray, "units parts"] = np.concatenate([there, back], axis=1)
        return Tally(_NUMBERS, top[asked], bottom[asked], np.concatenate([np.eye(6), mean], axis=1))

    def score(self) -> RetrievalScore:
        """The numbers as they are published."""
        a1, a5, a10, b1, b5, b10, mean = (round(float(x), 2) for x in self.tally().numbers())
        return RetrievalScore(
            a1, a5, a10, b1, b5, b10, mean, len(self.image_rank), len(self.caption_rank)
        )


def ranks(
    scores: Float[np.ndarray, "queries answers"], truth: Sequence[Int[np.ndarray, " _"]]
) -> Int64[np.ndarray, " queries"]:
    """Place of the best true answer of every query, from 0.

    The k best are taken as `argsort` takes them: by score, equal scores in their given order
    (methods.md F: published evaluations use `topk` or `argsort`, which leave ties to the order).
    So a model that gives every answer the same score has the recall of chance, no more.

    Args:
        scores: higher is better.
        truth: indices of the true answers of every query; -1 is returned where there is none.
    """
    found = np.full(len(truth), -1, np.int64)
    for query, (row, right) in enumerate(zip(scores, truth, strict=True)):
        if len(right):
            best = row[right].max()
            first = right[row[right] == best].min()
            found[query] = int((row > best).sum()) + int((row[:first] == best).sum())
    return found


def recalls(
    scores: Float[np.ndarray, "queries answers"],
    truth: Sequence[Int[np.ndarray, " _"]],
    ks: Sequence[int] = KS,
) -> list[float]:
    """Share of queries (0-100) with a true answer among the best k; ties as in `ranks`.

    Args:
        scores: higher is better.
        truth: indices of the true answers of every query, at least one each.
        ks: cut-offs.
    """
    place = ranks(scores, truth)
    return [float(100 * np.mean(place < k)) for k in ks]


def retrieve(
    images: Float[np.ndarray, "n dim"],
    texts: Float[np.ndarray, "m dim"],
    image_of: Int[np.ndarray, " m"],
) -> Retrieved:
    """Ask every caption for its image and every image for its captions.

    Only captions attached to an image count as true for it, even where another image has the
    same sentence (methods.md F). An image without captions is an answer but asks nothing.

    Args:
        images: unit rows.
        texts: unit rows.
        image_of: image row of every caption.
    """
    scores = np.asarray(images, np.float32) @ np.asarray(texts, np.float32).T
    own = [np.flatnonzero(image_of == row) for row in range(len(images))]
    back = ranks(scores.T, [np.array([row]) for row in image_of])
    return Retrieved(ranks(scores, own), back, np.asarray(image_of, np.int64))


def retrieval_score(
    images: Float[np.ndarray, "n dim"],
    texts: Float[np.ndarray, "m dim"],
    image_of: Int[np.ndarray, " m"],
) -> RetrievalScore:
    """All recalls of unit vectors of images and of their captions; arguments as in `retrieve`."""
    return retrieve(images, texts, image_of).score()
