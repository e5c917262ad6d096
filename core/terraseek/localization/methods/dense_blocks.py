"""The cells of one scale of a scene, a row of large blocks at a time; see `dense`.

Cells at the edge of a block see padding where there is ground; blocks therefore overlap by half a
window and only their middle is used.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int32, UInt8
from PIL import Image

from terraseek.encoders.base import Encoder
from terraseek.encoders.dense_tower import DenseTower
from terraseek.localization.windows.vector_files import load_arrays, save_arrays
from terraseek.scenes import Scene

__all__ = ["Bands", "CellGrid", "Cells"]


@dataclass(frozen=True, slots=True)
class CellGrid:
    """Cells of one scale over a scene."""

    side: int
    """Pixels of a window; the square in its middle that stands for it may be smaller."""
    cell: int
    """Scene pixels of a cell."""
    rows: int
    cols: int
    """Cells down and across; the last may reach beyond the scene."""
    tall: int
    wide: int
    """Cells down and across the square that stands for a window."""

    @classmethod
    def of(cls, width: int, height: int, side: int, cells: int, box: int) -> "CellGrid":
        """The grid whose windows have `side` pixels and `cells` cells; `box` stand for them."""
        cell = side // cells
        rows, cols = -(-height // cell), -(-width // cell)
        return cls(side, cell, rows, cols, min(box, rows), min(box, cols))

    @property
    def down(self) -> int:
        """Windows below each other."""
        return self.rows - self.tall + 1

    @property
    def across(self) -> int:
        """Windows beside each other."""
        return self.cols - self.wide + 1

    @property
    def count(self) -> int:
        """All windows."""
        return self.down * self.across

    def windows(self, width: int, height: int) -> Int32[np.ndarray, "n 4"]:
        """row0, col0, row1, col1 of each window, clipped to the scene."""
        row, col = (v.ravel() for v in np.mgrid[: self.down, : self.across])
        ends = (row + self.tall) * self.cell, (col + self.wide) * self.cell
        return np.stack(
            [
                row * self.cell,
                col * self.cell,
                np.minimum(ends[0], height),
                np.minimum(ends[1], width),
            ],
            axis=1,
        ).astype(np.int32)


@dataclass(frozen=True, eq=False)
class Cells:
    """Some rows of a grid."""

    vectors: Float32[np.ndarray, "rows cols c"]
    weight: Float32[np.ndarray, "rows cols"]
    """Share of each cell that is valid and inside the scene, 0-1."""

    def join(self, below: "Cells") -> "Cells":
        """These rows and those below."""
        return Cells(
            np.concatenate([self.vectors, below.vectors]),
            np.concatenate([self.weight, below.weight]),
        )

    def last(self, rows: int) -> "Cells":
        """The lowest rows."""
        start = len(self.weight) - rows
        return Cells(self.vectors[start:], self.weight[start:])


_Batch = tuple[int, UInt8[np.ndarray, "n side side 3"], Float32[np.ndarray, "n g g"]]


class Bands:
    """One scale's blocks, a row of them at a time."""

    def __init__(self, scene: Scene, grid: CellGrid, tower: DenseTower, encoder: Encoder) -> None:
        """Read blocks of an open scene for a grid of cells."""
        self._scene, self._grid, self._tower = scene, grid, tower
        images = (tower.side / encoder.image_size) ** 2
        self._batch = max(1, round(encoder.batch_size / images))
        self._margin = encoder.image_size // tower.cell // 2
        self._core = tower.side // tower.cell - 2 * self._margin
        self.count = -(-grid.rows // self._core)
        """Bands."""
        self.across = -(-grid.cols // self._core)
        """Blocks in a band."""
        factors = [f for f in scene.overview_factors if grid.cell >= f * tower.cell]
        self._factor = max(factors, default=1)

    @property
    def blocks(self) -> int:
        """All blocks."""
        return self.count * self.across

    def cells(self, band: int, store: Path | None) -> Cells:
        """Cells of a band, from its part if an interrupted run left one."""
        part = store.with_suffix(".parts") / f"{self._grid.side}-{band}.npz" if store else None
        found = load_arrays(part) if part else None
        if found is None:
            cells = self._encoded(band)
            if part:
                kept = {"vectors": cells.vectors.astype(np.float16), "known": cells.weight}
                save_arrays(part, kept)
            return cells
        return Cells(found["vectors"].astype(np.float32), found["known"])

    def _encoded(self, band: int) -> Cells:
        first = band * self._core
        rows = min(self._core, self._grid.rows - first)
        vectors = np.zeros((rows, self.across * self._core, self._tower.channels), np.float32)
        weight = np.zeros((rows, self.across * self._core), np.float32)
        inside = slice(self._margin, self._margin + self._core)
        for start, blocks, shares in self._read_ahead(band):
            grids = self._tower.cells(blocks)
            for place, grid in enumerate(grids):
                cols = slice((start + place) * self._core, (start + place + 1) * self._core)
                vectors[:, cols] = grid[inside, inside][:rows]
                weight[:, cols] = shares[place][inside, inside][:rows]
        return Cells(vectors[:, : self._grid.cols], weight[:, : self._grid.cols])

    def _read_ahead(self, band: int) -> Iterator[_Batch]:
        """First block, pixels and valid shares of batches; one is read while one is encoded."""

        def read(start: int) -> _Batch:
            places = range(start, min(start + self._batch, self.across))
            pairs = [self._block(band, place) for place in places]
            return start, np.stack([p for p, _ in pairs]), np.stack([s for _, s in pairs])

        starts = list(range(0, self.across, self._batch))
        with ThreadPoolExecutor(1, thread_name_prefix="scene-reader") as pool:
            waiting = pool.submit(read, starts[0])
            for following in [*starts[1:], None]:
                batch = waiting.result()
                if following is not None:
                    waiting = pool.submit(read, following)
                yield batch

    def _block(
        self, band: int, place: int
    ) -> tuple[UInt8[np.ndarray, "side side 3"], Float32[np.ndarray, "g g"]]:
        """Pixels of a block, mirrored beyond the scene's edge, and the valid share of its cells."""
        side, zoom = self._tower.side, self._tower.cell / self._grid.cell
        top = (band * self._core - self._margin) * self._grid.cell
        left = (place * self._core - self._margin) * self._grid.cell
        reach = side // self._tower.cell * self._grid.cell
        row0, col0 = max(0, top), max(0, left)
        row1, col1 = min(self._scene.height, top + reach), min(self._scene.width, left + reach)
        rgb, valid = self._read(row0, col0, row1, col1)
        height = max(1, round((row1 - row0) * zoom))
        width = max(1, round((col1 - col0) * zoom))
        if valid.any() and not valid.all():
            rgb = rgb.copy()
            rgb[~valid] = rgb[valid].mean(axis=0).round().astype(np.uint8)
        before = round((row0 - top) * zoom), round((col0 - left) * zoom)
        beyond = [(b, side - b - n) for b, n in zip(before, (height, width), strict=True)]
        pixels = np.pad(_resized(rgb, width, height), [*beyond, (0, 0)], mode="symmetric")
        share = np.pad(_resized(valid.astype(np.uint8) * 255, width, height), beyond)
        parts = side // self._tower.cell
        shares = share.reshape(parts, self._tower.cell, parts, self._tower.cell).mean(axis=(1, 3))
        return pixels, (shares / 255).astype(np.float32)

    def _read(
        self, row0: int, col0: int, row1: int, col1: int
    ) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
        if self._factor == 1:
            return self._scene.read(row0, col0, row1, col1)
        size = (
            max(1, round((row1 - row0) / self._factor)),
            max(1, round((col1 - col0) / self._factor)),
        )
        return self._scene.read(row0, col0, row1, col1, size)


def _resized(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Bicubic and antialiased like windows; masks by area."""
    if image.shape[:2] == (height, width):
        return image
    how = Image.Resampling.BICUBIC if image.ndim == 3 else Image.Resampling.BOX
    return np.asarray(Image.fromarray(image).resize((width, height), how))
