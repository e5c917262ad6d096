"""Windows of a scene as squares for the encoder, read in file order.

Rows are decoded once: a strip as tall as the tallest window rolls down the scene and windows are
cut from it. Reading each window by itself would decode a striped file, or a JPEG, again and again.
"""

import numpy as np
from jaxtyping import Bool, Int32, UInt8
from PIL import Image

from terraseek.scenes import Scene

__all__ = ["MIN_VALID", "WindowReader"]

MIN_VALID = 0.4
"""Share of valid pixels below which a window is not encoded."""
_STRIP_BYTES = 256 << 20
"""Above this a strip would be too large; windows are then read one by one."""
_STEP = 256


class WindowReader:
    """Reads windows sorted by their first row; one thread at a time."""

    def __init__(self, scene: Scene, side: int) -> None:
        """Read from an open scene; squares will have `side` pixels."""
        self._scene = scene
        self._side = side
        self._factors = scene.overview_factors
        self._top = 0
        self._rgb = np.empty((0, scene.width, 3), np.uint8)
        self._valid = np.empty((0, scene.width), bool)

    def squares(
        self, windows: Int32[np.ndarray, "n 4"]
    ) -> tuple[Bool[np.ndarray, " n"], UInt8[np.ndarray, "m side side 3"]]:
        """Squares of the windows (row0, col0, row1, col1) with enough valid pixels, and which.

        Raises:
            TruncatedImageError: the pixels could not be decoded.
        """
        known = np.zeros(len(windows), bool)
        squares = []
        for index, window in enumerate(windows.tolist()):
            rgb, valid = self._cut(*window)
            share = float(valid.mean()) if self._scene.has_mask else 1.0
            if share < MIN_VALID:
                continue
            if share < 1:  # black holes would look like water or shadow; the mean says nothing
                rgb = rgb.copy()
                rgb[~valid] = rgb[valid].mean(axis=0).round().astype(np.uint8)
            known[index] = True
            squares.append(_square(rgb, self._side))
        empty = np.empty((0, self._side, self._side, 3), np.uint8)
        return known, np.stack(squares) if squares else empty

    def _cut(
        self, row0: int, col0: int, row1: int, col1: int
    ) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
        height, width = row1 - row0, col1 - col0
        factor = max((f for f in self._factors if min(height, width) >= f * self._side), default=1)
        if factor > 1:
            size = (round(height / factor), round(width / factor))
            return self._scene.read(row0, col0, row1, col1, size)
        if (height + _STEP) * self._scene.width * 4 > _STRIP_BYTES:
            return self._scene.read(row0, col0, row1, col1)
        self._roll(row0, row1)
        rows = slice(row0 - self._top, row1 - self._top)
        return self._rgb[rows, col0:col1], self._valid[rows, col0:col1]

    def _roll(self, row0: int, row1: int) -> None:
        """Make the strip hold rows `row0` to `row1`, keeping what it has of them."""
        bottom = self._top + len(self._rgb)
        if not self._top <= row0 <= bottom:
            self._top = bottom = row0
            self._rgb, self._valid = self._rgb[:0], self._valid[:0]
        if row1 <= bottom:
            return
        end = min(max(row1, bottom + _STEP), self._scene.height)
        rgb, valid = self._scene.read(bottom, 0, end, self._scene.width)
        gone = row0 - self._top
        self._rgb = np.concatenate([self._rgb[gone:], rgb])
        self._valid = np.concatenate([self._valid[gone:], valid])
        self._top = row0


def _square(rgb: UInt8[np.ndarray, "h w 3"], side: int) -> UInt8[np.ndarray, "side side 3"]:
    """Bicubic and antialiased; a clipped window is squeezed, as in the published code."""
    if rgb.shape[:2] == (side, side):
        return rgb
    return np.asarray(Image.fromarray(rgb).resize((side, side), Image.Resampling.BICUBIC))
