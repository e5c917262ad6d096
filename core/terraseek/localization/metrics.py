"""SeLo's four measures of a localization map against outlined regions.

Yuan et al., "Learning to Evaluate Performance of Multi-modal Semantic Localization" (2022), with
the constants of the released evaluation. Known oddities of the published measures are kept, because
the published numbers contain them: a constant map of 0.5 scores Rmi 0.73 on a centred region, and a
map without any peak has Ras 1.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64

from terraseek.errors import AnnotationError

__all__ = ["SeLoScore", "candidate_peaks", "mean_score", "selo_metrics"]

_N_SMOOTHINGS, _SMOOTHING_SIDE = 5, 50
_PEAK_SIDE = 1000
"""Side in pixels of the square within which a peak is the maximum."""
_MIN_PEAK = 0.5
"""Value of the original map from which a maximum is a peak."""
_RADIUS_FACTOR = 1.5
"""Radius within which a peak counts, in mean distances of the region's vertices to its centre."""
_STEEPNESS = 0.707
_WEIGHTS = (0.40, 0.35, 0.25)
"""Weights of Rsu, 1 - Ras and Rda in Rmi."""

Ring = Sequence[Sequence[float]]
"""Vertices (x, y) in pixels."""


@dataclass(frozen=True, slots=True)
class SeLoScore:
    """The measures of one map, or their mean over many."""

    rsu: float
    """Significant area proportion, 0-1, higher is better."""
    ras: float
    """Attention shift, 0-1, lower is better."""
    rda: float
    """Discrete attention, 0-1, higher is better."""
    constant: bool = False
    """Whether the map was constant; its measures are then meaningless."""

    @property
    def rmi(self) -> float:
        """The weighted sum 0.40 Rsu + 0.35 (1 - Ras) + 0.25 Rda."""
        su, ras, da = _WEIGHTS
        return su * self.rsu + ras * (1 - self.ras) + da * self.rda

    @property
    def as_dict(self) -> dict[str, float]:
        """Rsu, Rda, Ras, Rmi, in the order in which the literature prints them."""
        return {"Rsu": self.rsu, "Rda": self.rda, "Ras": self.ras, "Rmi": self.rmi}


def selo_metrics(prob: Float[np.ndarray, "h w"], regions: Sequence[Ring]) -> SeLoScore:
    """Measure a map against the regions where the sentence is true.

    Args:
        prob: map in 0-1 with 256 levels (k / 255), as the published methods produce it.
        regions: outlines in pixels, vertices as (x, y).

    Raises:
        AnnotationError: there is no region, or one covers no pixel or shrinks to a point.
    """
    circles = [_circle(region) for region in regions]
    if not circles:
        raise AnnotationError("there is no region to measure the map against")
    peaks = candidate_peaks(prob)
    return SeLoScore(
        rsu=_significant_area(prob, _mask(prob.shape, regions)),
        ras=_attention_shift(peaks, circles),
        rda=_discrete_attention(peaks, circles),
        constant=bool(prob.min() == prob.max()),
    )


def mean_score(scores: Sequence[SeLoScore]) -> SeLoScore:
    """Mean over samples with equal weights, as scores of data sets are reported.

    Raises:
        AnnotationError: there is no sample.
    """
    if not scores:
        raise AnnotationError("there is no sample to average")
    rows = np.array([(s.rsu, s.ras, s.rda) for s in scores]).mean(axis=0)
    rsu, ras, rda = (float(value) for value in rows)
    return SeLoScore(rsu, ras, rda, constant=any(s.constant for s in scores))


def candidate_peaks(prob: Float[np.ndarray, "h w"]) -> Float64[np.ndarray, "n 2"]:
    """Peaks (x, y) of the smoothed map whose original value is at least 0.5, best first.

    The map is smoothed by five box filters of 50 pixels in 8 bits. A peak is a connected area that
    equals the maximum of the 1000-pixel square around it; its position is the truncated centroid.
    """
    import cv2
    import scipy.ndimage

    smooth = (prob * 255).astype(np.uint8)
    for _ in range(_N_SMOOTHINGS):
        smooth = np.asarray(cv2.blur(smooth, (_SMOOTHING_SIDE, _SMOOTHING_SIDE)), np.uint8)
    highest = scipy.ndimage.maximum_filter(smooth, size=_PEAK_SIDE, mode="reflect")
    is_peak = (smooth == highest) & (smooth > 0)
    labels, count = scipy.ndimage.label(is_peak, structure=np.ones((3, 3)))
    centres = scipy.ndimage.center_of_mass(is_peak, labels, range(1, count + 1))
    positions = [(int(col), int(row)) for row, col in centres]
    ranked = sorted(positions, key=lambda xy: -float(prob[xy[1], xy[0]]))
    kept = [xy for xy in ranked if prob[xy[1], xy[0]] >= _MIN_PEAK]
    return np.array(kept, np.float64).reshape(-1, 2)


def _circle(region: Ring) -> tuple[Float64[np.ndarray, " 2"], int]:
    """Truncated mean of the vertices, and the radius in pixels within which a peak counts."""
    points = np.asarray(region, np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 3:
        raise AnnotationError(f"region {region!r} must be three or more vertices [x, y] in pixels")
    centre = points.mean(axis=0).astype(int).astype(np.float64)
    radius = int(_RADIUS_FACTOR * np.linalg.norm(points - centre, axis=1).mean())
    if radius == 0:
        raise AnnotationError(f"region {region!r} is smaller than a pixel")
    return centre, radius


def _mask(shape: tuple[int, ...], regions: Sequence[Ring]) -> Bool[np.ndarray, "h w"]:
    """All regions filled in one call: vertices truncated, boundary included, even-odd rule."""
    import cv2

    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.asarray(region, np.float64).astype(np.int32) for region in regions], 1)
    if not mask.any():
        raise AnnotationError(f"no region lies inside the map of {shape[1]} x {shape[0]} pixels")
    return mask.astype(bool)


def _significant_area(prob: Float[np.ndarray, "h w"], mask: Bool[np.ndarray, "h w"]) -> float:
    """Rsu: mean value inside the regions against outside, mapped to 0-1."""
    total, inside = float(prob.sum(dtype=np.float64)), float(prob[mask].sum(dtype=np.float64))
    area = int(mask.sum())
    ratio = inside / (total - inside + 1e-7) * ((prob.size - area) / area)
    return 1 - math.exp(-_STEEPNESS * ratio)


def _attention_shift(
    peaks: Float64[np.ndarray, "n 2"], circles: list[tuple[Float64[np.ndarray, " 2"], int]]
) -> float:
    """Ras: distance of the peaks from the centres of the regions, in radii, mapped to 0-1."""
    if len(peaks) == 0:  # the published code then considers only the first region
        return 1.0
    shifts = []
    for centre, radius in circles:
        distances = np.linalg.norm(peaks - centre, axis=1)
        inside = distances[distances <= radius]
        shifts.append(float(inside.mean()) / radius if len(inside) else 1.0)
    mean = sum(shifts) / len(shifts)
    return (math.exp(3 * mean) - 1) / (math.exp(3) - 1)


def _discrete_attention(
    peaks: Float64[np.ndarray, "n 2"], circles: list[tuple[Float64[np.ndarray, " 2"], int]]
) -> float:
    """Rda: 1 for a single peak in a region, less for several scattered peaks, 0 for none."""
    values = []
    for centre, radius in circles:
        inside = peaks[np.linalg.norm(peaks - centre, axis=1) <= radius]
        count = len(inside)
        if count < 2:
            values.append(float(count))
            continue
        spread = float(np.linalg.norm(inside - inside.mean(axis=0), axis=1).mean())
        values.append(0.5 * (1 - spread / radius) + math.exp(-0.5 * (count + 2)))
    return sum(values) / len(values)
