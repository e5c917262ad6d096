"""Fusion of image and caption cosines to one score."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

__all__ = ["SAMPLE_SIZE", "ScoreFusion", "ScoreStats", "subsample"]

SAMPLE_SIZE = 4096
"""Maximum number of rows in a background sample."""
_MIN_STD = 0.01
_MAX_SCALE = 2.0


@dataclass(frozen=True, slots=True)
class ScoreStats:
    """Mean and standard deviation of the cosines of a sample with a query."""

    mean: float
    std: float

    @classmethod
    def of(cls, cosines: Float32[np.ndarray, " n"]) -> "ScoreStats":
        """Compute the statistics of cosines; both are 0 for an empty array."""
        if not len(cosines):
            return cls(0.0, 0.0)
        return cls(float(cosines.mean(dtype=np.float64)), float(cosines.std(dtype=np.float64)))

    def z_score(self, cosine: float) -> float:
        """Return how many standard deviations a cosine is above the mean."""
        return (cosine - self.mean) / max(self.std, _MIN_STD)


@dataclass(frozen=True, slots=True)
class ScoreFusion:
    """Weighted mean of image and caption cosines, on the scale of the image cosines.

    Texts are closer to texts than to images, so caption cosines are shifted and scaled until a
    sample of them has the mean and standard deviation of the image cosines. Otherwise items without
    a caption would hardly be found.
    """

    alpha: float
    """Weight of the caption, 0 to 1."""
    images: ScoreStats
    captions: ScoreStats

    @property
    def scale(self) -> float:
        """Factor of caption cosines."""
        if self.captions.std < _MIN_STD or self.images.std < _MIN_STD:
            return 1.0
        return min(self.images.std / self.captions.std, _MAX_SCALE)

    def to_image_scale(
        self, caption: Float64[np.ndarray, " n"] | Float32[np.ndarray, " n"]
    ) -> Float64[np.ndarray, " n"]:
        """Map caption cosines to the scale of image cosines."""
        scaled: Float64[np.ndarray, " n"] = self.images.mean + self.scale * (
            np.asarray(caption, np.float64) - self.captions.mean
        )
        return scaled

    def main_contribution(self, image: float, caption: float | None) -> str:
        """Return which cosine raises a score more above the mean: `picture` or `caption`.

        Args:
            image: cosine of query and image.
            caption: cosine of query and caption, on its own scale; None without a caption.
        """
        if caption is None or self.alpha == 0:
            return "picture"
        from_caption = self.alpha * self.scale * (caption - self.captions.mean)
        return (
            "caption" if from_caption > (1 - self.alpha) * (image - self.images.mean) else "picture"
        )


def subsample(rows: Int64[np.ndarray, " n"], most: int = SAMPLE_SIZE) -> Int64[np.ndarray, " m"]:
    """Select at most `most` evenly spaced rows; the same rows give the same sample."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]
