"""A piece of land being drawn: surface colour, height above ground, and the objects placed on it.

Shapes are drawn in metres in a `Frame`; shadows and shading are computed later from the heights
(`light.py`), so that one sun lights everything.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from terraseek_demoworld.drawing.geometry import Frame, Points, Region, clip_polygon, polygon_area
from terraseek_demoworld.drawing.palette import Colour, Look
from terraseek_demoworld.drawing.textures import fractal

__all__ = ["Canvas", "DrawnObject"]

_SHIFT = 4  # OpenCV's fixed-point fraction bits for sub-pixel corners
_MIN_VISIBLE_SHARE = 0.35  # share of an object inside the image from which a person would count it


@dataclass(frozen=True)
class DrawnObject:
    """Object in the image: its name and its outline (col, row) in pixels, clipped to the image."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass
class Canvas:
    """Land of `rows` x `cols` pixels of `gsd_m` metres, with the colours of `look`.

    `albedo` is surface colour 0..255, `relief` height in metres, `blocked` is 255 where nothing
    more may be placed, `objects` are those recorded for captions and ground truth.
    """

    rows: int
    cols: int
    gsd_m: float
    look: Look
    rng: np.random.Generator
    albedo: UInt8[np.ndarray, "h w 3"] = field(init=False)
    relief: Float32[np.ndarray, "h w"] = field(init=False)
    blocked: UInt8[np.ndarray, "h w"] = field(init=False)
    objects: list[DrawnObject] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.albedo = np.zeros((self.rows, self.cols, 3), np.uint8)
        self.relief = np.zeros((self.rows, self.cols), np.float32)
        self.blocked = np.zeros((self.rows, self.cols), np.uint8)

    @property
    def width_m(self) -> float:
        """Width in metres."""
        return self.cols * self.gsd_m

    @property
    def height_m(self) -> float:
        """Height in metres."""
        return self.rows * self.gsd_m

    def frame(self, x: float = 0.5, y: float = 0.5, angle: float = 0.0) -> Frame:
        """Frame at a relative position of the canvas (0..1 across and down)."""
        return Frame(self.cols * x, self.rows * y, angle, 1 / self.gsd_m)

    def contains(
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
        """Fill a polygon with a colour; `height_m` sets its height above the ground.

        With `block` nothing is planted or built on it later.
        """
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
        """Draw a line `width_m` wide, at least one pixel; arguments as in `fill`."""
        width = max(1, round(width_m / self.gsd_m))
        corners = [_fixed(points_px)]
        cv2.polylines(self.albedo, corners, closed, colour, width, cv2.LINE_AA, _SHIFT)
        if height_m is not None:
            cv2.polylines(self.relief, corners, closed, (height_m,), width, cv2.LINE_8, _SHIFT)
        if block:
            cv2.polylines(self.blocked, corners, closed, (255,), width, cv2.LINE_8, _SHIFT)

    def region(self, points_px: Points, margin: int = 0) -> Region | None:
        """Pixels under a polygon with a margin, or None if it lies outside the canvas."""
        low = np.floor(points_px.min(0)).astype(int) - margin
        high = np.ceil(points_px.max(0)).astype(int) + margin + 1
        c0, r0 = max(low[0], 0), max(low[1], 0)
        c1, r1 = min(high[0], self.cols), min(high[1], self.rows)
        if c1 <= c0 or r1 <= r0:
            return None
        mask = np.zeros((r1 - r0, c1 - c0), np.uint8)
        cv2.fillPoly(mask, [_fixed(points_px - (c0, r0))], (255,), cv2.LINE_AA, _SHIFT)
        return Region(slice(r0, r1), slice(c0, c1), mask.astype(np.float32) / 255)

    def full_region(self) -> Region:
        """The whole canvas as a region."""
        cover = np.ones((self.rows, self.cols), np.float32)
        return Region(slice(0, self.rows), slice(0, self.cols), cover)

    def paint(
        self, region: Region, colours: Float32[np.ndarray, "h w 3"], *, block: bool = False
    ) -> None:
        """Blend an image of colours 0..255 into a region, weighted by its cover."""
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
        roughness: float = 6.0,
        *,
        block: bool = False,
    ) -> None:
        """Cover a region with noise between two colours, as for grass, soil or pavement.

        `cell_m` is the size of the patches; `roughness` the amplitude of fine grain, 0..255.
        """
        wide = fractal(self.rng, region.shape, max(cell_m / self.gsd_m, 2.0))
        fine = fractal(self.rng, region.shape, max(1.5 / self.gsd_m, 1.0), 2)
        share = np.clip(0.5 + 0.35 * wide, 0, 1)[..., None]
        first = np.asarray(colour, np.float32)
        second = np.asarray(other if other is not None else colour, np.float32)
        image = first + (second - first) * share + (roughness * (fine + 0.5 * wide))[..., None]
        self.paint(region, image.astype(np.float32), block=block)

    def record(self, name: str, points_px: Points) -> bool:
        """Record an object for captions and ground truth.

        Return False, without recording, if too little of it lies inside the image.
        """
        inside = clip_polygon(points_px, self.cols, self.rows)
        if len(inside) < 3 or polygon_area(inside) < _MIN_VISIBLE_SHARE * polygon_area(points_px):
            return False
        corners = tuple((round(float(c), 1), round(float(r), 1)) for c, r in inside)
        self.objects.append(DrawnObject(name, corners))
        return True

    def count(self, name: str) -> int:
        """Number of recorded objects of this name."""
        return sum(item.name == name for item in self.objects)


def _fixed(points_px: Points) -> np.ndarray:
    # corners far outside would overflow OpenCV's fixed-point coordinates
    grid: np.ndarray = np.rint(points_px * (1 << _SHIFT))
    np.maximum(grid, -(1 << 24), out=grid)
    np.minimum(grid, 1 << 24, out=grid)
    return grid.astype(np.int32)
