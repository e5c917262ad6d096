"""Ground control points as a smooth mapping: an affine grid plus a polynomial where that pays.

A photograph of hilly ground, or a swath from the side, is no affine image of the map. Polynomials
of second and third order follow it. Each order has to earn its place: leaving out one point after
another, it must place the left-out points clearly better than the order below.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from affine import Affine
from jaxtyping import Float64

if TYPE_CHECKING:
    from rasterio.control import GroundControlPoint

__all__ = ["Bend", "fit_points"]

_MOST_ORDER = 3
_SPARE_POINTS = 1.5
"""Points a polynomial needs, per coefficient."""
_BETTER = 0.7
"""Share of the lower order's error that a higher order must stay below."""
_STEPS = 20
_EXACT_PX = 1e-4

Places = Float64[np.ndarray, "*n"]


@dataclass(frozen=True, eq=False)
class Bend:
    """Pixels to the scene's CRS by polynomials, and back by Newton's method."""

    width: int
    height: int
    order: int
    x: Float64[np.ndarray, " terms"]
    """Coefficients of x over powers of column and row, both scaled to -1..1."""
    y: Float64[np.ndarray, " terms"]
    """The same of y."""
    points: "tuple[GroundControlPoint, ...]"
    """What it was fitted to, for files that keep it."""

    def places(self, cols: Places, rows: Places) -> tuple[Places, Places]:
        """CRS coordinates of pixel positions; outside the scene, the polynomial's tangent.

        Far from its points a polynomial runs off, and a tile there would show the scene twice.
        """
        u, v = self._scaled(cols, rows)
        inner_u, inner_v = np.clip(u, -1, 1), np.clip(v, -1, 1)
        x, y = self._at(inner_u, inner_v)
        du, dv = u - inner_u, v - inner_v
        (xu, xv), (yu, yv) = self._slopes(inner_u, inner_v)
        return x + xu * du + xv * dv, y + yu * du + yv * dv

    def pixels(self, x: Places, y: Places, start: Affine) -> tuple[Places, Places]:
        """Pixel positions of CRS coordinates, from those an affine grid `start` says."""
        back = ~start
        cols, rows = back.a * x + back.b * y + back.c, back.d * x + back.e * y + back.f
        for _ in range(_STEPS):
            found_x, found_y = self.places(cols, rows)
            off_x, off_y = x - found_x, y - found_y
            u, v = (np.clip(w, -1, 1) for w in self._scaled(cols, rows))
            (xu, xv), (yu, yv) = self._slopes(u, v)
            turn = xu * yv - xv * yu
            down = (off_y * xu - off_x * yu) / turn * (self.height / 2)
            across = (off_x * yv - off_y * xv) / turn * (self.width / 2)
            cols, rows = cols + across, rows + down
            step = np.abs(np.stack([across, down]))
            if not np.any(step[np.isfinite(step)] > _EXACT_PX):
                break
        return cols, rows

    def reduced(self, width: int, height: int) -> "Bend":
        """The same ground in another number of pixels."""
        return Bend(width, height, self.order, self.x, self.y, self.points)

    @cached_property
    def _powers(self) -> list[tuple[int, int]]:
        return _powers(self.order)

    def _scaled(self, cols: Places, rows: Places) -> tuple[Places, Places]:
        return cols * (2 / self.width) - 1, rows * (2 / self.height) - 1

    def _at(self, u: Places, v: Places) -> tuple[Places, Places]:
        terms = [u**a * v**b for a, b in self._powers]
        x = sum(c * term for c, term in zip(self.x, terms, strict=True))
        y = sum(c * term for c, term in zip(self.y, terms, strict=True))
        return np.asarray(x), np.asarray(y)

    def _slopes(self, u: Places, v: Places) -> tuple[tuple[Places, Places], tuple[Places, Places]]:
        """Derivatives of x, then of y, along u and v."""
        along_u = [a * u ** max(a - 1, 0) * v**b for a, b in self._powers]
        along_v = [b * u**a * v ** max(b - 1, 0) for a, b in self._powers]

        def both(coefficients: Float64[np.ndarray, " terms"]) -> tuple[Places, Places]:
            pairs = [zip(coefficients, slopes, strict=True) for slopes in (along_u, along_v)]
            first, second = (np.asarray(sum(c * s for c, s in pair)) for pair in pairs)
            return first, second

        return both(self.x), both(self.y)


def _powers(order: int) -> list[tuple[int, int]]:
    found = [(a, b) for a in range(order + 1) for b in range(order + 1 - a)]
    return sorted(found, key=sum)


def fit_points(
    points: "Sequence[GroundControlPoint]", width: int, height: int
) -> tuple[Bend | None, float]:
    """The polynomial that places left-out points best, and by how much it misses them.

    Returns:
        None where an affine grid does as well; root mean square of the distances in pixels between
        each point and where the fit without it puts it (with too few points to leave one out, the
        distances to the fit of all).
    """
    pixel = np.array([(p.col, p.row) for p in points], np.float64)
    place = np.array([(p.x, p.y) for p in points], np.float64)
    scaled = pixel * (2 / np.array([width, height])) - 1
    middle, spread = place.mean(axis=0), max(float(np.ptp(place, axis=0).max()), 1e-12)
    wanted = (place - middle) / spread
    best_order, best = 1, _misses(scaled, wanted, 1)
    for order in range(2, _MOST_ORDER + 1):
        if len(points) < _SPARE_POINTS * len(_powers(order)):
            break
        now = _misses(scaled, wanted, order)
        if now < _BETTER * best:
            best_order, best = order, now
    linear = _solve(_design(scaled, 1), wanted)[1:] * spread
    # ground units per pixel: the area of a pixel, as the side of a square
    unit = np.sqrt(abs(np.linalg.det(linear)) * 4 / (width * height))
    residual = float(best * spread / unit) if unit > 0 else float("inf")
    if best_order == 1:
        return None, residual
    found = _solve(_design(scaled, best_order), wanted) * spread
    found[0] += middle
    return Bend(width, height, best_order, found[:, 0], found[:, 1], tuple(points)), residual


def _design(scaled: Float64[np.ndarray, "n 2"], order: int) -> Float64[np.ndarray, "n terms"]:
    return np.stack([scaled[:, 0] ** a * scaled[:, 1] ** b for a, b in _powers(order)], axis=1)


def _solve(
    design: Float64[np.ndarray, "n terms"], wanted: Float64[np.ndarray, "n 2"]
) -> Float64[np.ndarray, "terms 2"]:
    found: Float64[np.ndarray, "terms 2"] = np.linalg.lstsq(design, wanted, rcond=None)[0]
    return found


def _misses(
    scaled: Float64[np.ndarray, "n 2"], wanted: Float64[np.ndarray, "n 2"], order: int
) -> float:
    """Root mean square distance of left-out points, by the leverages of the least squares fit."""
    design = _design(scaled, order)
    off = wanted - design @ _solve(design, wanted)
    # a point of leverage h is missed by off / (1 - h) when it is left out (Cook & Weisberg 1982)
    leverage = np.einsum("ij,ji->i", design, np.linalg.pinv(design))
    if len(scaled) > design.shape[1] and np.all(leverage < 1 - 1e-9):
        off = off / (1 - leverage)[:, None]
    return float(np.sqrt(np.mean(np.sum(off**2, axis=1))))
