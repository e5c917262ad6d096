"""Houses and blocks, and the residential and commercial areas made of them."""

import numpy as np

from terraseek_demoworld.captions.phrases import Facts, count_phrase, pick
from terraseek_demoworld.drawing.canvas import Canvas
from terraseek_demoworld.drawing.geometry import Frame
from terraseek_demoworld.drawing.ground import ground
from terraseek_demoworld.drawing.palette import ASPHALT, CONCRETE, Colour, mix, vary
from terraseek_demoworld.drawing.plants import plant, tree_positions
from terraseek_demoworld.drawing.shapes import box, ellipse, rect, smooth_line
from terraseek_demoworld.painters.roads import car, road

__all__ = [
    "FLAT",
    "ROOFS", "dense_housing",  "flat_block", "gable_house",  "high_rise", "houses",
    "pool", "sparse_housing",
]  # fmt: skip

ROOFS: dict[str, Colour] = {
    "red": (168, 84, 62),
    "gray": (132, 132, 134),
    "brown": (122, 96, 76),
    "white": (222, 222, 220),
    "blue": (86, 118, 164),
}
FLAT: dict[str, Colour] = {
    "white": (226, 227, 228), "gray": (150, 152, 154), "blue": (78, 122, 178),
    "red": (170, 74, 62), "green": (96, 140, 112),
}  # fmt: skip


def gable_house(
    canvas: Canvas, frame: Frame, width: float, depth: float, roof: Colour, eaves: float = 4.0
) -> None:
    """A house with a pitched roof, its ridge along x."""
    tone = vary(canvas.rng, roof, 7)
    half_x, half_y = width / 2, depth / 2
    canvas.fill(frame.px(rect(-half_x, -half_y, half_x, 0)), tone, eaves)
    canvas.fill(frame.px(rect(-half_x, 0, half_x, half_y)), tone, eaves)
    steps = 3
    for step in range(1, steps + 1):
        inner = half_y * (1 - step / (steps + 0.5))
        canvas.fill(frame.px(box(width, 2 * inner)), tone, eaves + step * half_y * 0.55 / steps)
    canvas.stroke(frame.px([(-half_x, 0), (half_x, 0)]), 0.4, mix(tone, (255, 250, 240), 0.3))


def flat_block(
    canvas: Canvas,
    frame: Frame,
    width: float,
    depth: float,
    height: float,
    roof: str | None = None,
) -> str:
    """A block with a flat roof, parapet, ribs and vents; return the roof colour as a word."""
    rng = canvas.rng
    name = roof or pick(rng, tuple(FLAT))
    tone = vary(rng, FLAT[name], 6)
    canvas.fill(frame.px(box(width, depth)), tone, height)
    canvas.stroke(frame.px(box(width - 1, depth - 1)), 0.5, mix(tone, (255, 255, 255), 0.35),
                  height + 0.6, closed=True)  # fmt: skip
    for x in np.arange(-width / 2 + 6, width / 2 - 3, rng.uniform(6, 11)):
        ends = [(x, -depth / 2 + 1), (x, depth / 2 - 1)]
        canvas.stroke(frame.px(ends), 0.3, mix(tone, (60, 60, 60), 0.15))
    for _ in range(int(rng.integers(2, 7))):
        at = frame.child(rng.uniform(-0.4, 0.4) * width, rng.uniform(-0.35, 0.35) * depth)
        canvas.fill(
            at.px(box(rng.uniform(1.5, 4), rng.uniform(1.5, 3))), (176, 178, 180), height + 1.8
        )
    return name


def pool(canvas: Canvas, frame: Frame) -> None:
    """A private swimming pool with its terrace."""
    canvas.fill(frame.px(box(12, 8)), (206, 200, 186))
    canvas.fill(frame.px(ellipse(4.5, 2.4, 24, 4)), (74, 176, 204))
    canvas.record("swimming pool", frame.px(ellipse(4.5, 2.4, 24, 4)))


def houses(
    canvas: Canvas,
    frame: Frame,
    lot_m: float,
    share: float,
    roof: str | None = None,
    extent_m: tuple[float, float] | None = None,
) -> str:
    """Houses on a grid of lots wherever the ground is free; return the main roof colour.

    They fill the canvas, or the rectangle `extent_m` (along x, along y) around the frame.
    """
    rng = canvas.rng
    main = roof or pick(rng, tuple(ROOFS))
    wide = float(np.hypot(canvas.width_m, canvas.height_m)) + 2 * lot_m
    nx, ny = (int(side / lot_m / 2) for side in extent_m or (wide, wide))
    for i in range(-nx, nx + 1):
        for j in range(-ny, ny + 1):
            site = frame.child(i * lot_m, j * lot_m, pick(rng, (0.0, np.pi / 2)))
            if rng.random() > share or not _free(canvas, site, lot_m * 0.36):
                continue
            tone = main if rng.random() < 0.85 else pick(rng, tuple(ROOFS))
            size = rng.uniform(0.5, 0.68) * lot_m, rng.uniform(0.4, 0.52) * lot_m
            gable_house(canvas, site, *size, ROOFS[tone], rng.uniform(3, 5))
            if canvas.record("house", site.px(box(*size))) and rng.random() < 0.3:
                car(canvas, site.child(size[0] / 2 + 2, size[1] / 2))
    return main


def _free(canvas: Canvas, site: Frame, radius_m: float) -> bool:
    points = site.px(np.vstack([[(0, 0)], ellipse(radius_m, radius_m, 8)])).astype(int)
    # houses partly outside the image are drawn, those far outside are not
    return canvas.contains(site.origin, 30) and not _hit(canvas, points)


def _hit(canvas: Canvas, points: np.ndarray) -> bool:
    inside = ((points >= 0) & (points < (canvas.cols, canvas.rows))).all(1)
    at = points[inside]
    return bool(canvas.blocked[at[:, 1], at[:, 0]].any())


def dense_housing(canvas: Canvas) -> Facts:
    """Rows of houses close together along streets."""
    rng = canvas.rng
    ground(canvas, soil=0.6)
    frame = canvas.frame(rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.7), rng.uniform(0, np.pi))
    streets = int(rng.integers(1, 4))
    gap = rng.uniform(34, 44)
    for k in range(streets):
        y = (k - (streets - 1) / 2) * gap
        road(canvas, frame.px([(-300, y), (300, y)]), 6, marks=False, cars_every_m=12)
    crossing = rng.random() < 0.5
    if crossing:
        road(canvas, frame.px([(0, -300), (0, 300)]), 7, cars_every_m=16)
    lot = rng.uniform(11, 14.5)
    roof = houses(canvas, frame.child(lot / 2, gap / 4), lot, 0.97)
    trees = rng.random() < 0.5
    plant(canvas, tree_positions(canvas, 7.5, 0.6 if trees else 0.08), 2.0)
    return {
        "roof": roof,
        "streets": count_phrase(streets + crossing, "road"),
        "cross": "crossing roads" if crossing else count_phrase(streets, "straight road"),
        "plants": f"{canvas.look.tree_words} between them" if trees else "few plants between them",
    }


def sparse_housing(canvas: Canvas) -> Facts:
    """A few houses with gardens, drives and perhaps pools."""
    rng = canvas.rng
    ground(canvas)
    frame = canvas.frame(angle=rng.uniform(0, 2 * np.pi))
    bend = rng.uniform(-0.25, 0.25) * canvas.width_m
    half = 0.75 * canvas.width_m
    way = frame.px(
        smooth_line([(-half, bend), (-half / 3, -bend), (half / 3, bend), (half, -bend)])
    )
    surface, words = pick(rng, ((ASPHALT, "a winding road"), ((186, 164, 130), "a dirt road")))
    road(canvas, way, 5.5, surface=surface, marks=False)
    want, roof = int(rng.integers(1, 8)), pick(rng, tuple(ROOFS))
    spread = 0.36 * canvas.width_m
    for _ in range(60):
        if canvas.count("house") >= want:
            break
        x, y = rng.uniform(-spread, spread, 2)
        site = frame.child(x, y, rng.uniform(0, np.pi))
        if not _free(canvas, site, 11):
            continue
        size = rng.uniform(11, 16), rng.uniform(8, 11)
        canvas.fill(site.child(0, 9).px(box(4, 12)), (182, 176, 164))
        gable_house(canvas, site, *size, ROOFS[roof])
        canvas.record("house", site.px(box(*size)))
        if rng.random() < 0.35:
            pool(canvas, site.child(0, -11))
    woods = rng.random() < 0.5
    plant(canvas, tree_positions(canvas, 8 if woods else 14, 0.8 if woods else 0.3), 3.2)
    count, pools = canvas.count("house"), canvas.count("swimming pool")
    return {
        "houses": count_phrase(count, f"{roof} roofed house"),
        "number": count_phrase(count, "house"),
        "are": "is" if count == 1 else "are",
        "roof": roof,
        "road": words,
        "pools": count_phrase(pools, "swimming pool") if pools else "no swimming pool",
        "around": canvas.look.tree_words if woods else canvas.look.grass_words,
    }


def high_rise(canvas: Canvas) -> Facts:
    """Tall buildings of a city centre with long shadows."""
    rng = canvas.rng
    ground(canvas, CONCRETE, soil=0.2)
    frame = canvas.frame(rng.uniform(0.35, 0.65), rng.uniform(0.35, 0.65), rng.uniform(0, np.pi))
    road(canvas, frame.px([(-300, 0), (300, 0)]), 16, cars_every_m=14)
    cross = rng.random() < 0.6
    if cross:
        road(canvas, frame.px([(0, -300), (0, 300)]), 14, cars_every_m=14)
    green = rng.random() < 0.5
    roof = pick(rng, ("white", "gray", "blue", "red"))
    step = rng.uniform(36, 46)
    for i in range(-4, 5):
        for j in range(-4, 5):
            site = frame.child((i + 0.5) * step, (j + 0.5) * step)
            width, depth = rng.uniform(0.58, 0.84, 2) * step
            if rng.random() < 0.12 or not _free(canvas, site, 11):
                continue
            flat_block(
                canvas,
                site,
                width,
                depth,
                rng.uniform(16, 42),
                roof if rng.random() < 0.75 else None,
            )
            canvas.record("tall building", site.px(box(width, depth)))
    plant(canvas, tree_positions(canvas, 7, 0.6 if green else 0.06), 2.4)
    return {
        "number": count_phrase(canvas.count("tall building"), "tall building"),
        "roof": roof,
        "road": "a crossroads" if cross else "a wide road",
        "plants": canvas.look.tree_words if green else "little vegetation",
    }
