"""Eliminate before align: pairs whose images and sentences fit badly teach nothing."""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["SimilarityBank", "keep_rows"]


def keep_rows(positive: Float[Tensor, " b"], threshold: float | None) -> Bool[Tensor, " b"]:
    """Which pairs of a batch stay: those above `threshold`, or the best one where none is.

    Args:
        positive: similarity of each image to its own sentence.
        threshold: of `SimilarityBank`; None keeps all.
    """
    if threshold is None:
        return torch.ones_like(positive, dtype=torch.bool)
    keep = positive > threshold
    if not bool(keep.any()):
        keep[positive.argmax()] = True
    return keep


class SimilarityBank:
    """Similarities of true pairs, from which the threshold of an epoch is taken (EBAKER, EBA).

    With `size=None` the bank holds exactly the pairs of the last whole epoch, as the paper has it.
    With a size it is the released first-in-first-out bank (200,000 there), filled with standard
    normal noise at first, which spans more or less than an epoch.

    Args:
        ratio: share of the bank at the threshold and below.
        first_epoch: epoch, counted from 0, from which pairs are dropped (4: the fifth).
        size: number of values the bank holds.
        seed: of the noise.
    """

    def __init__(
        self, ratio: float = 0.01, first_epoch: int = 4, size: int | None = None, seed: int = 0
    ) -> None:
        self.ratio = ratio
        self.first_epoch = first_epoch
        self.size = size
        self.threshold: float | None = None
        generator = torch.Generator().manual_seed(seed)
        self._values = torch.randn(size or 0, generator=generator)

    def start_epoch(self, epoch: int) -> float | None:
        """Take the threshold that holds in `epoch`, counted from 0; None drops nothing.

        It is the value at place int(ratio * size) of the ascending values.
        """
        active = epoch >= self.first_epoch and len(self._values) > 0
        place = min(int(self.ratio * len(self._values)), len(self._values) - 1)
        self.threshold = float(self._values.sort().values[place]) if active else None
        if self.size is None:
            self._values = self._values[:0]
        return self.threshold

    def push(self, positive: Float[Tensor, " b"]) -> None:
        """Add the similarities of a batch; every pair counts, dropped ones too."""
        values = torch.cat([self._values, positive.detach().float().cpu()])
        self._values = values if self.size is None else values[-self.size :]

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint needs to go on."""
        return {"values": self._values, "threshold": self.threshold}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        self._values, self.threshold = state["values"], state["threshold"]
