"""Pixels of a map against outlined truth: ROC-AUC and average precision, exact with ties.

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
    """How well a map ranks the pixels of one scene."""

    roc_auc: float
    """Chance (0-1) that a pixel inside scores above one outside; a tie counts half."""
    average_precision: float
    """Mean precision over the inside pixels, 0-1; a random map has `positive_share`."""
    positive_share: float
    """Share of the pixels that are inside, 0-1."""


def truth_mask(height: int, width: int, regions: Sequence[Ring]) -> Bool[np.ndarray, "h w"]:
    """Pixels inside at least one region; outlines included, vertices rounded."""
    import cv2

    mask = np.zeros((height, width), np.uint8)
    for region in regions:
        # one at a time: filled together, places where two regions overlap would count as outside
        cv2.fillPoly(mask, [np.rint(np.asarray(region, np.float64)).astype(np.int32)], 1)
    return mask.astype(bool)


def pixel_score(score: Float[np.ndarray, "h w"], truth: Bool[np.ndarray, "h w"]) -> PixelScore:
    """Rank the valid pixels by score and compare with the truth.

    Equal scores enter together, as one step of the curves. Average precision is the sum of
    precision times gain in recall, without interpolation.

    Args:
        score: map; NaN is invalid and left out.
        truth: pixels where the sentence is true.

    Raises:
        AnnotationError: all valid pixels are inside, or none is.
    """
    known = np.isfinite(score)
    values, inside = score[known], truth[known]
    positive = int(inside.sum())
    if not 0 < positive < inside.size:
        raise AnnotationError(
            f"{positive} of {inside.size} valid pixels are inside the regions; ranking needs both "
            "kinds"
        )
    order = np.argsort(-values, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(values[order])), inside.size - 1)
    hits = np.cumsum(inside[order], dtype=np.int64)[ends].astype(np.float64)
    shown = (ends + 1).astype(np.float64)
    recall = np.concatenate([[0.0], hits / positive])
    fall_out = np.concatenate([[0.0], (shown - hits) / (inside.size - positive)])
    return PixelScore(
        roc_auc=float(np.sum(np.diff(fall_out) * (recall[1:] + recall[:-1]) / 2)),
        average_precision=float(np.sum(np.diff(recall) * hits / shown)),
        positive_share=positive / inside.size,
    )
