"""An image that is constant in the rectangles of a coarse grid, stored as one value each."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt8

__all__ = ["Bounds", "CellImage"]

Bounds = Int64[np.ndarray, " _"]
"""First pixel of each grid cell along one axis, then the length of the axis; ascending."""


@dataclass(frozen=True, eq=False)
class CellImage:
    """8-bit image that is constant in each grid cell."""

    values: UInt8[np.ndarray, "r c"]
    """Value of each grid cell."""
    row_bounds: Bounds
    """First pixel row of each row of grid cells, then the image height; no cell is empty."""
    col_bounds: Bounds
    """The same for columns."""

    def pixels(self) -> UInt8[np.ndarray, "h w"]:
        """The image in full resolution."""
        wide = np.repeat(self.values, np.diff(self.col_bounds), axis=1)
        return np.repeat(wide, np.diff(self.row_bounds), axis=0)
