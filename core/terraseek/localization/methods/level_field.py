"""An image of 256 levels as a field: the filtered maps of the published methods."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, UInt8

__all__ = ["LevelField"]


@dataclass(frozen=True, eq=False)
class LevelField:
    """Constant in each cell of a regular grid; a byte a cell, a quarter of the scores."""

    levels: UInt8[np.ndarray, "h w"]
    scores: Float32[np.ndarray, "256"]
    """Score of each level."""
    size: tuple[int, int]
    """(height, width) of the scene in pixels, which the grid covers exactly."""
    unknown: Bool[np.ndarray, "h w"] | None = None
    """Cells no window tells about; None where there are none."""

    def draw(
        self, rows: Float64[np.ndarray, " n"], cols: Float64[np.ndarray, " m"]
    ) -> Float32[np.ndarray, "n m"]:
        """Scores at row x column positions in pixels; see `Field.draw`."""
        height, width = self.levels.shape
        which = np.ix_(_cell(rows, self.size[0], height), _cell(cols, self.size[1], width))
        out: Float32[np.ndarray, "n m"] = self.scores[self.levels[which]]
        if self.unknown is not None:
            out[self.unknown[which]] = np.nan
        return out


def _cell(positions: Float64[np.ndarray, " n"], side: int, cells: int) -> Int64[np.ndarray, " n"]:
    return np.clip((positions * (cells / side)).astype(np.int64), 0, cells - 1)
