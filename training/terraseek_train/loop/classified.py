"""Zero-shot classification by the scores of a method."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64

from terraseek_train.evaluate.bootstrap import UnitSums

__all__ = ["Classified", "ClassifiedScore", "classify"]


@dataclass(frozen=True)
class ClassifiedScore:
    """Share of images whose class is found, in percent, rounded to two decimals."""

    top1: float
    n_images: int
    n_classes: int


@dataclass(frozen=True)
class Classified:
    """Which images were given their own class."""

    correct: Bool[np.ndarray, " n"]
    n_classes: int

    def unit_sums(self) -> UnitSums:
        """Give top-1 in percent; an image is one unit."""
        return UnitSums.means(("top1",), 100.0 * self.correct[:, None].astype(np.float64))

    def score(self) -> ClassifiedScore:
        """Compute top-1 accuracy."""
        top1 = round(float(100 * self.correct.mean()), 2)
        return ClassifiedScore(top1, len(self.correct), self.n_classes)


def classify(
    scores: Float[np.ndarray, "n m"],
    class_of: Int64[np.ndarray, " m"],
    labels: Int64[np.ndarray, " n"],
) -> Classified:
    """Give each image the class whose sentences have the highest mean score.

    Args:
        scores: of all images with all sentences.
        class_of: class of every sentence; each class has one at least.
        labels: class of every image.
    """
    count = int(class_of.max()) + 1
    means = np.stack([scores[:, class_of == number].mean(axis=1) for number in range(count)], 1)
    return Classified(means.argmax(axis=1) == labels, count)
