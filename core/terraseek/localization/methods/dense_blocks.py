"""Feature cells of one window side of a scene, one row of large blocks at a time; see `dense`.

Cells at the edge of a block see padding where there is ground, so blocks overlap by half a window
and only their middle is used.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int32, UInt8
from PIL import Image

from terraseek.decoding import TimeLimit
from terraseek.encoders.base import Encoder
from terraseek.encoders.dense_tower import DenseTower
from terraseek.localization.windows.vector_files import CHUNKS_SUFFIX, load_arrays, save_arrays
from terraseek.scenes import Scene

__all__ = ["BlockEncoder", "FeatureGrid", "FeatureRows"]


@dataclass(frozen=True, slots=True)
class FeatureGrid:
    """Grid of feature cells over a scene, for one window side."""

    side: int
    """Window side in pixels; the central square whose mean is its vector may be smaller."""
    cell: int
    """Scene pixels along a feature cell."""
    rows: int
    """Rows of cells; the last may reach beyond the scene."""
    cols: int
    """Columns of cells; the last may reach beyond the scene."""
    box_rows: int
    """Rows of cells of the square whose mean is the vector of a window."""
    box_cols: int
    """Columns of cells of that square."""

    @classmethod
    def of(cls, width: int, height: int, side: int, cells: int, box: int) -> "FeatureGrid":
        """The grid of a scene.

        Args:
            width: columns of the scene.
            height: rows of the scene.
            side: window side in pixels, a multiple of `cells`.
            cells: feature cells along a window.
            box: feature cells along the square whose mean is the vector of a window.
        """
        cell = side // cells
        rows, cols = -(-height // cell), -(-width // cell)
        return cls(side, cell, rows, cols, min(box, rows), min(box, cols))

    @property
    def window_rows(self) -> int:
        """Rows of windows, which start at every cell."""
        return self.rows - self.box_rows + 1

    @property
    def window_cols(self) -> int:
        """Columns of windows."""
        return self.cols - self.box_cols + 1

    @property
    def n_windows(self) -> int:
        """Number of windows."""
        return self.window_rows * self.window_cols

    def windows(self, width: int, height: int) -> Int32[np.ndarray, "n 4"]:
        """row0, col0, row1, col1 of each window in pixels, clipped to the scene."""
        row, col = (v.ravel() for v in np.mgrid[: self.window_rows, : self.window_cols])
        row_end, col_end = (row + self.box_rows) * self.cell, (col + self.box_cols) * self.cell
        return np.stack(
            [
                row * self.cell,
                col * self.cell,
                np.minimum(row_end, height),
                np.minimum(col_end, width),
            ],
            axis=1,
        ).astype(np.int32)


@dataclass(frozen=True, eq=False)
class FeatureRows:
    """Some consecutive rows of a feature grid."""

    vectors: Float32[np.ndarray, "rows cols c"]
    """Features of each cell."""
    weight: Float32[np.ndarray, "rows cols"]
    """Fraction (0-1) of each cell that is valid and inside the scene."""

    def followed_by(self, below: "FeatureRows") -> "FeatureRows":
        """These rows followed by those below."""
        return FeatureRows(
            np.concatenate([self.vectors, below.vectors]),
            np.concatenate([self.weight, below.weight]),
        )

    def last(self, count: int) -> "FeatureRows":
        """The last `count` rows."""
        start = len(self.weight) - count
        return FeatureRows(self.vectors[start:], self.weight[start:])


@dataclass(frozen=True, eq=False)
class _Batch:
    """Some neighbouring blocks of a row of blocks."""

    first: int
    """Position of the first block in its row."""
    pixels: UInt8[np.ndarray, "n side side 3"]
    weights: Float32[np.ndarray, "n g g"]
    """Valid fraction (0-1) of each feature cell."""


class BlockEncoder:
    """Encoder of the blocks of one window side, one row of blocks at a time."""

    def __init__(
        self, scene: Scene, grid: FeatureGrid, tower: DenseTower, encoder: Encoder
    ) -> None:
        """Read blocks of an open scene for a grid of feature cells."""
        self._scene, self._grid, self._tower = scene, grid, tower
        self._limit = TimeLimit(scene.name)
        inputs_per_block = (tower.side / encoder.image_size) ** 2
        self._batch_size = max(1, round(encoder.batch_size / inputs_per_block))
        self._margin = encoder.image_size // tower.cell // 2
        self._core = tower.side // tower.cell - 2 * self._margin
        self.n_rows = -(-grid.rows // self._core)
        """Rows of blocks."""
        self.n_cols = -(-grid.cols // self._core)
        """Blocks in a row."""
        factors = [f for f in scene.overview_factors if grid.cell >= f * tower.cell]
        self._factor = max(factors, default=1)

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return self.n_rows * self.n_cols

    def encode_row(self, block_row: int, store: Path | None) -> FeatureRows:
        """Feature cells of a row of blocks, loaded if an interrupted run stored them.

        Args:
            block_row: position of the row, from 0 at the top.
            store: file of the vectors, beside which the cells are stored; None: not stored.
        """
        name = f"{self._grid.side}-{block_row}.npz"
        chunk = store.with_suffix(CHUNKS_SUFFIX) / name if store else None
        found = load_arrays(chunk) if chunk else None
        if found is not None:
            return FeatureRows(found["vectors"].astype(np.float32), found["known"])
        rows = self._encode_row(block_row)
        if chunk:
            save_arrays(chunk, {"vectors": rows.vectors.astype(np.float16), "known": rows.weight})
        return rows

    def _encode_row(self, block_row: int) -> FeatureRows:
        n_rows = min(self._core, self._grid.rows - block_row * self._core)
        n_cols = self.n_cols * self._core
        vectors = np.zeros((n_rows, n_cols, self._tower.channels), np.float32)
        weight = np.zeros((n_rows, n_cols), np.float32)
        middle = slice(self._margin, self._margin + self._core)
        for batch in self._read_batches(block_row):
            features = self._tower.cells(batch.pixels)
            for offset, block in enumerate(features):
                start = (batch.first + offset) * self._core
                cols = slice(start, start + self._core)
                vectors[:, cols] = block[middle, middle][:n_rows]
                weight[:, cols] = batch.weights[offset][middle, middle][:n_rows]
        return FeatureRows(vectors[:, : self._grid.cols], weight[:, : self._grid.cols])

    def _read_batches(self, block_row: int) -> Iterator[_Batch]:
        """Batches of a row of blocks; one is read while another is encoded."""

        def read(first: int) -> _Batch:
            columns = range(first, min(first + self._batch_size, self.n_cols))
            blocks = [self._read_block(block_row, column) for column in columns]
            return _Batch(first, np.stack([p for p, _ in blocks]), np.stack([w for _, w in blocks]))

        starts = list(range(0, self.n_cols, self._batch_size))
        with ThreadPoolExecutor(1, thread_name_prefix="scene-reader") as pool:
            pending = pool.submit(read, starts[0])
            for following in [*starts[1:], None]:
                batch = pending.result()
                if following is not None:
                    pending = pool.submit(read, following)
                yield batch

    def _read_block(
        self, block_row: int, block_col: int
    ) -> tuple[UInt8[np.ndarray, "side side 3"], Float32[np.ndarray, "g g"]]:
        """Pixels of a block, mirrored beyond the scene's edge; valid fraction of its cells."""
        side, zoom = self._tower.side, self._tower.cell / self._grid.cell
        top = (block_row * self._core - self._margin) * self._grid.cell
        left = (block_col * self._core - self._margin) * self._grid.cell
        extent = side // self._tower.cell * self._grid.cell
        row0, col0 = max(0, top), max(0, left)
        row1, col1 = min(self._scene.height, top + extent), min(self._scene.width, left + extent)
        with self._limit:
            rgb, valid = self._read_pixels(row0, col0, row1, col1)
        height = max(1, round((row1 - row0) * zoom))
        width = max(1, round((col1 - col0) * zoom))
        if valid.any() and not valid.all():
            rgb = rgb.copy()
            rgb[~valid] = rgb[valid].mean(axis=0).round().astype(np.uint8)
        before = round((row0 - top) * zoom), round((col0 - left) * zoom)
        padding = [(b, side - b - n) for b, n in zip(before, (height, width), strict=True)]
        pixels = np.pad(_resize(rgb, width, height), [*padding, (0, 0)], mode="symmetric")
        mask = np.pad(_resize(valid.astype(np.uint8) * 255, width, height), padding)
        n_cells, cell = side // self._tower.cell, self._tower.cell
        weight = mask.reshape(n_cells, cell, n_cells, cell).mean(axis=(1, 3))
        return pixels, (weight / 255).astype(np.float32)

    def _read_pixels(
        self, row0: int, col0: int, row1: int, col1: int
    ) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
        if self._factor == 1:
            return self._scene.window(row0, col0, row1, col1)
        size = (
            max(1, round((row1 - row0) / self._factor)),
            max(1, round((col1 - col0) / self._factor)),
        )
        return self._scene.window(row0, col0, row1, col1, size)


def _resize(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Bicubic and antialiased as windows are; masks by the mean over the area."""
    if image.shape[:2] == (height, width):
        return image
    resampling = Image.Resampling.BICUBIC if image.ndim == 3 else Image.Resampling.BOX
    return np.asarray(Image.fromarray(image).resize((width, height), resampling))
