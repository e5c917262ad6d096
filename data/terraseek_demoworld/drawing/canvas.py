"""A piece of land being drawn: surface colour, height above ground, and what has been placed.

Shapes are drawn in metres in a `Frame`; shadows and shading come later from the heights
(`light.py`), so that one sun shines on everything.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from terraseek_demoworld.drawing.palette import Colour, Look
from terraseek_demoworld.drawing.textures import fractal

__all__ = ["Canvas", "Drawn", "Frame", "Region"]

_SHIFT = 4  # OpenCV's fixed-point fraction bits for sub-pixel corners
_VISIBLE = 0.35  # share of an object inside the image from which a person would count it

Points = Float[np.ndarray, "n 2"]


@dataclass(frozen=True)
class Frame:
    """Local metres to canvas pixels: an origin, a rotation and a scale.

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
        cos, sin = self._turn
        out = np.empty((len(points), 2))
        out[:, 0] = self.col + points[:, 0] * cos - points[:, 1] * sin
        out[:, 1] = self.row + points[:, 0] * sin + points[:, 1] * cos
        return out

    @cached_property
    def _turn(self) -> tuple[float, float]:
        """Cosine and sine of the angle, in pixels per metre."""
        cos, sin = np.cos(self.angle) * self.scale, np.sin(self.angle) * self.scale
        return float(cos), float(sin)

    def child(self, x_m: float, y_m: float, angle: float = 0.0) -> "Frame":
        """Frame with its origin at a local point, turned by `angle` radians more."""
        cos, sin = self._turn
        x_m, y_m = float(x_m), float(y_m)
        col, row = self.col + x_m * cos - y_m * sin, self.row + x_m * sin + y_m * cos
        return Frame(col, row, self.angle + angle, self.scale)


@dataclass(frozen=True)
class Drawn:
    """An object in the image: its name and its outline (col, row), clipped to the image."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Region:
    """The part of a canvas under a polygon: where it is and how much of each pixel it covers."""

    rows: slice
    cols: slice
    cover: Float32[np.ndarray, "h w"]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the region's bounding box."""
        return self.cover.shape[0], self.cover.shape[1]

    def trimmed(self) -> "Region":
        """The region without margins that cover nothing; one pixel stays of an empty one."""
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

    def local(self, frame: Frame) -> tuple[Float32[np.ndarray, "h w"], Float32[np.ndarray, "h w"]]:
        """Local (x, y) in metres of every pixel of the region."""
        dc = np.arange(self.cols.start, self.cols.stop, dtype=np.float32)[None, :] - frame.col
        dr = np.arange(self.rows.start, self.rows.stop, dtype=np.float32)[:, None] - frame.row
        cos, sin = np.cos(frame.angle) / frame.scale, np.sin(frame.angle) / frame.scale
        x, y = dc * cos + dr * sin, dr * cos - dc * sin
        return x.astype(np.float32), y.astype(np.float32)


@dataclass
class Canvas:
    """Land of `rows` x `cols` pixels of `gsd_m` metres in one look; everything is drawn on it."""

    rows: int
    cols: int
    gsd_m: float
    look: Look
    rng: np.random.Generator
    albedo: UInt8[np.ndarray, "h w 3"] = field(init=False)
    relief: Float32[np.ndarray, "h w"] = field(init=False)
    blocked: UInt8[np.ndarray, "h w"] = field(init=False)
    drawn: list[Drawn] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.albedo = np.zeros((self.rows, self.cols, 3), np.uint8)
        self.relief = np.zeros((self.rows, self.cols), np.float32)
        self.blocked = np.zeros((self.rows, self.cols), np.uint8)

    @property
    def width_m(self) -> float:
        """Metres across."""
        return self.cols * self.gsd_m

    @property
    def height_m(self) -> float:
        """Metres down."""
        return self.rows * self.gsd_m

    def frame(self, x: float = 0.5, y: float = 0.5, angle: float = 0.0) -> Frame:
        """Frame at a relative position of the canvas (0..1 across and down)."""
        return Frame(self.cols * x, self.rows * y, angle, 1 / self.gsd_m)

    def holds(
        self, at_px: Sequence[float] | Float[np.ndarray, " 2"], margin_px: float = 0.0
    ) -> bool:
        """Whether a pixel (col, row) lies inside, or at most `margin_px` outside."""
        col, row = float(at_px[0]), float(at_px[1])
        inside = -margin_px <= col < self.cols + margin_px
        return inside and -margin_px <= row < self.rows + margin_px

    def fill(
        self,
        points_px: Points,
        colour: Colour,
        height_m: float | None = None,
        *,
        block: bool = True,
    ) -> None:
        """Fill a polygon with a colour; with `height_m` it rises that much above the ground."""
        corners = [_fixed(points_px)]
        cv2.fillPoly(self.albedo, corners, colour, cv2.LINE_AA, _SHIFT)
        if height_m is not None:
            cv2.fillPoly(self.relief, corners, (height_m,), cv2.LINE_8, _SHIFT)
        if block:
            cv2.fillPoly(self.blocked, corners, (255,), cv2.LINE_8, _SHIFT)

    def stroke(
        self,
        points_px: Points,
        width_m: float,
        colour: Colour,
        height_m: float | None = None,
        *,
        closed: bool = False,
        block: bool = False,
    ) -> None:
        """Draw a line `width_m` wide, at least one pixel."""
        width = max(1, round(width_m / self.gsd_m))
        corners = [_fixed(points_px)]
        cv2.polylines(self.albedo, corners, closed, colour, width, cv2.LINE_AA, _SHIFT)
        if height_m is not None:
            cv2.polylines(self.relief, corners, closed, (height_m,), width, cv2.LINE_8, _SHIFT)
        if block:
            cv2.polylines(self.blocked, corners, closed, (255,), width, cv2.LINE_8, _SHIFT)

    def region(self, points_px: Points, margin: int = 0) -> Region | None:
        """The pixels under a polygon, or None if it lies outside the canvas."""
        low = np.floor(points_px.min(0)).astype(int) - margin
        high = np.ceil(points_px.max(0)).astype(int) + margin + 1
        c0, r0 = max(low[0], 0), max(low[1], 0)
        c1, r1 = min(high[0], self.cols), min(high[1], self.rows)
        if c1 <= c0 or r1 <= r0:
            return None
        mask = np.zeros((r1 - r0, c1 - c0), np.uint8)
        cv2.fillPoly(mask, [_fixed(points_px - (c0, r0))], (255,), cv2.LINE_AA, _SHIFT)
        return Region(slice(r0, r1), slice(c0, c1), mask.astype(np.float32) / 255)

    def whole(self) -> Region:
        """The whole canvas as a region."""
        cover = np.ones((self.rows, self.cols), np.float32)
        return Region(slice(0, self.rows), slice(0, self.cols), cover)

    def paint(
        self, region: Region, colours: Float32[np.ndarray, "h w 3"], *, block: bool = False
    ) -> None:
        """Blend an image of colours 0..255 into a region by its cover."""
        under = self.albedo[region.rows, region.cols]
        share = region.cover[..., None]
        mixed = colours - under
        mixed *= share
        mixed += under
        np.maximum(mixed, 0, out=mixed)
        np.minimum(mixed, 255, out=mixed)
        under[...] = mixed.astype(np.uint8)
        if block:
            self.blocked[region.rows, region.cols][region.cover > 0.5] = 255

    def cover(
        self,
        region: Region,
        colour: Colour,
        other: Colour | None = None,
        cell_m: float = 12.0,
        rough: float = 6.0,
        *,
        block: bool = False,
    ) -> None:
        """Cover a region with noise between two colours, as grass, soil or pavement is."""
        wide = fractal(self.rng, region.shape, max(cell_m / self.gsd_m, 2.0))
        fine = fractal(self.rng, region.shape, max(1.5 / self.gsd_m, 1.0), 2)
        share = np.clip(0.5 + 0.35 * wide, 0, 1)[..., None]
        first = np.asarray(colour, np.float32)
        second = np.asarray(other if other is not None else colour, np.float32)
        image = first + (second - first) * share + (rough * (fine + 0.5 * wide))[..., None]
        self.paint(region, image.astype(np.float32), block=block)

    def record(self, name: str, points_px: Points) -> bool:
        """Note an object for captions and truth; False when too little of it is in the image."""
        inside = clip(points_px, self.cols, self.rows)
        if len(inside) < 3 or _area(inside) < _VISIBLE * _area(points_px):
            return False
        corners = tuple((round(float(c), 1), round(float(r), 1)) for c, r in inside)
        self.drawn.append(Drawn(name, corners))
        return True

    def count(self, name: str) -> int:
        """How many objects of this name have been recorded."""
        return sum(item.name == name for item in self.drawn)


def clip(points_px: Points, width: float, height: float) -> Float[np.ndarray, "k 2"]:
    """Polygon cut to the image 0..width, 0..height (Sutherland and Hodgman 1974)."""
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


def _area(points_px: Points) -> float:
    x, y = points_px[:, 0], points_px[:, 1]
    after = np.concatenate([points_px[1:], points_px[:1]])
    return float(abs(np.dot(x, after[:, 1]) - np.dot(y, after[:, 0])) / 2)


def _fixed(points_px: Points) -> np.ndarray:
    # far corners would overflow OpenCV's fixed point
    grid: np.ndarray = np.rint(points_px * (1 << _SHIFT))
    np.maximum(grid, -(1 << 24), out=grid)
    np.minimum(grid, 1 << 24, out=grid)
    return grid.astype(np.int32)
