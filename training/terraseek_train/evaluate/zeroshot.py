"""Zero-shot classification with prompts (GeoRSCLIP's protocol, RS5M paper VI-B)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int64

from terraseek.encoders.base import Encoder
from terraseek.encoders.prompts import prompts
from terraseek_train.evaluate.bootstrap import UnitSums

__all__ = [
    "ZeroShotScore",
    "class_name",
    "class_weights",
    "prompts",
    "zeroshot_score",
]


@dataclass(frozen=True)
class ZeroShotScore:
    """Accuracy in percent and the confusion matrix."""

    top1: float
    n_images: int
    n_classes: int
    confusion: Int64[np.ndarray, "true predicted"]
    right: Bool[np.ndarray, " n"]
    """Whether each image was classified correctly, in the order given."""

    def unit_sums(self) -> UnitSums:
        """Give the top-1 accuracy in percent; each image is a unit."""
        return UnitSums.means(("top1",), 100.0 * self.right[:, None])

    @property
    def per_class(self) -> Float[np.ndarray, " classes"]:
        """Accuracy in percent of every class; NaN for a class without images."""
        count = self.confusion.sum(axis=1)
        with np.errstate(invalid="ignore"):
            accuracy: Float[np.ndarray, " classes"] = 100 * np.diag(self.confusion) / count
        return accuracy


def class_name(folder: str) -> str:
    """Convert a folder name to words: `_` and `/` become spaces, letters lower case."""
    return folder.replace("_", " ").replace("/", " ").lower()


def class_weights(
    encoder: Encoder, names: Sequence[str], kind: str = "rs105"
) -> Float32[np.ndarray, "classes dim"]:
    """Compute a unit vector per class: the mean over prompts of *unnormalised* text features.

    Args:
        encoder: gives text features with the length they have after the text tower.
        names: classes as words.
        kind: prompt set, see `prompts`.
    """
    templates = prompts(kind)
    sentences = [template.format(name) for name in names for template in templates]
    features = encoder.encode_text_features(sentences)
    mean = features.reshape(len(names), len(templates), -1).mean(axis=1)
    weights: Float32[np.ndarray, "classes dim"] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    return weights


def zeroshot_score(
    images: Float[np.ndarray, "n dim"],
    weights: Float[np.ndarray, "classes dim"],
    truth: Int[np.ndarray, " n"],
) -> ZeroShotScore:
    """Compute the top-1 accuracy in percent, rounded to two decimals.

    A tie is an error: an image is correct only if its class scores above every other one.

    Args:
        images: unit rows.
        weights: unit rows, one per class.
        truth: class index of every image.
    """
    scores = np.asarray(images, np.float32) @ np.asarray(weights, np.float32).T
    rows = np.arange(len(truth))
    rivals = scores.copy()
    rivals[rows, truth] = -np.inf
    tied = rivals.max(axis=1, initial=-np.inf) >= scores[rows, truth]
    guess = np.where(tied, rivals.argmax(axis=1), truth)
    confusion = np.zeros((len(weights), len(weights)), np.int64)
    np.add.at(confusion, (truth, guess), 1)
    right = guess == truth
    top1 = round(100 * float(right.mean()), 2)
    return ZeroShotScore(top1, len(truth), len(weights), confusion, right)
