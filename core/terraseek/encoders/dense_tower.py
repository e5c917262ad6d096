"""What dense localization needs of an encoder: the feature map of its image tower."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, UInt8

__all__ = ["DenseKind", "DenseTower", "central_cells"]

DenseKind = Literal["average", "values", "self-attention"]
"""How cells become vectors of the joint embedding space; see `encoders.nets.feature_maps`."""


@dataclass(frozen=True, eq=False)
class DenseTower:
    """Functions from blocks of pixels to feature cells, and from mean cells to vectors."""

    kind: DenseKind
    side: int
    """Side in pixels of the square input blocks."""
    cell: int
    """Side of a feature cell in pixels; divides `side` and the side of an image."""
    box: int
    """Side in cells of the square whose mean is a window's vector; see `central_cells`."""
    channels: int
    """Number of channels of a cell."""
    cells: Callable[[UInt8[np.ndarray, "n side side 3"]], Float32[np.ndarray, "n grid grid c"]]
    """Compute the feature cells of RGB blocks."""
    project: Callable[[Float32[np.ndarray, "n c"]], Float32[np.ndarray, "n dim"]]
    """Map means of cells to vectors of any length in the joint embedding space."""


def central_cells(cells: int) -> int:
    """Return the side in cells of the square that represents a window of `cells` cells: half of it.

    A cell's receptive field is larger than the cell, so the mean over all cells of a window also
    describes what lies around the window. Measured on outlined aircraft, see docs/localization.md.
    """
    return max(1, cells // 2)
