"""Polynomial mapping from pixels to map coordinates, fitted to ground control points (GCPs).

An oblique image, or one of hilly ground, is not an affine image of the map; polynomials of second
and third order fit it better. The order is chosen by leave-one-out cross-validation: a higher order
is used only if it predicts left-out points clearly better than the order below.
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

__all__ = ["GcpPolynomial", "fit_gcps"]

_MAX_ORDER = 3
_POINTS_PER_COEFFICIENT = 1.5
"""Number of points that a polynomial needs per coefficient."""
_MAX_ERROR_RATIO = 0.7
"""A higher order is used if its error is below this share of the lower order's error."""
_MAX_NEWTON_STEPS = 20
_NEWTON_TOLERANCE_PX = 1e-4

Values = Float64[np.ndarray, "*n"]


@dataclass(frozen=True, eq=False)
class GcpPolynomial:
    """Polynomials from pixels to CRS coordinates, inverted by Newton's method."""

    width: int
    height: int
    order: int
    x: Float64[np.ndarray, " terms"]
    """Coefficients of the x coordinate for powers of column and row, both scaled to -1..1."""
    y: Float64[np.ndarray, " terms"]
    """Coefficients of the y coordinate."""
    points: "tuple[GroundControlPoint, ...]"
    """Points it was fitted to, to be stored in output files."""

    def to_crs(self, cols: Values, rows: Values) -> tuple[Values, Values]:
        """CRS coordinates of pixel positions, extrapolated linearly outside the scene.

        Far from its points a polynomial diverges, so that a tile there would show the scene twice.
        """
        u, v = self._scaled(cols, rows)
        inner_u, inner_v = np.clip(u, -1, 1), np.clip(v, -1, 1)
        x, y = self._evaluate(inner_u, inner_v)
        du, dv = u - inner_u, v - inner_v
        (xu, xv), (yu, yv) = self._derivatives(inner_u, inner_v)
        return x + xu * du + xv * dv, y + yu * du + yv * dv

    def to_pixels(self, x: Values, y: Values, start: Affine) -> tuple[Values, Values]:
        """Pixel positions of CRS coordinates; Newton's method starts with the affine transform."""
        inverse = ~start
        cols = inverse.a * x + inverse.b * y + inverse.c
        rows = inverse.d * x + inverse.e * y + inverse.f
        for _ in range(_MAX_NEWTON_STEPS):
            mapped_x, mapped_y = self.to_crs(cols, rows)
            error_x, error_y = x - mapped_x, y - mapped_y
            u, v = (np.clip(w, -1, 1) for w in self._scaled(cols, rows))
            (xu, xv), (yu, yv) = self._derivatives(u, v)
            determinant = xu * yv - xv * yu
            step_rows = (error_y * xu - error_x * yu) / determinant * (self.height / 2)
            step_cols = (error_x * yv - error_y * xv) / determinant * (self.width / 2)
            cols, rows = cols + step_cols, rows + step_rows
            step = np.abs(np.stack([step_cols, step_rows]))
            if not np.any(step[np.isfinite(step)] > _NEWTON_TOLERANCE_PX):
                break
        return cols, rows

    def resized(self, width: int, height: int) -> "GcpPolynomial":
        """The same mapping for a grid of another size that covers the same ground."""
        return GcpPolynomial(width, height, self.order, self.x, self.y, self.points)

    @cached_property
    def _exponents(self) -> list[tuple[int, int]]:
        return _exponents(self.order)

    def _scaled(self, cols: Values, rows: Values) -> tuple[Values, Values]:
        return cols * (2 / self.width) - 1, rows * (2 / self.height) - 1

    def _evaluate(self, u: Values, v: Values) -> tuple[Values, Values]:
        terms = [u**a * v**b for a, b in self._exponents]
        x = sum(c * term for c, term in zip(self.x, terms, strict=True))
        y = sum(c * term for c, term in zip(self.y, terms, strict=True))
        return np.asarray(x), np.asarray(y)

    def _derivatives(
        self, u: Values, v: Values
    ) -> tuple[tuple[Values, Values], tuple[Values, Values]]:
        """Derivatives of x, then of y, with respect to the scaled column u and row v."""
        along_u = [a * u ** max(a - 1, 0) * v**b for a, b in self._exponents]
        along_v = [b * u**a * v ** max(b - 1, 0) for a, b in self._exponents]

        def gradient(
            coefficients: Float64[np.ndarray, " terms"],
        ) -> tuple[Values, Values]:
            pairs = [zip(coefficients, terms, strict=True) for terms in (along_u, along_v)]
            first, second = (np.asarray(sum(c * s for c, s in pair)) for pair in pairs)
            return first, second

        return gradient(self.x), gradient(self.y)


def _exponents(order: int) -> list[tuple[int, int]]:
    found = [(a, b) for a in range(order + 1) for b in range(order + 1 - a)]
    return sorted(found, key=sum)


def fit_gcps(
    points: "Sequence[GroundControlPoint]", width: int, height: int
) -> tuple[GcpPolynomial | None, float]:
    """Fit the polynomial that predicts left-out points best.

    Returns:
        The polynomial, or None if an affine transform is as good; and the leave-one-out error of
        the chosen fit: the root mean square distance in pixels between each point and its
        prediction without it (with too few points for that, the residuals of the fit to all).
    """
    pixel = np.array([(p.col, p.row) for p in points], np.float64)
    position = np.array([(p.x, p.y) for p in points], np.float64)
    scaled = pixel * (2 / np.array([width, height])) - 1
    mean, extent = position.mean(axis=0), max(float(np.ptp(position, axis=0).max()), 1e-12)
    target = (position - mean) / extent
    best_order, best = 1, _loo_error(scaled, target, 1)
    for order in range(2, _MAX_ORDER + 1):
        if len(points) < _POINTS_PER_COEFFICIENT * len(_exponents(order)):
            break
        error = _loo_error(scaled, target, order)
        if error < _MAX_ERROR_RATIO * best:
            best_order, best = order, error
    linear = _solve(_design(scaled, 1), target)[1:] * extent
    # ground units per pixel: the area of a pixel, as the side of a square
    unit = np.sqrt(abs(np.linalg.det(linear)) * 4 / (width * height))
    residual = float(best * extent / unit) if unit > 0 else float("inf")
    if best_order == 1:
        return None, residual
    fitted = _solve(_design(scaled, best_order), target) * extent
    fitted[0] += mean
    polynomial = GcpPolynomial(width, height, best_order, fitted[:, 0], fitted[:, 1], tuple(points))
    return polynomial, residual


def _design(scaled: Float64[np.ndarray, "n 2"], order: int) -> Float64[np.ndarray, "n terms"]:
    return np.stack([scaled[:, 0] ** a * scaled[:, 1] ** b for a, b in _exponents(order)], axis=1)


def _solve(
    design: Float64[np.ndarray, "n terms"], target: Float64[np.ndarray, "n 2"]
) -> Float64[np.ndarray, "terms 2"]:
    found: Float64[np.ndarray, "terms 2"] = np.linalg.lstsq(design, target, rcond=None)[0]
    return found


def _loo_error(
    scaled: Float64[np.ndarray, "n 2"], target: Float64[np.ndarray, "n 2"], order: int
) -> float:
    """Root mean square leave-one-out error, from the leverages of the least squares fit."""
    design = _design(scaled, order)
    residual = target - design @ _solve(design, target)
    # without a point of leverage h its residual r is r / (1 - h) (Cook & Weisberg 1982)
    leverage = np.einsum("ij,ji->i", design, np.linalg.pinv(design))
    if len(scaled) > design.shape[1] and np.all(leverage < 1 - 1e-9):
        residual = residual / (1 - leverage)[:, None]
    return float(np.sqrt(np.mean(np.sum(residual**2, axis=1))))
