"""Pixels of a heat map against annotated regions: ROC-AUC and average precision, exact with ties.

SeLo's measures saturate on many small regions; ranking pixels does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from terraseek.errors import AnnotationError

__all__ = ["PixelScore", "pixel_score", "truth_mask"]

Ring = Sequence[Sequence[float]]
"""Vertices (x, y) in pixels."""


@dataclass(frozen=True, slots=True)
class PixelScore:
    """How well a heat map ranks the pixels of one scene."""

    roc_auc: float
    """Probability (0-1) that a pixel inside scores above one outside; a tie counts half."""
    average_precision: float
    """Mean precision over the inside pixels, 0-1; that of a random map is `positive_share`."""
    positive_share: float
    """Share of the pixels that are inside, 0-1."""


def truth_mask(height: int, width: int, regions: Sequence[Ring]) -> Bool[np.ndarray, "h w"]:
    """Draw the pixels inside at least one region, outlines included; vertices are rounded."""
    import cv2

    mask = np.zeros((height, width), np.uint8)
    for region in regions:
        # one at a time: filled together, the overlap of two regions would count as outside
        cv2.fillPoly(mask, [np.rint(np.asarray(region, np.float64)).astype(np.int32)], 1)
    return mask.astype(bool)


def pixel_score(score: Float[np.ndarray, "h w"], truth: Bool[np.ndarray, "h w"]) -> PixelScore:
    """Rank the valid pixels by score and compare with the truth.

    Pixels of equal score are one step of the curves. Average precision is the sum of precision
    times increase in recall, without interpolation.

    Args:
        score: heat map; NaN is invalid and left out.
        truth: pixels for which the sentence is true.

    Raises:
        AnnotationError: all valid pixels are inside, or none is.
    """
    valid = np.isfinite(score)
    values, inside = score[valid], truth[valid]
    positive = int(inside.sum())
    if not 0 < positive < inside.size:
        raise AnnotationError(
            f"{positive} of {inside.size} valid pixels are inside the regions; ranking needs both "
            "kinds"
        )
    order = np.argsort(-values, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(values[order])), inside.size - 1)
    true_positives = np.cumsum(inside[order], dtype=np.int64)[ends].astype(np.float64)
    retrieved = (ends + 1).astype(np.float64)
    recall = np.concatenate([[0.0], true_positives / positive])
    false_positives = (retrieved - true_positives) / (inside.size - positive)
    false_positive_rate = np.concatenate([[0.0], false_positives])
    return PixelScore(
        roc_auc=float(np.sum(np.diff(false_positive_rate) * (recall[1:] + recall[:-1]) / 2)),
        average_precision=float(np.sum(np.diff(recall) * true_positives / retrieved)),
        positive_share=positive / inside.size,
    )
