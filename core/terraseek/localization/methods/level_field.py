"""An 8-bit image as a field of scores: the filtered maps of the published methods."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, UInt8

__all__ = ["LevelField"]


@dataclass(frozen=True, eq=False)
class LevelField:
    """Constant in each cell of a regular grid; one byte per cell, a quarter of float32 scores."""

    levels: UInt8[np.ndarray, "h w"]
    """Level of each grid cell."""
    scores: Float32[np.ndarray, "256"]
    """Score of each level."""
    size: tuple[int, int]
    """(height, width) of the scene in pixels, which the grid covers exactly."""
    unscored: Bool[np.ndarray, "h w"] | None = None
    """Grid cells that no window covers; None where there are none."""

    def sample(
        self, rows: Float64[np.ndarray, " n"], cols: Float64[np.ndarray, " m"]
    ) -> Float32[np.ndarray, "n m"]:
        """Scores at row x column positions in pixels; see `Field.sample`."""
        height, width = self.levels.shape
        cells = np.ix_(
            _cell_index(rows, self.size[0], height), _cell_index(cols, self.size[1], width)
        )
        out: Float32[np.ndarray, "n m"] = self.scores[self.levels[cells]]
        if self.unscored is not None:
            out[self.unscored[cells]] = np.nan
        return out


def _cell_index(
    positions: Float64[np.ndarray, " n"], length: int, n_cells: int
) -> Int64[np.ndarray, " n"]:
    """Index of the grid cell each position falls into, for an axis of `length` pixels."""
    return np.clip((positions * (n_cells / length)).astype(np.int64), 0, n_cells - 1)
