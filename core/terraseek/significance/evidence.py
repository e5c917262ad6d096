"""Evidence that images are what a query describes: three numbers, and the same for every hit.

None of them depends on the scale of an encoder's cosines, and none on the number of images that
were searched beyond the choice of the best ones:

* **fit**: is the query among the sentences that describe the best images? The query's score for an
  image in standard deviations above the scores of reference captions for the same image.
* **agreement**: do the best images show the same thing? Their mean cosine with each other, in
  standard deviations above that of random pairs of the catalogue or scene.
* **wording**: is the sentence like a caption of an overhead image? See `ReferenceTexts.wording`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from terraseek.significance.reference import ReferenceTexts

__all__ = ["N_BEST", "N_PAIRED", "Evidence", "PairCosines", "QueryVectors", "evidence"]

N_BEST = 8
"""Best images from which a query's evidence is taken."""
N_PAIRED = 400
"""Images of which all pairs are compared."""
_MIN_STD = 1e-3


@dataclass(frozen=True, eq=False)
class QueryVectors:
    """A query as vectors: its sentences, and everything else that was added or subtracted."""

    text: Float32[np.ndarray, " dim"]
    """Mean vector of the wanted sentences, not scaled to length 1."""
    weight: float = 1.0
    """Weight of `text`."""
    rest: Float32[np.ndarray, " dim"] | None = None
    """Sum of the other parts with their weights, such as images or minus a sentence."""

    def combined(self, texts: Float32[np.ndarray, "n dim"]) -> Float32[np.ndarray, "n dim"]:
        """The query with other sentences in the place of its own."""
        rows = texts * np.float32(self.weight)
        return rows if self.rest is None else rows + self.rest


@dataclass(frozen=True, slots=True)
class PairCosines:
    """Mean and standard deviation of the cosines of pairs of images of a catalogue or scene."""

    mean: float
    std: float

    @classmethod
    def of(cls, images: Float32[np.ndarray, "n dim"]) -> "PairCosines":
        """Measure them on evenly spaced images; of fewer than three images (0, 1)."""
        if len(images) < 3:
            return cls(0.0, 1.0)
        rows = np.linspace(0, len(images) - 1, min(len(images), N_PAIRED)).astype(np.int64)
        sample = np.asarray(images[rows], np.float32)
        cosines = (sample @ sample.T)[np.triu_indices(len(sample), 1)]
        return cls(float(cosines.mean()), max(float(cosines.std()), _MIN_STD))


@dataclass(frozen=True, eq=False)
class Evidence:
    """Evidence of a query, and of every hit; see the module docstring."""

    fit: float
    agreement: float
    wording: float
    hit_fit: Float64[np.ndarray, " k"]
    """`fit` of every hit."""
    hit_agreement: Float64[np.ndarray, " k"]
    """Mean cosine of every hit with the best images, on the scale of `agreement`."""
    fit_per_score: float = 0.0
    """By how much `fit` grows per unit of the query's score."""


def evidence(
    query: QueryVectors,
    hits: Float32[np.ndarray, "k dim"],
    references: ReferenceTexts,
    pairs: PairCosines,
) -> Evidence:
    """Compute the evidence of a query.

    Args:
        query: the query.
        hits: unit vectors of the best images or windows, best first, at least one.
        references: of the same encoder.
        pairs: of the catalogue or scene.
    """
    scores = hits @ query.combined(query.text[None])[0]
    reference_scores = hits @ query.combined(references.overhead).T
    spread = np.maximum(reference_scores.std(axis=1), _MIN_STD)
    fit = np.asarray((scores - reference_scores.mean(axis=1)) / spread, np.float64)
    cosines = np.asarray(hits @ hits[:N_BEST].T, np.float64)
    n_best = cosines.shape[1]
    own = np.zeros_like(cosines, dtype=bool)
    np.fill_diagonal(own, True)
    cosines[own] = np.nan
    with_best = (
        np.nanmean(cosines, axis=1) if n_best > 1 else np.full(len(hits), pairs.mean, np.float64)
    )
    agreement = (with_best - pairs.mean) / pairs.std
    if n_best == 1:
        agreement[:] = 0.0
    return Evidence(
        fit=float(fit[:N_BEST].mean()),
        agreement=float(agreement[:N_BEST].mean()),
        wording=references.wording(query.text),
        hit_fit=fit,
        hit_agreement=agreement,
        fit_per_score=float((1 / spread[:N_BEST]).mean()),
    )
