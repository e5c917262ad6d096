"""Read windows of a scene as squares for the encoder, in file order.

Each row is decoded once: a strip as tall as the tallest window moves down the scene, and another
down each overview in use, and windows are cut from these strips. Reading each window separately
would decode a striped file, or a JPEG, again and again, and each GDAL call costs as much as
encoding half a window.
"""

import numpy as np
from jaxtyping import Bool, Int32, UInt8
from PIL import Image

from terraseek.decoding import TimeLimit
from terraseek.scenes import Scene

__all__ = ["MIN_VALID", "WindowReader"]

MIN_VALID = 0.4
"""Fraction of valid pixels below which a window is not encoded."""
_MAX_STRIP_BYTES = 256 << 20
"""Windows that need a larger strip are read one by one."""
_ROWS_PER_READ = 256


class WindowReader:
    """Reader of windows sorted by their first row; for one thread at a time."""

    def __init__(self, scene: Scene, side: int) -> None:
        """Read from an open scene.

        Args:
            scene: open scene.
            side: side in pixels of the squares that windows are resized to.
        """
        self._scene = scene
        self._limit = TimeLimit(scene.name)
        self._side = side
        self._factors = scene.overview_factors
        self._strips: dict[int, _Strip] = {}

    def squares(
        self, windows: Int32[np.ndarray, "n 4"]
    ) -> tuple[Bool[np.ndarray, " n"], UInt8[np.ndarray, "m side side 3"]]:
        """Read windows and resize them; invalid pixels get the mean colour of the valid ones.

        Args:
            windows: row0, col0, row1, col1 of each window, sorted by row0.

        Returns:
            Which windows have at least `MIN_VALID` valid pixels, and the squares of these.

        Raises:
            TruncatedImageError: the pixels could not be decoded.
            SceneTooSlowError: decoding takes more than `TERRASEEK_MAX_SECONDS` in all.
        """
        enough_valid = np.zeros(len(windows), bool)
        squares = []
        for index, window in enumerate(windows.tolist()):
            with self._limit:
                rgb, valid = self._cut(*window)
            valid_fraction = float(valid.mean()) if self._scene.has_mask else 1.0
            if valid_fraction < MIN_VALID:
                continue
            if valid_fraction < 1:  # black holes would look like water or shadow
                rgb = rgb.copy()
                rgb[~valid] = rgb[valid].mean(axis=0).round().astype(np.uint8)
            enough_valid[index] = True
            squares.append(_resize_square(rgb, self._side))
        empty = np.empty((0, self._side, self._side, 3), np.uint8)
        return enough_valid, np.stack(squares) if squares else empty

    def _cut(
        self, row0: int, col0: int, row1: int, col1: int
    ) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
        height, width = row1 - row0, col1 - col0
        factor = max((f for f in self._factors if min(height, width) >= f * self._side), default=1)
        aligned = not any(edge % factor for edge in (row0, col0, row1, col1))
        strip_bytes = (height // factor + _ROWS_PER_READ) * self._scene.width // factor * 4
        if not aligned or strip_bytes > _MAX_STRIP_BYTES:
            size = (round(height / factor), round(width / factor)) if factor > 1 else None
            return self._scene.window(row0, col0, row1, col1, size)
        if factor not in self._strips:
            self._strips[factor] = _Strip(self._scene, factor)
        rgb, valid = self._strips[factor].rows(row0 // factor, row1 // factor)
        cols = slice(col0 // factor, col1 // factor)
        return rgb[:, cols], valid[:, cols]


class _Strip:
    """Some full rows of a scene, in the pixels of the file or of one of its overviews."""

    def __init__(self, scene: Scene, factor: int) -> None:
        self._scene, self._factor = scene, factor
        self._size = scene.height // factor, scene.width // factor
        self._top = 0
        self._rgb = np.empty((0, self._size[1], 3), np.uint8)
        self._valid = np.empty((0, self._size[1]), bool)

    def rows(
        self, first: int, last: int
    ) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
        """Colours and valid mask of rows `first` up to `last`; rows above `first` are dropped."""
        bottom = self._top + len(self._rgb)
        if not self._top <= first <= bottom:
            self._top = bottom = first
            self._rgb, self._valid = self._rgb[:0], self._valid[:0]
        if last > bottom:
            end = min(max(last, bottom + _ROWS_PER_READ), self._size[0])
            rgb, valid = self._read(bottom, end)
            n_dropped = first - self._top
            self._rgb = np.concatenate([self._rgb[n_dropped:], rgb])
            self._valid = np.concatenate([self._valid[n_dropped:], valid])
            self._top = first
        rows = slice(first - self._top, last - self._top)
        return self._rgb[rows], self._valid[rows]

    def _read(
        self, first: int, last: int
    ) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
        factor, width = self._factor, self._size[1]
        size = (last - first, width) if factor > 1 else None
        return self._scene.window(first * factor, 0, last * factor, width * factor, size)


def _resize_square(rgb: UInt8[np.ndarray, "h w 3"], side: int) -> UInt8[np.ndarray, "side side 3"]:
    """Bicubic and antialiased; a clipped window is stretched, as in the published code."""
    if rgb.shape[:2] == (side, side):
        return rgb
    return np.asarray(Image.fromarray(rgb).resize((side, side), Image.Resampling.BICUBIC))
