"""Significance of hits: control of the false discovery rate among unrelated images."""

import numpy as np
from jaxtyping import Float32, Float64

from terraseek.encoders.calibration import Calibration

__all__ = ["FALSE_DISCOVERY_RATE", "fdr_threshold"]

FALSE_DISCOVERY_RATE = 0.1
"""Largest expected fraction of unrelated images among the images that score as high as a hit;
measured by `benchmarks/verdicts.py`, see docs/search.md."""


def fdr_threshold(
    calibration: Calibration,
    background: Float32[np.ndarray, " n"],
    hit_cosines: Float64[np.ndarray, " k"],
    n_searched: int,
    rate: float = FALSE_DISCOVERY_RATE,
) -> float:
    """Compute the lowest cosine at which hits are significant.

    A cosine reached by one in a hundred unrelated images says little about the best of a million.
    So the fraction of unrelated images expected at a cosine is compared with the fraction of images
    found there: the estimate of the false discovery rate of Benjamini and Hochberg (1995), with
    each image being unrelated as a null hypothesis.

    Args:
        calibration: cosines of unrelated pairs.
        background: cosines of a sample of the catalogue with the query.
        hit_cosines: cosines of the hits, best first.
        n_searched: number of images the hits were selected from.
        rate: largest expected fraction of unrelated images, 0 to 1.

    Returns:
        The cosine; infinity if nothing is significant.
    """
    if not len(hit_cosines):
        return float("inf")
    cosines = np.concatenate([np.sort(background)[::-1], hit_cosines]).astype(np.float64)
    fractions = np.concatenate(
        [
            np.arange(1, len(background) + 1) / max(len(background), 1),
            np.arange(1, len(hit_cosines) + 1) / max(n_searched, len(hit_cosines)),
        ]
    )
    expected = 1 - calibration.percentiles(cosines) / 100
    significant = expected <= rate * fractions
    return float(cosines[significant].min()) if significant.any() else float("inf")
