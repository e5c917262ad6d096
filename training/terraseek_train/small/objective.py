"""Contrastive loss with soft targets in both directions, and negatives from beyond the batch."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from terraseek_train.small.batches import PairLabels
from terraseek_train.small.corpus import Corpus
from terraseek_train.small.model import run_vectors
from terraseek_train.small.settings import Settings

__all__ = ["Queue", "SoftScores", "cross_entropy", "targets"]

_MASKED = -1e4
"""Logit of pairs left out of a softmax."""


class SoftScores:
    """Scores of MiniLM and of the teacher for rows of the corpus; soft targets are made of them."""

    def __init__(self, corpus: Corpus, settings: Settings) -> None:
        self._corpus, self._settings = corpus, settings
        width = corpus.text_means.shape[1] // len(settings.levels)
        last = corpus.text_means[:, -width:].astype(np.float32)
        used = np.unique(np.concatenate([*corpus.captions, *corpus.templates]))
        centred = last - last[used].mean(axis=0)
        self._text = (centred / np.linalg.norm(centred, axis=1, keepdims=True)).astype(np.float32)
        self._image_text = np.stack([self._mean(row) for row in range(len(corpus.row))])
        self._teachers = list(corpus.teachers)
        if settings.teacher_run:
            self._teachers.append(run_vectors(Path(settings.teacher_run), corpus, settings))

    def _mean(self, row: int) -> np.ndarray:
        own = self._corpus.captions[row]
        if not len(own):
            own = self._corpus.templates[int(self._corpus.concept[row])]
        mean = self._text[own].mean(axis=0)
        unit: np.ndarray = mean / max(float(np.linalg.norm(mean)), 1e-6)
        return unit.astype(np.float32)

    def text_similarity(self, rows: np.ndarray, texts: np.ndarray) -> Float[Tensor, "p t"]:
        """Compute MiniLM's scaled cosines of the images' captions (their mean) with sentences."""
        scale = self._settings.similarity_scale
        cosines = torch.from_numpy(self._image_text[rows]) @ torch.from_numpy(self._text[texts]).T
        return scale * cosines

    def teacher(self, rows: np.ndarray, texts: np.ndarray) -> Float[Tensor, "p t"] | None:
        """Compute scaled cosines of images with sentences, the mean of all teachers; or None."""
        if not self._teachers:
            return None
        cosines = [
            torch.from_numpy(images[rows].astype(np.float32))
            @ torch.from_numpy(sentences[texts].astype(np.float32)).T
            for images, sentences in self._teachers
        ]
        return self._settings.teacher_scale * torch.stack(cosines).mean(dim=0)


@dataclass
class Queue:
    """Vectors of the last images, newest first, and their rows in the corpus."""

    vectors: Float[Tensor, "n dim"]
    rows: Int64[np.ndarray, " n"]

    def push(self, vectors: Tensor, rows: np.ndarray, size: int) -> None:
        """Add images; the oldest are dropped."""
        self.vectors = torch.cat([vectors.detach(), self.vectors])[:size]
        self.rows = np.concatenate([rows, self.rows])[:size]


def targets(
    pairs: PairLabels,
    text_similarity: Float[Tensor, "p t"],
    teacher: Float[Tensor, "p t"] | None,
    settings: Settings,
    transpose: bool = False,
) -> tuple[Float[Tensor, "n m"], Bool[Tensor, "n m"], Bool[Tensor, " n"]]:
    """Make the targets of a cross entropy over the columns.

    Args:
        pairs: labels, images by sentences.
        text_similarity: scores of MiniLM, whose softmax is mixed in.
        teacher: scores of the teacher, likewise.
        settings: with the weights of both.
        transpose: make sentences the rows.

    Returns:
        Probabilities of each row, pairs to leave out, and rows with a matching pair.
    """
    positive, neutral = torch.from_numpy(pairs.positive), torch.from_numpy(pairs.neutral)
    if transpose:
        positive, neutral, text_similarity = positive.T, neutral.T, text_similarity.T
        teacher = None if teacher is None else teacher.T
    total = positive.sum(1, keepdim=True)
    share = settings.similarity_share
    soft = share * F.softmax(text_similarity.masked_fill(neutral, _MASKED), dim=1)
    remaining = 1 - share
    if teacher is not None:
        remaining -= settings.teacher_share
        teacher_targets = F.softmax(teacher.masked_fill(neutral, _MASKED), dim=1)
        soft = soft + settings.teacher_share * teacher_targets
    return remaining * positive / total.clamp(min=1e-6) + soft, neutral, total[:, 0] > 0


def cross_entropy(
    logits: Float[Tensor, "n m"],
    probabilities: Float[Tensor, "n m"],
    neutral: Bool[Tensor, "n m"],
    has_positive: Bool[Tensor, " n"],
) -> Float[Tensor, ""]:
    """Compute the mean cross entropy over the rows with a matching pair."""
    log_probabilities = F.log_softmax(logits.masked_fill(neutral, _MASKED), dim=1)
    terms = -(probabilities.masked_fill(neutral, 0) * log_probabilities).sum(1)
    return terms[has_positive].mean()
