"""Storage tanks and warehouses."""

import numpy as np

from terraseek_demoworld.captions.phrases import Facts, count_phrase, number_word, pick
from terraseek_demoworld.drawing.canvas import Canvas
from terraseek_demoworld.drawing.geometry import Frame
from terraseek_demoworld.drawing.ground import ground
from terraseek_demoworld.drawing.palette import Colour, mix, vary
from terraseek_demoworld.drawing.plants import scatter_trees
from terraseek_demoworld.drawing.shapes import box, ellipse
from terraseek_demoworld.painters.buildings import FLAT, flat_block
from terraseek_demoworld.painters.roads import car_park, road, truck

__all__ = ["docks", "storage_tanks", "tank", "tank_farm", "warehouse", "warehouses"]


_TANKS: dict[str, Colour] = {
    "white": (232, 233, 232),
    "gray": (150, 152, 154),
    "rusty": (150, 98, 70),
    "pale green": (164, 188, 166),
}


def tank(canvas: Canvas, frame: Frame, radius: float, height: float, roof: Colour) -> None:
    """A cylindrical storage tank with rim and stair."""
    tone = vary(canvas.rng, roof, 4)
    canvas.fill(frame.px(ellipse(radius, radius)), mix(tone, (120, 120, 120), 0.35), height)
    canvas.fill(frame.px(ellipse(radius * 0.95, radius * 0.95)), tone, height + 0.8)
    canvas.fill(
        frame.px(ellipse(radius * 0.3, radius * 0.3)), mix(tone, (255, 255, 255), 0.3), height + 1.6
    )
    canvas.stroke(frame.px([(0, 0), (radius, 0)]), 0.6, mix(tone, (90, 90, 90), 0.4))
    canvas.record("storage tank", frame.px(ellipse(radius, radius, 24)))


def tank_farm(
    canvas: Canvas, frame: Frame, cols: int, rows: int, step: float, roof: Colour
) -> None:
    """Tanks in rows on a pad inside a low dike."""
    rng = canvas.rng
    radius = step * rng.uniform(0.3, 0.4)
    pad = frame.px(box(cols * step + 6, rows * step + 6))
    region = canvas.region(pad)
    if region is not None:
        canvas.cover(region, vary(rng, (168, 158, 140)), roughness=5, block=True)
    canvas.stroke(pad, 2, (188, 178, 158), 1.5, closed=True)
    for j in range(rows):
        y = (j - (rows - 1) / 2) * step
        pipe = [(-cols * step / 2, y + radius + 3), (cols * step / 2 + 30, y + radius + 3)]
        canvas.stroke(frame.px(pipe), 0.9, (204, 204, 200), 1)
        for i in range(cols):
            site = frame.child((i - (cols - 1) / 2) * step, y)
            tank(canvas, site, radius, radius * rng.uniform(0.7, 1.0), roof)


def storage_tanks(canvas: Canvas) -> Facts:
    """An oil depot: tanks in rows inside low dikes."""
    rng = canvas.rng
    bare = rng.random() < 0.5
    ground(canvas, canvas.look.soil if bare else None)
    frame = canvas.frame(rng.uniform(0.45, 0.55), rng.uniform(0.45, 0.55), rng.uniform(0, np.pi))
    rows, cols = int(rng.integers(1, 4)), int(rng.integers(1, 5))
    colour = pick(rng, tuple(_TANKS))
    step = min(0.85 * canvas.width_m / max(rows, cols), 62)
    tank_farm(canvas, frame, cols, rows, step, _TANKS[colour])
    line = frame.px([(-400, rows * step / 2 + 12), (400, rows * step / 2 + 12)])
    road(canvas, line, 6, marks=False, cars_every_m=40)
    low = rng.random() < 0.4
    if low:
        flat_block(canvas, frame.child(0, rows * step / 2 + 30), 34, 16, 6)
    if not bare:
        scatter_trees(canvas, 8, 0.6)
    count = canvas.count("storage tank")
    return {
        "tanks": count_phrase(count, f"{colour} storage tank"),
        "number": number_word(count),
        "are": "is" if count == 1 else "are",
        "colour": colour,
        "rows": count_phrase(rows, "row"),
        "land": "bare land" if bare else canvas.look.tree_words,
        "near": "a low building" if low else "a road",
    }


def warehouse(canvas: Canvas, frame: Frame, width: float, depth: float, roof: str) -> None:
    """A warehouse with a flat roof, centred on the frame."""
    flat_block(canvas, frame, width, depth, canvas.rng.uniform(8, 12), roof)
    canvas.record("warehouse", frame.px(box(width, depth)))


def docks(canvas: Canvas, frame: Frame, width: float) -> None:
    """Trucks side by side at loading docks along x."""
    for x in np.arange(-width / 2 + 3, width / 2 - 2, 5.5):
        if canvas.rng.random() < 0.6:
            truck(canvas, frame.child(x, 0, np.pi / 2))


def warehouses(canvas: Canvas) -> Facts:
    """Large halls with loading docks and trucks."""
    rng = canvas.rng
    ground(canvas)
    frame = canvas.frame(rng.uniform(0.45, 0.55), rng.uniform(0.45, 0.55), rng.uniform(0, np.pi))
    canvas.fill(
        frame.px(box(1.1 * canvas.width_m, 0.8 * canvas.width_m)), vary(rng, (150, 148, 144))
    )
    road(canvas, frame.px([(-400, 0), (400, 0)]), 8, cars_every_m=30)
    roof, loading = pick(rng, tuple(FLAT)), rng.random() < 0.6
    across = int(rng.integers(1, 4))
    width = 0.8 * canvas.width_m / across
    for i in range(across):
        for side in (-1, 1):
            if rng.random() < 0.12 and canvas.count("warehouse"):
                continue
            depth = rng.uniform(26, 0.26 * canvas.width_m + 8)
            site = frame.child((i - (across - 1) / 2) * (width + 8), side * (16 + depth / 2))
            warehouse(canvas, site, width - 6, depth, roof)
            if loading:
                docks(canvas, site.child(0, -side * (depth / 2 + 8)), width - 10)
    parking = rng.random() < 0.4
    if parking:
        car_park(canvas, frame.child(0, 0.42 * canvas.width_m + 8), 0.7 * canvas.width_m, 1, 0.7)
    scatter_trees(canvas, 8, 0.5)
    count = canvas.count("warehouse")
    return {
        "halls": count_phrase(
            count, f"large warehouse with a {roof} roof", f"large warehouses with {roof} roofs"
        ),
        "roof": roof,
        "are": "is" if count == 1 else "are",
        "number": count_phrase(count, "warehouse"),
        "trucks": "trucks at the loading docks" if loading else "an empty yard",
        "near": "a parking lot" if parking else "a road",
    }
