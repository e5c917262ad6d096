"""Image-text retrieval as the remote-sensing papers measure it (Yuan et al. 2022, section IV)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

__all__ = ["KS", "RetrievalScore", "recalls", "retrieval_score"]

KS = (1, 5, 10)


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


def recalls(
    scores: Float[np.ndarray, "queries answers"],
    truth: Sequence[Int[np.ndarray, " _"]],
    ks: Sequence[int] = KS,
) -> list[float]:
    """Share of queries (0-100) with a true answer among the best k.

    The k best are taken as `argsort` takes them: by score, equal scores in their given order
    (methods.md F: published evaluations use `topk` or `argsort`, which leave ties to the order).
    So a model that gives every answer the same score has the recall of chance, no more.

    Args:
        scores: higher is better.
        truth: indices of the true answers of every query, at least one each.
        ks: cut-offs.
    """
    hits = np.zeros(len(ks))
    for row, right in zip(scores, truth, strict=True):
        best = row[right].max()
        first = right[row[right] == best].min()
        rank = int((row > best).sum()) + int((row[:first] == best).sum())
        hits += [rank < k for k in ks]
    return [float(100 * hit / len(truth)) for hit in hits]


def retrieval_score(
    images: Float[np.ndarray, "n dim"],
    texts: Float[np.ndarray, "m dim"],
    image_of: Int[np.ndarray, " m"],
) -> RetrievalScore:
    """All recalls of unit vectors of pictures and of their captions.

    Only captions attached to a picture count as true for it, even where another picture has the
    same sentence (methods.md F).

    Args:
        images: unit rows.
        texts: unit rows.
        image_of: picture row of every caption.
    """
    scores = np.asarray(images, np.float32) @ np.asarray(texts, np.float32).T
    own = [np.flatnonzero(image_of == row) for row in range(len(images))]
    there = recalls(scores, own)
    back = recalls(scores.T, [np.array([row]) for row in image_of])
    a1, a5, a10, b1, b5, b10 = (round(value, 2) for value in (*there, *back))
    mean = round(float(np.mean([*there, *back])), 2)
    return RetrievalScore(a1, a5, a10, b1, b5, b10, mean, len(images), len(texts))
