"""Railway stations and yards."""

import numpy as np
from jaxtyping import Float

from terraseek_demoworld.captions.phrases import Facts, count_phrase, pick
from terraseek_demoworld.drawing.canvas import Canvas
from terraseek_demoworld.drawing.geometry import Frame
from terraseek_demoworld.drawing.ground import ground
from terraseek_demoworld.drawing.palette import Colour, vary
from terraseek_demoworld.drawing.plants import scatter_trees
from terraseek_demoworld.drawing.shapes import box, rect
from terraseek_demoworld.painters.buildings import flat_block
from terraseek_demoworld.painters.roads import car_park, road

__all__ = ["railway_station", "station_tracks", "track", "train"]

_TRAINS: dict[str, Colour] = {
    "red": (176, 52, 46), "blue": (54, 88, 150), "white": (232, 232, 230), "green": (70, 120, 84),
}  # fmt: skip


def track(canvas: Canvas, frame: Frame, length: float) -> None:
    """One track along x on ballast."""
    canvas.fill(frame.px(box(length, 3.4)), vary(canvas.rng, (132, 120, 108), 5))
    canvas.stroke(frame.px([(-length / 2, 0), (length / 2, 0)]), 2.2, (108, 96, 86))
    for y in (-0.75, 0.75):
        canvas.stroke(frame.px([(-length / 2, y), (length / 2, y)]), 0.2, (176, 170, 164))


def train(canvas: Canvas, frame: Frame, cars: int, colour: str) -> None:
    """A train of `cars` coaches of 24 m along x from the frame."""
    for k in range(cars):
        site = frame.child(k * 25 + 12.5, 0)
        canvas.fill(site.px(box(24, 3)), vary(canvas.rng, _TRAINS[colour], 3), 4)
        canvas.fill(site.px(box(22, 1.2)), (206, 206, 206), 4.3)
    canvas.record("train", frame.px(rect(0, -1.5, cars * 25, 1.5)))


def station_tracks(
    canvas: Canvas, frame: Frame, platforms: int, trains: int, colour: str, length: float = 900
) -> float:
    """Tracks along x with roofed platforms and trains; return their total width in metres."""
    rng = canvas.rng
    pitch = 21.0
    depth = platforms * pitch
    bed = vary(rng, (146, 136, 124))
    canvas.fill(frame.px(box(length, 24)), bed)
    canvas.fill(frame.px(_yard(min(length, 900), depth + 8)), bed)
    roof = pick(rng, ((208, 210, 212), (126, 130, 138)))
    lanes = []
    for k in range(platforms):
        y = (k - (platforms - 1) / 2) * pitch
        canvas.fill(frame.px(rect(-95, y - 4, 95, y + 4)), vary(rng, (190, 186, 178)), 1)
        canvas.fill(frame.child(rng.uniform(-15, 15), y).px(box(120, 5)), vary(rng, roof, 4), 5)
        canvas.record("platform", frame.px(rect(-95, y - 4, 95, y + 4)))
        for side in (-7.2, 7.2):
            lane = frame.child(0, y + side)
            track(canvas, lane, length if abs(y + side) < 12 else min(length, 560))
            lanes.append(lane)
    for index in rng.permutation(len(lanes))[:trains]:
        cars = int(rng.integers(3, 7))
        train(canvas, lanes[int(index)].child(-cars * 12.5 + rng.uniform(-15, 15), 0), cars, colour)
    return depth


def _yard(length: float, depth: float) -> Float[np.ndarray, "n 2"]:
    """Outline of the track bed: a rectangle whose ends narrow where the tracks join."""
    x, y = length / 2, depth / 2
    flat = max(x - 160, 0.6 * x)
    side = [(-x, -6), (-flat, -y), (flat, -y), (x, -6)]
    return np.array(side + [(-a, -b) for a, b in side])


def railway_station(canvas: Canvas) -> Facts:
    """Tracks, platforms with roofs, trains and a station building."""
    rng = canvas.rng
    ground(canvas)
    frame = canvas.frame(rng.uniform(0.46, 0.54), rng.uniform(0.46, 0.54), rng.uniform(0, np.pi))
    platforms, colour = int(rng.integers(1, 4)), pick(rng, tuple(_TRAINS))
    depth = station_tracks(
        canvas, frame, platforms, int(rng.integers(0, 2 * platforms + 1)), colour
    )
    name = flat_block(canvas, frame.child(0, -depth / 2 - 18), 70, 20, 12)
    canvas.record("station building", frame.child(0, -depth / 2 - 18).px(box(70, 20)))
    lot = rng.random() < 0.5
    if lot:
        car_park(canvas, frame.child(0, depth / 2 + 18), 150, 1, 0.8)
    else:
        line = frame.px([(-300, depth / 2 + 14), (300, depth / 2 + 14)])
        road(canvas, line, 8, cars_every_m=14)
    scatter_trees(canvas, 9, 0.4)
    count = canvas.count("train")
    return {
        "trains": count_phrase(count, f"{colour} train") if count else "no train",
        "are": "is" if count <= 1 else "are",
        "platforms": count_phrase(platforms, "platform"),
        "building": f"a station building with a {name} roof",
        "near": "a parking lot" if lot else "a road",
    }
