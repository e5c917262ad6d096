"""Outlines and lines that all painters use, in metres around the origin, or in pixels."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from terraseek_demoworld.drawing.canvas import Canvas
from terraseek_demoworld.drawing.geometry import Frame, Points

__all__ = ["blob", "box", "ellipse", "frame_at", "points_along", "rect", "smooth_line"]


def box(width_m: float, depth_m: float) -> Points:
    """Corners of a rectangle centred on the origin, in metres."""
    x, y = width_m / 2, depth_m / 2
    return np.array([(-x, -y), (x, -y), (x, y), (-x, y)], dtype=float)


def rect(x0: float, y0: float, x1: float, y1: float) -> Points:
    """Corners of a rectangle between two corners, in metres."""
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], dtype=float)


def ellipse(rx_m: float, ry_m: float, corners: int = 40, power: float = 2.0) -> Points:
    """Outline of an ellipse in metres; `power` above 2 makes it a rounded rectangle."""
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    cos, sin = np.cos(turn), np.sin(turn)
    flat = 2 / power
    x = np.sign(cos) * np.abs(cos) ** flat * rx_m
    y = np.sign(sin) * np.abs(sin) ** flat * ry_m
    return np.stack([x, y], 1)


def blob(rng: np.random.Generator, radius_m: float, roughness: float = 0.25) -> Points:
    """Irregular closed outline around the origin, for example of a pond, in metres."""
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    radius = np.ones_like(turn)
    for wave in range(1, 6):
        radius += (
            roughness / wave**0.8 * rng.normal() * np.cos(wave * turn + rng.uniform(0, 6.3)) * 0.7
        )
    radius = np.clip(radius, 0.35, 1.9) * radius_m
    return np.stack([np.cos(turn) * radius, np.sin(turn) * radius], 1)


def smooth_line(
    points: Sequence[Sequence[float]] | Points, steps: int = 3
) -> Float[np.ndarray, "m 2"]:
    """Round the corners of an open line by corner cutting (Chaikin 1974); its ends do not move."""
    line = np.asarray(points, float)
    for _ in range(steps):
        near, far = 0.75 * line[:-1] + 0.25 * line[1:], 0.25 * line[:-1] + 0.75 * line[1:]
        cut = np.empty((2 * len(near), 2))
        cut[0::2], cut[1::2] = near, far
        line = np.vstack([line[:1], cut, line[-1:]])
    return line


def points_along(
    line_px: Points, step_px: float, aside_px: float = 0.0
) -> list[tuple[Float[np.ndarray, " 2"], float]]:
    """Points at equal distances along a line, each with the line's direction there in radians.

    `aside_px` shifts the points at right angles to the line.
    """
    parts = np.diff(line_px, axis=0)
    lengths = np.hypot(parts[:, 0], parts[:, 1])
    ends = np.cumsum(lengths)
    places = np.arange(step_px / 2, ends[-1], step_px)
    # rounding can put arange's last value just beyond the end of the line
    k = np.minimum(np.searchsorted(ends, places), len(parts) - 1)
    unit = parts[k] / np.maximum(lengths[k], 1e-9)[:, None]
    at = line_px[k] + unit * (places - (ends[k] - lengths[k]))[:, None]
    side = np.stack([-unit[:, 1], unit[:, 0]], axis=1) * aside_px
    return list(zip(at + side, np.arctan2(unit[:, 1], unit[:, 0]).tolist(), strict=True))


def frame_at(canvas: Canvas, at_px: Float[np.ndarray, " 2"], angle: float) -> Frame:
    """Frame with its origin at a pixel (col, row) and x in the direction `angle`, in radians."""
    return Frame(float(at_px[0]), float(at_px[1]), angle, 1 / canvas.gsd_m)
