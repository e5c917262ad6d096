"""Window vectors of method dense: box means over feature cells, then the tower's projection."""

from pathlib import Path

import numpy as np
from jaxtyping import Float16, Float32

from terraseek.encoders.base import Encoder, unit
from terraseek.encoders.dense_tower import DenseTower
from terraseek.localization.methods.dense_blocks import BlockEncoder, FeatureGrid, FeatureRows
from terraseek.localization.windows.encode import PARTIAL_STEP, Encoded, OnPartial
from terraseek.localization.windows.lattice import Lattice
from terraseek.localization.windows.reader import MIN_VALID
from terraseek.progress import Progress
from terraseek.scenes import Scene

__all__ = ["encode_dense"]

_WINDOWS_PER_PROJECTION = 4096


def encode_dense(
    scene: Scene,
    lattice: Lattice,
    encoder: Encoder,
    tower: DenseTower,
    store: Path | None,
    progress: Progress,
    on_partial: OnPartial | None = None,
) -> Encoded:
    """Encode the blocks of a scene one row at a time; only the last cell rows are kept between.

    Large windows come first, whose blocks are few.

    Args:
        scene: open scene.
        lattice: windows of `dense_lattice`.
        encoder: the encoder.
        tower: its image tower before pooling.
        store: file the vectors will be stored in; finished rows of blocks are kept beside it.
        progress: called with the number of blocks done; it may raise `Cancelled`.
        on_partial: called with the windows encoded so far about once for each quarter of the
            blocks, first with those of all sides but the smallest.

    Raises:
        TruncatedImageError: the pixels could not be decoded.
    """
    vectors = np.zeros((len(lattice), encoder.dim), np.float16)
    encoded = np.zeros(len(lattice), bool)
    row0, col0, row1, col1 = lattice.windows.T.astype(np.int64)
    areas = (row1 - row0) * (col1 - col0)
    cells = encoder.image_size // tower.cell
    starts = np.searchsorted(lattice.scale, lattice.scales)  # windows are sorted by side
    blocks_of = []
    for side, start in zip(lattice.scales, starts.tolist(), strict=True):
        grid = FeatureGrid.of(scene.width, scene.height, side, cells, tower.box)
        blocks_of.append((BlockEncoder(scene, grid, tower, encoder), grid, start))
    total, done = sum(blocks.n_blocks for blocks, _, _ in blocks_of), 0
    n_first = total - blocks_of[0][0].n_blocks
    next_partial = max(n_first, total * PARTIAL_STEP)
    for blocks, grid, start in reversed(blocks_of):
        above: FeatureRows | None = None
        for block_row in range(blocks.n_rows):
            rows = blocks.encode_row(block_row, store)
            done += blocks.n_cols
            progress("encode blocks", done, total)
            if above is not None:
                rows = above.followed_by(rows)
            if len(rows.weight) >= grid.box_rows:
                means, weight = _window_means(rows, grid.box_rows, grid.box_cols)
                end = start + len(weight)
                enough_valid = weight * grid.cell**2 >= MIN_VALID * areas[start:end]
                encoded[start:end] = enough_valid
                index = start + np.flatnonzero(enough_valid)
                vectors[index] = _project(means[enough_valid], tower, encoder.dim)
                start = end
            above = rows.last(min(grid.box_rows - 1, len(rows.weight)))
            if on_partial is not None and next_partial <= done < total:
                next_partial = done + total * PARTIAL_STEP
                on_partial((vectors, encoded))
    return vectors, encoded


def _project(
    means: Float32[np.ndarray, "n c"], tower: DenseTower, dim: int
) -> Float16[np.ndarray, "n dim"]:
    out = np.empty((len(means), dim), np.float16)
    for start in range(0, len(means), _WINDOWS_PER_PROJECTION):
        chunk = slice(start, start + _WINDOWS_PER_PROJECTION)
        out[chunk] = unit(tower.project(means[chunk]))
    return out


def _window_means(
    rows: FeatureRows, box_rows: int, box_cols: int
) -> tuple[Float32[np.ndarray, "n c"], Float32[np.ndarray, " n"]]:
    """Weighted mean of every box of feature cells, row by row, and its weight in cells."""
    weight = _box_sums(rows.weight[..., None], box_rows, box_cols)
    total = _box_sums(rows.vectors * rows.weight[..., None], box_rows, box_cols)
    means = total / np.maximum(weight, 1e-6)
    return means.reshape(-1, means.shape[-1]), weight.ravel()


def _box_sums(
    values: Float32[np.ndarray, "rows cols c"], box_rows: int, box_cols: int
) -> Float32[np.ndarray, "down across c"]:
    n_rows, n_cols = values.shape[0] - box_rows + 1, values.shape[1] - box_cols + 1
    # boxes are few cells wide: adding shifted copies is exact where running sums would drift
    down = values[:n_rows].copy()
    for i in range(1, box_rows):
        down += values[i : i + n_rows]
    out = down[:, :n_cols].copy()
    for i in range(1, box_cols):
        out += down[:, i : i + n_cols]
    return out
