"""What scores are ordinary for a query: the cosines of a fixed sample of the catalogue."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int64

from terraseek.encoders.calibration import Calibration

__all__ = ["SAMPLE", "Blend", "Spread", "convincing_from", "spaced"]

SAMPLE = 4096
"""Rows a background is taken from; evenly spaced, so that the same catalogue gives the same."""
FALSE_SHARE = 0.1
"""Largest share of unrelated images expected among those that score as high as a hit; measured by
`benchmarks/verdicts.py`, see docs/search.md."""
_LEAST_STD = 0.01
_MOST_STRETCH = 2.0


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and standard deviation of the cosines of a sample with a query."""

    mean: float
    std: float

    @classmethod
    def of(cls, cosines: Float32[np.ndarray, " n"]) -> "Spread":
        """Of some cosines; none have mean 0 and no spread."""
        if not len(cosines):
            return cls(0.0, 0.0)
        return cls(float(cosines.mean(dtype=np.float64)), float(cosines.std(dtype=np.float64)))

    def margin(self, cosine: float) -> float:
        """Standard deviations a cosine lies above the mean."""
        return (cosine - self.mean) / max(self.std, _LEAST_STD)


@dataclass(frozen=True, slots=True)
class Blend:
    """Image and caption scores on one scale.

    Words lie closer to words than to images, so caption cosines are shifted and stretched until
    their background has the mean and spread of the images'. Without that, an item without a
    caption could hardly be found at all.
    """

    alpha: float
    """Share of the caption, 0 to 1."""
    images: Spread
    captions: Spread

    @property
    def stretch(self) -> float:
        """Image cosine that one unit of caption cosine is worth."""
        if self.captions.std < _LEAST_STD or self.images.std < _LEAST_STD:
            return 1.0
        return min(self.images.std / self.captions.std, _MOST_STRETCH)

    def as_image(
        self, caption: Float64[np.ndarray, " n"] | Float32[np.ndarray, " n"]
    ) -> Float64[np.ndarray, " n"]:
        """The image cosines caption cosines are worth."""
        worth: Float64[np.ndarray, " n"] = self.images.mean + self.stretch * (
            np.asarray(caption, np.float64) - self.captions.mean
        )
        return worth

    def side(self, image: float, caption: float | None) -> str:
        """Which side lifts a hit more above the background: `picture` or `caption`."""
        if caption is None or self.alpha == 0:
            return "picture"
        worth = self.images.mean + self.stretch * (caption - self.captions.mean)
        lifted = self.alpha * (worth - self.images.mean)
        return "caption" if lifted > (1 - self.alpha) * (image - self.images.mean) else "picture"


def spaced(rows: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " m"]:
    """At most `SAMPLE` rows, evenly spaced."""
    if len(rows) <= SAMPLE:
        return rows
    return rows[np.linspace(0, len(rows) - 1, SAMPLE).astype(np.int64)]


def convincing_from(
    calibration: Calibration,
    background: Float32[np.ndarray, " n"],
    found: Float64[np.ndarray, " k"],
    searched: int,
    false_share: float = FALSE_SHARE,
) -> float:
    """Lowest cosine that convinces: at it, few of the images are expected to be unrelated.

    A single unrelated image hardly reaches a cosine that one in a hundred has; but the best of
    a million unrelated ones always does. So the share of unrelated images expected at a cosine
    is compared with the share of images found there, the estimate of the false discovery rate of
    Benjamini and Hochberg (1995) with every unrelated image a null hypothesis.

    Args:
        calibration: cosines of unrelated pairs.
        background: cosines of a sample of the catalogue with the query.
        found: cosines of the hits, best first.
        searched: number of images the hits are the best of.
        false_share: largest share of unrelated ones expected.

    Returns:
        The cosine; infinite when nothing convinces.
    """
    if not len(found):
        return float("inf")
    cosines = np.concatenate([np.sort(background)[::-1], found]).astype(np.float64)
    shares = np.concatenate(
        [
            np.arange(1, len(background) + 1) / max(len(background), 1),
            np.arange(1, len(found) + 1) / max(searched, len(found)),
        ]
    )
    expected = 1 - calibration.percentiles(cosines) / 100
    enough = expected <= false_share * shares
    return float(cosines[enough].min()) if enough.any() else float("inf")
