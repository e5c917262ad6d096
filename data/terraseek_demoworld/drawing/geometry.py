"""Geometry of drawing: local frames in metres, regions of pixels, polygons in pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Float32

__all__ = ["Frame", "Points", "Region", "clip_polygon", "polygon_area"]

Points = Float[np.ndarray, "n 2"]
"""Corners of an outline or line, one row each."""


@dataclass(frozen=True)
class Frame:
    """Local coordinate system in metres on the canvas: an origin, a rotation and a scale.

    `col`, `row` is the origin in pixels, `angle` in radians turns local x towards local y,
    `scale` is pixels per metre.
    """

    col: float
    row: float
    angle: float
    scale: float

    @property
    def origin(self) -> tuple[float, float]:
        """The origin in pixels (col, row)."""
        return self.col, self.row

    def px(self, points_m: Sequence[Sequence[float]] | Points) -> Points:
        """Pixel coordinates (col, row) of local points (x, y) in metres."""
        points = np.asarray(points_m, dtype=np.float64)
        cos, sin = self._scaled_rotation
        out = np.empty((len(points), 2))
        out[:, 0] = self.col + points[:, 0] * cos - points[:, 1] * sin
        out[:, 1] = self.row + points[:, 0] * sin + points[:, 1] * cos
        return out

    @cached_property
    def _scaled_rotation(self) -> tuple[float, float]:
        """Cosine and sine of the angle, times pixels per metre."""
        cos, sin = np.cos(self.angle) * self.scale, np.sin(self.angle) * self.scale
        return float(cos), float(sin)

    def child(self, x_m: float, y_m: float, angle: float = 0.0) -> "Frame":
        """Frame with its origin at a local point, rotated by a further `angle` radians."""
        cos, sin = self._scaled_rotation
        x_m, y_m = float(x_m), float(y_m)
        col, row = self.col + x_m * cos - y_m * sin, self.row + x_m * sin + y_m * cos
        return Frame(col, row, self.angle + angle, self.scale)


@dataclass(frozen=True)
class Region:
    """Part of a canvas: its bounding box and the share (0 to 1) covered of each pixel."""

    rows: slice
    cols: slice
    cover: Float32[np.ndarray, "h w"]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the region's bounding box."""
        return self.cover.shape[0], self.cover.shape[1]

    def trimmed(self) -> "Region":
        """Region without its empty margins; an empty region keeps one pixel."""
        rows = np.flatnonzero(self.cover.any(axis=1))
        cols = np.flatnonzero(self.cover.any(axis=0))
        if not len(rows):
            rows = cols = np.zeros(1, int)
        r0, r1, c0, c1 = int(rows[0]), int(rows[-1]) + 1, int(cols[0]), int(cols[-1]) + 1
        return Region(
            slice(self.rows.start + r0, self.rows.start + r1),
            slice(self.cols.start + c0, self.cols.start + c1),
            self.cover[r0:r1, c0:c1],
        )

    def local_coordinates(
        self, frame: Frame
    ) -> tuple[Float32[np.ndarray, "h w"], Float32[np.ndarray, "h w"]]:
        """Local (x, y) in metres of every pixel of the region."""
        dc = np.arange(self.cols.start, self.cols.stop, dtype=np.float32)[None, :] - frame.col
        dr = np.arange(self.rows.start, self.rows.stop, dtype=np.float32)[:, None] - frame.row
        cos, sin = np.cos(frame.angle) / frame.scale, np.sin(frame.angle) / frame.scale
        x, y = dc * cos + dr * sin, dr * cos - dc * sin
        return x.astype(np.float32), y.astype(np.float32)


def clip_polygon(points_px: Points, width: float, height: float) -> Float[np.ndarray, "k 2"]:
    """Polygon clipped to the image 0..width, 0..height (Sutherland and Hodgman 1974)."""
    points = [np.asarray(p, float) for p in points_px]
    for axis, limit, sign in ((0, 0.0, 1), (0, width, -1), (1, 0.0, 1), (1, height, -1)):
        kept: list[np.ndarray] = []
        for here, after in zip(points, points[1:] + points[:1], strict=True):
            d0, d1 = sign * (here[axis] - limit), sign * (after[axis] - limit)
            if d0 >= 0:
                kept.append(here)
            if d0 * d1 < 0:
                kept.append(here + (after - here) * (d0 / (d0 - d1)))
        points = kept
        if not points:
            break
    return np.array(points).reshape(-1, 2)


def polygon_area(points_px: Points) -> float:
    """Area of a polygon in square pixels (shoelace formula)."""
    x, y = points_px[:, 0], points_px[:, 1]
    after = np.concatenate([points_px[1:], points_px[:1]])
    return float(abs(np.dot(x, after[:, 1]) - np.dot(y, after[:, 0])) / 2)
