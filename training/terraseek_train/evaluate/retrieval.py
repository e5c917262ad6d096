"""Image-text retrieval as the remote-sensing papers measure it (Yuan et al. 2022, section IV)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float64, Int, Int64

from terraseek_train.evaluate.bootstrap import UnitSums

__all__ = [
    "KS",
    "RetrievalScore",
    "Retrieved",
    "ranks",
    "recalls",
    "retrieval_score",
    "retrieve",
    "retrieve_by_scores",
    "sorted_after_reversed_retrieval",
]

KS = (1, 5, 10)
"""Ranks up to which a true answer counts."""
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
    """The rank at which each query finds its first true answer; 0 is best."""

    image_rank: Int64[np.ndarray, " n"]
    """Rank of an image's first own caption among all captions; -1 if it has none."""
    caption_rank: Int64[np.ndarray, " m"]
    """Rank of a caption's image among all images."""
    image_of: Int64[np.ndarray, " m"]
    """Image row of every caption."""
    reranked: "Retrieved | None" = None
    """The same after `sorted_after_reversed_retrieval`, if that was asked for."""

    def unit_sums(self) -> UnitSums:
        """Give the six recalls and mR in percent; an image with its captions is one unit."""
        has_captions = self.image_rank >= 0
        cuts = np.array(KS)
        image_hits = 100.0 * (self.image_rank[:, None] < cuts)
        caption_hits = np.zeros((len(has_captions), len(KS)))
        np.add.at(caption_hits, self.image_of, 100.0 * (self.caption_rank[:, None] < cuts))
        n_captions = np.bincount(self.image_of, minlength=len(has_captions)).astype(np.float64)
        counts = np.stack([np.ones(len(has_captions)), n_captions], axis=1)
        hits: Float64[np.ndarray, "units ratios"] = np.concatenate(
            [image_hits, caption_hits], axis=1
        )
        return UnitSums(
            names=_NUMBERS,
            numerators=hits[has_captions],
            denominators=np.repeat(counts, len(KS), axis=1)[has_captions],
            combine=np.concatenate([np.eye(6), np.full((6, 1), 1 / 6)], axis=1),
        )

    def score(self) -> RetrievalScore:
        """Compute the recalls and mR."""
        numbers = self.unit_sums().numbers().tolist()
        rounded = {name: round(value, 2) for name, value in zip(_NUMBERS, numbers, strict=True)}
        return RetrievalScore(
            **rounded, n_images=len(self.image_rank), n_captions=len(self.caption_rank)
        )


def ranks(
    scores: Float[np.ndarray, "queries answers"], truth: Sequence[Int[np.ndarray, " _"]]
) -> Int64[np.ndarray, " queries"]:
    """Compute the rank of the best true answer of every query, from 0.

    Ranks are those of a stable `argsort`: by score, and equal scores in their given order
    (methods.md F: published evaluations use `topk` or `argsort`, which leave ties to the order).
    So a model that gives all answers the same score has only the recall of chance.

    Args:
        scores: higher is better.
        truth: indices of the true answers of every query.

    Returns:
        The ranks; -1 for a query without a true answer.
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
    """Compute the percentage of queries with a true answer among the first k; ties as in `ranks`.

    Args:
        scores: higher is better.
        truth: indices of the true answers of every query, at least one each.
        ks: cut-offs.
    """
    rank = ranks(scores, truth)
    return [float(100 * np.mean(rank < k)) for k in ks]


def sorted_after_reversed_retrieval(
    scores: Float[np.ndarray, "queries answers"], k: int
) -> Float64[np.ndarray, "queries answers"]:
    """Re-rank the first k answers of each query by retrieval in the other direction.

    Each of these answers searches the queries; the answers are then ordered by the rank at which
    they find their query, and where ranks are equal by their score (Sort After Reversed Retrieval
    of iEBAKER, arXiv 2504.05644; its details could not be read, so this is its literal sense). The
    other queries take part in the result, so figures are not comparable with those of single
    queries.

    Args:
        scores: higher is better.
        k: number of answers to re-rank; the others keep their order below them.

    Returns:
        Scores with the new order: whole numbers, higher is better.
    """
    n_queries, n_answers = scores.shape
    k = min(k, n_answers)
    order = np.argsort(-scores, axis=1, kind="stable")
    found_at = np.empty((n_queries, n_answers), np.int64)  # rank of a query for an answer
    by_answer = np.argsort(-scores, axis=0, kind="stable")
    np.put_along_axis(found_at, by_answer, np.arange(n_queries)[:, None], axis=0)
    first = order[:, :k]
    within = np.argsort(np.take_along_axis(found_at, first, axis=1), axis=1, kind="stable")
    order[:, :k] = np.take_along_axis(first, within, axis=1)
    ranked = np.empty((n_queries, n_answers), np.float64)
    places = np.broadcast_to(np.arange(n_answers, 0, -1, dtype=np.float64), ranked.shape)
    np.put_along_axis(ranked, order, places, axis=1)
    return ranked


def retrieve(
    images: Float[np.ndarray, "n dim"],
    texts: Float[np.ndarray, "m dim"],
    image_of: Int[np.ndarray, " m"],
    rerank: int = 0,
) -> Retrieved:
    """Search the images with every caption, and the captions with every image.

    Only the captions of an image are true answers for it, even where another image has the same
    sentence (methods.md F). An image without captions is a candidate but not a query.

    Args:
        images: unit rows.
        texts: unit rows.
        image_of: image row of every caption.
        rerank: number of answers to re-rank with the set of queries, see
            `sorted_after_reversed_retrieval`; 0 for none.
    """
    scores = np.asarray(images, np.float32) @ np.asarray(texts, np.float32).T
    plain = retrieve_by_scores(scores, image_of)
    if not rerank:
        return plain
    by_image = sorted_after_reversed_retrieval(scores, rerank)
    by_caption = sorted_after_reversed_retrieval(scores.T, rerank)
    return replace(plain, reranked=_retrieved(by_image, by_caption, image_of))


def retrieve_by_scores(
    scores: Float[np.ndarray, "n m"], image_of: Int[np.ndarray, " m"]
) -> Retrieved:
    """Rank by given scores of all images with all captions; otherwise as `retrieve`.

    Args:
        scores: higher is better.
        image_of: image row of every caption.
    """
    return _retrieved(scores, scores.T, image_of)


def _retrieved(
    by_image: Float[np.ndarray, "n m"],
    by_caption: Float[np.ndarray, "m n"],
    image_of: Int[np.ndarray, " m"],
) -> Retrieved:
    """Ranks in the scores of captions for images, and of images for captions."""
    captions_of = [np.flatnonzero(image_of == row) for row in range(len(by_image))]
    caption_rank = ranks(by_caption, [np.array([row]) for row in image_of])
    return Retrieved(ranks(by_image, captions_of), caption_rank, np.asarray(image_of, np.int64))


def retrieval_score(
    images: Float[np.ndarray, "n dim"],
    texts: Float[np.ndarray, "m dim"],
    image_of: Int[np.ndarray, " m"],
) -> RetrievalScore:
    """Compute all recalls from unit vectors; arguments as in `retrieve`."""
    return retrieve(images, texts, image_of).score()
