"""Roads, cars, parking lots, and the junctions between them."""

import numpy as np
from jaxtyping import Float

from terraseek_demoworld.captions.phrases import pick
from terraseek_demoworld.drawing.canvas import Canvas
from terraseek_demoworld.drawing.geometry import Frame
from terraseek_demoworld.drawing.palette import ASPHALT, Colour, vary
from terraseek_demoworld.drawing.shapes import (
    box,
    ellipse,
    frame_at,
    points_along,
    rect,
    smooth_line,
)

__all__ = [
    "car",
    "car_park",
    "junction",
    "road",
    "roundabout_at",
    "truck",
]

Points = Float[np.ndarray, "n 2"]

_CARS: tuple[Colour, ...] = (
    (228, 228, 230), (236, 236, 236), (60, 62, 66), (44, 46, 50), (150, 152, 156), (186, 188, 190),
    (150, 44, 40), (52, 76, 128), (96, 104, 96),
)  # fmt: skip
_LINE: Colour = (224, 222, 212)
_FAR = 1600.0  # metres: beyond the edge of every image and scene


def car(canvas: Canvas, frame: Frame) -> None:
    """A car 4.5 m long, x along it, with dark glass."""
    canvas.fill(frame.px(box(4.5, 1.9)), pick(canvas.rng, _CARS), 1.4)
    if canvas.gsd_m < 0.7:
        canvas.fill(frame.px(rect(-0.2, -0.7, 0.9, 0.7)), (52, 56, 62))


def truck(canvas: Canvas, frame: Frame, colour: Colour = (214, 214, 212)) -> None:
    """A truck with its trailer, 15 m long."""
    canvas.fill(frame.px(rect(-7.5, -1.3, 4.5, 1.3)), vary(canvas.rng, colour), 3.8)
    canvas.fill(frame.px(rect(5, -1.25, 7.5, 1.25)), pick(canvas.rng, _CARS), 3)


def road(
    canvas: Canvas,
    line_px: Points,
    width_m: float,
    *,
    surface: Colour = ASPHALT,
    marks: bool = True,
    cars_every_m: float = 0.0,
    height_m: float | None = None,
) -> None:
    """A road along a line, with centre dashes and cars on both sides."""
    shoulder = vary(canvas.rng, (150, 142, 126), 5)
    canvas.stroke(line_px, width_m + 2.4, shoulder, height_m, block=True)
    canvas.stroke(line_px, width_m, vary(canvas.rng, surface, 5), height_m)
    px = 1 / canvas.gsd_m
    if marks:
        for at, angle in points_along(line_px, 9 * px):
            if canvas.contains(at, 10):
                canvas.fill(frame_at(canvas, at, angle).px(box(4, 0.35)), _LINE)
    if width_m > 12:
        for side in (-1, 1):
            edge = np.array(
                [at for at, _ in points_along(line_px, 4 * px, side * (width_m / 2 - 1) * px)]
            )
            canvas.stroke(edge, 0.3, _LINE)
    if cars_every_m > 0:
        _traffic(canvas, line_px, width_m, cars_every_m)


def _traffic(canvas: Canvas, line_px: Points, width_m: float, every_m: float) -> None:
    rng = canvas.rng
    px = 1 / canvas.gsd_m
    lanes = (0.25,) if width_m < 12 else (0.15, 0.36)
    for lane in lanes:
        for side in (-1, 1):
            for at, angle in points_along(line_px, every_m * px, side * lane * width_m * px):
                if rng.random() < 0.5 and canvas.contains(at, 20 * px):
                    frame = frame_at(canvas, at, angle).child(rng.uniform(-4, 4), 0)
                    truck(canvas, frame) if rng.random() < 0.08 else car(canvas, frame)


def car_park(canvas: Canvas, frame: Frame, width_m: float, rows: int, full: float) -> None:
    """`rows` double rows of stalls along x; a share `full` of them is occupied."""
    rng = canvas.rng
    depth = rows * 17.0
    canvas.fill(frame.px(box(width_m + 4, depth + 3)), vary(rng, ASPHALT, 8))
    for row in range(rows):
        middle = -depth / 2 + 17 * (row + 0.5)
        canvas.stroke(frame.px([(-width_m / 2, middle), (width_m / 2, middle)]), 0.3, _LINE)
        for x in np.arange(-width_m / 2 + 1.3, width_m / 2, 2.6):
            if not canvas.contains(frame.child(x, middle).origin, 12 / canvas.gsd_m):
                continue
            stall = frame.px([(x - 1.3, middle - 5), (x - 1.3, middle + 5)])
            canvas.stroke(stall, 0.15, (170, 170, 168))
            for side in (-1, 1):
                if rng.random() < full:
                    spot = frame.child(x, middle + side * 2.6 + rng.normal(0, 0.2), np.pi / 2)
                    car(canvas, spot)


def roundabout_at(canvas: Canvas, frame: Frame, radius: float, middle: Colour) -> None:
    """The ring of a roundabout around an island of colour `middle`."""
    ring = frame.px(ellipse(radius + 5, radius + 5))
    canvas.fill(ring, vary(canvas.rng, ASPHALT, 4))
    canvas.record("roundabout", ring)
    canvas.fill(frame.px(ellipse(radius - 5, radius - 5)), (206, 204, 198))
    canvas.fill(frame.px(ellipse(radius - 6, radius - 6)), vary(canvas.rng, middle))


def junction(
    canvas: Canvas,
    frame: Frame,
    loops: list[int],
    *,
    slips: bool,
    flow: float,
    skew: float = 0.0,
    deck_m: tuple[float, float] = (-_FAR, _FAR),
) -> None:
    """A motorway along x under another along y, with loop ramps in the given quarters 0..3.

    With `slips` there are outer ramps too; `flow` is metres between cars; `skew` in radians turns
    the upper road, which runs over the local y range `deck_m`.
    """
    rng = canvas.rng
    reach = 60.0
    over = frame.child(0, 0, skew)
    for quarter in loops:
        _loop(canvas, frame.child(0, 0, quarter * np.pi / 2), reach * rng.uniform(0.8, 1.05))
    for quarter in range(4 if slips else 0):
        _slip(canvas, frame.child(0, 0, quarter * np.pi / 2), reach * 1.5)
    line = frame.px(np.stack([np.linspace(-_FAR, _FAR, 30), np.zeros(30)], 1))
    road(canvas, line, 22, marks=False, cars_every_m=flow)
    canvas.stroke(line, 1.2, (150, 150, 146))
    deck = over.px(np.stack([np.zeros(30), np.linspace(*deck_m, 30)], 1))
    middle = over.px(np.stack([np.zeros(8), np.linspace(-34, 34, 8)], 1))
    road(canvas, deck, 20, marks=False)
    canvas.stroke(middle, 22, vary(rng, (158, 156, 150)), 8)
    road(canvas, deck, 19, marks=False, cars_every_m=flow)
    canvas.stroke(deck, 1.2, (150, 150, 146))
    canvas.record("interchange", frame.px(ellipse(reach * 1.3, reach * 1.3)))


def _loop(canvas: Canvas, frame: Frame, reach: float) -> None:
    turn = np.linspace(-0.1, 1.5 * np.pi + 0.1, 30) + np.pi
    radius = reach * 0.42
    x, y = radius * np.cos(turn) + radius + 9, radius * np.sin(turn) + radius + 9
    # the loop leaves one carriageway and joins the other
    road(canvas, frame.px(np.stack([x, y], 1)[::-1]), 6.5, marks=False, cars_every_m=30)


def _slip(canvas: Canvas, frame: Frame, reach: float) -> None:
    way = [
        (9, reach * 1.6),
        (14, reach),
        (reach * 0.42, reach * 0.42),
        (reach, 14),
        (reach * 1.6, 9),
    ]
    road(canvas, frame.px(smooth_line(way)), 6.5, marks=False, cars_every_m=30)
