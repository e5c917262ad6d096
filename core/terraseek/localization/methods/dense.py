"""Windows from few passes of the image tower: means over the cells of large blocks.

A window by itself costs a pass of the tower, and four half-stride windows cover every pixel. Here a
block of many windows goes through once, the tower's cells are taken before they are pooled, and a
window is the mean over its cells: any number of windows for the price of the pixels. Windows start
at every cell, so with n cells along a window the map is n / 2 times finer than at half strides.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float16, Float32

from terraseek.encoders.base import Encoder, unit
from terraseek.encoders.dense_tower import DenseTower
from terraseek.errors import ConfigError, LatticeError
from terraseek.localization.methods.dense_blocks import Bands, CellGrid, Cells
from terraseek.localization.windows.embedding import Encoded, SceneEmbedding, embedding_of
from terraseek.localization.windows.lattice import MAX_WINDOWS, Lattice
from terraseek.localization.windows.reader import MIN_VALID
from terraseek.progress import Progress, silent
from terraseek.scenes import Scene

__all__ = ["dense_lattice", "dense_passes", "dense_sides", "dense_tower", "embed_dense"]

_PROJECTED = 4096
"""Windows that go through what follows the pooling at a time."""


def dense_tower(encoder: Encoder) -> DenseTower:
    """The encoder's way to cells.

    Raises:
        ConfigError: it has none.
    """
    found = encoder.dense
    if found is None:
        raise ConfigError(
            f"method dense needs the cells of the image tower before pooling, and {encoder.name} "
            "has none; use method terraseek"
        )
    return found


def dense_lattice(width: int, height: int, sides: Sequence[int], cells: int, box: int) -> Lattice:
    """Squares of `box` x `box` cells at every cell, scale by scale and row by row.

    Sides are rounded to whole pixels per cell. The last cells of a row may reach beyond the scene,
    where windows are clipped; a scene smaller than a window has one, which spans it.

    Raises:
        LatticeError: no side, one below a pixel per cell, or more windows than can be handled.
    """
    if not sides or min(sides) < cells:
        raise LatticeError(
            f"window sides {', '.join(map(str, sides)) or 'missing'}: method dense needs at least "
            f"{cells} px, one for each cell"
        )
    grids = [CellGrid.of(width, height, side, cells, box) for side in _rounded(sides, cells)]
    if sum(grid.count for grid in grids) > MAX_WINDOWS:
        raise LatticeError(
            f"sides {', '.join(map(str, sides))} px make {sum(g.count for g in grids):,} windows "
            f"of a scene of {width} x {height} pixels; take larger sides"
        )
    windows = np.concatenate([grid.windows(width, height) for grid in grids])
    scale = np.concatenate([np.full(grid.count, grid.side, np.int32) for grid in grids])
    return Lattice(width, height, windows, scale)


def _rounded(sides: Sequence[int], cells: int) -> list[int]:
    return sorted({max(1, round(side / cells)) * cells for side in sides})


def dense_sides(sides: Sequence[int], encoder: Encoder) -> list[int]:
    """Window sides as method dense takes them: whole pixels per cell, ascending, each once.

    Raises:
        ConfigError: the encoder has no cells.
    """
    return _rounded(sides, encoder.image_size // dense_tower(encoder).cell)


def dense_passes(width: int, height: int, sides: Sequence[int], encoder: Encoder) -> float:
    """What the blocks of a scene cost, in images of the same number of pixels.

    Raises:
        ConfigError: the encoder has no cells.
    """
    tower = dense_tower(encoder)
    cells = encoder.image_size // tower.cell
    core = tower.side // tower.cell - 2 * (cells // 2)
    grids = [CellGrid.of(width, height, side, cells, tower.box) for side in _rounded(sides, cells)]
    blocks = sum(-(-grid.rows // core) * -(-grid.cols // core) for grid in grids)
    return float(blocks * (tower.side / encoder.image_size) ** 2)


def embed_dense(
    scene: Scene,
    sides: Sequence[int],
    encoder: Encoder,
    grid: tuple[int, int],
    cache: bool = True,
    progress: Progress = silent,
) -> SceneEmbedding:
    """Vectors of all windows of all sides, from the cache or from one pass per side.

    An interrupted run goes on after the last finished band of blocks.

    Args:
        scene: open scene.
        sides: window sides in pixels, rounded to whole pixels per cell.
        encoder: must have `dense`.
        grid: (height, width) of the heat map, on which valid pixels are noted.
        cache: whether disk is used at all.
        progress: called per batch of blocks; it may raise `Cancelled`.

    Raises:
        ConfigError: the encoder has no cells.
        LatticeError: a side is too small, or there would be too many windows.
        NoValidPixelsError: no window holds enough valid pixels.
        TruncatedImageError: the pixels could not be decoded.
    """
    tower = dense_tower(encoder)
    cells = encoder.image_size // tower.cell
    lattice = dense_lattice(scene.width, scene.height, sides, cells, tower.box)

    def encode(store: Path | None) -> Encoded:
        return _encode(scene, lattice, encoder, tower, store, progress)

    return embedding_of(
        scene, lattice, encoder, grid, encode, cache, kind=f"dense-{tower.kind}-{tower.box}-"
    )


def _encode(
    scene: Scene,
    lattice: Lattice,
    encoder: Encoder,
    tower: DenseTower,
    store: Path | None,
    progress: Progress,
) -> Encoded:
    """Band by band; only the last rows of cells are carried from one to the next."""
    vectors = np.zeros((len(lattice), encoder.dim), np.float16)
    known = np.zeros(len(lattice), bool)
    row0, col0, row1, col1 = lattice.windows.T.astype(np.int64)
    areas = (row1 - row0) * (col1 - col0)
    cells = encoder.image_size // tower.cell
    grids = [
        CellGrid.of(scene.width, scene.height, side, cells, tower.box) for side in lattice.scales
    ]
    steps = [Bands(scene, grid, tower, encoder) for grid in grids]
    total, done, start = sum(step.blocks for step in steps), 0, 0
    for grid, step in zip(grids, steps, strict=True):
        above: Cells | None = None
        for band in range(step.count):
            mine = step.cells(band, store)
            done += step.across
            progress("encode blocks", done, total)
            joined = mine if above is None else above.join(mine)
            if len(joined.weight) >= grid.tall:
                means, weight = _window_means(joined, grid.tall, grid.wide)
                end = start + len(weight)
                good = weight * grid.cell**2 >= MIN_VALID * areas[start:end]
                known[start:end] = good
                vectors[start + np.flatnonzero(good)] = _projected(means[good], tower, encoder.dim)
                start = end
            above = joined.last(min(grid.tall - 1, len(joined.weight)))
    return vectors, known


def _projected(
    means: Float32[np.ndarray, "n c"], tower: DenseTower, dim: int
) -> Float16[np.ndarray, "n dim"]:
    out = np.empty((len(means), dim), np.float16)
    for start in range(0, len(means), _PROJECTED):
        part = slice(start, start + _PROJECTED)
        out[part] = unit(tower.project(means[part]))
    return out


def _window_means(
    cells: Cells, tall: int, wide: int
) -> tuple[Float32[np.ndarray, "n c"], Float32[np.ndarray, " n"]]:
    """Weighted mean of every box of `tall` x `wide` cells, row by row, and its weight in cells."""
    weight = _box_sums(cells.weight[..., None], tall, wide)
    total = _box_sums(cells.vectors * cells.weight[..., None], tall, wide)
    means = total / np.maximum(weight, 1e-6)
    return means.reshape(-1, means.shape[-1]), weight.ravel()


def _box_sums(
    values: Float32[np.ndarray, "rows cols c"], tall: int, wide: int
) -> Float32[np.ndarray, "down across c"]:
    rows, cols = values.shape[0] - tall + 1, values.shape[1] - wide + 1
    # windows are few cells wide: adding shifted copies is exact where running sums would drift
    down = values[:rows].copy()
    for i in range(1, tall):
        down += values[i : i + rows]
    out = down[:, :cols].copy()
    for i in range(1, wide):
        out += down[:, i : i + cols]
    return out
