"""Eliminate before align (EBA): leave out pairs whose image and caption are weakly related."""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["SimilarityBank", "keep_rows"]


def keep_rows(positive: Float[Tensor, " b"], threshold: float | None) -> Bool[Tensor, " b"]:
    """Mask of the pairs of a batch to keep: those above `threshold`, or the best one if none is.

    Args:
        positive: similarity of each image to its own caption.
        threshold: of `SimilarityBank`; None keeps all.
    """
    if threshold is None:
        return torch.ones_like(positive, dtype=torch.bool)
    keep = positive > threshold
    if not bool(keep.any()):
        keep[positive.argmax()] = True
    return keep


class SimilarityBank:
    """Memory bank of similarities of true pairs, for the threshold of an epoch (EBAKER, EBA).

    With `size=None` the bank holds exactly the pairs of the last whole epoch, as in the paper. With
    a size it is the first-in-first-out bank of the released code (200,000 values there), initially
    filled with standard normal noise, which spans more or less than an epoch.

    Args:
        ratio: share of the bank at or below the threshold.
        first_epoch: epoch, counted from 0, from which pairs are dropped (4: the fifth).
        size: number of values in the bank.
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
        """Compute the threshold for `epoch`, counted from 0; None drops nothing.

        It is the value at index int(ratio * size) of the values in ascending order.
        """
        active = epoch >= self.first_epoch and len(self._values) > 0
        index = min(int(self.ratio * len(self._values)), len(self._values) - 1)
        self.threshold = float(self._values.sort().values[index]) if active else None
        if self.size is None:
            self._values = self._values[:0]
        return self.threshold

    def push(self, positive: Float[Tensor, " b"]) -> None:
        """Add the similarities of a batch, including those of dropped pairs."""
        values = torch.cat([self._values, positive.detach().float().cpu()])
        self._values = values if self.size is None else values[-self.size :]

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint."""
        return {"values": self._values, "threshold": self.threshold}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state of `state_dict`."""
        self._values, self.threshold = state["values"], state["threshold"]
