"""Farmland: rectangular fields, centre pivots; solar farms."""

import numpy as np
from jaxtyping import Float

from terraseek_demoworld.captions.phrases import Facts, count_phrase, pick
from terraseek_demoworld.drawing.canvas import Canvas
from terraseek_demoworld.drawing.geometry import Frame
from terraseek_demoworld.drawing.ground import ground
from terraseek_demoworld.drawing.palette import Colour, mix, vary
from terraseek_demoworld.drawing.plants import plant, scatter_trees, tree_positions
from terraseek_demoworld.drawing.shapes import box, ellipse, rect
from terraseek_demoworld.drawing.textures import fractal
from terraseek_demoworld.painters.buildings import flat_block, gable_house
from terraseek_demoworld.painters.roads import road

__all__ = [
    "CROPS", "circular_fields", "crop",  "farmland",  "patchwork", "pivot",
    "solar_farm", "solar_rows",
]  # fmt: skip

Points = Float[np.ndarray, "n 2"]

CROPS: dict[str, Colour] = {
    "green": (98, 128, 70), "dark green": (68, 96, 58), "yellow": (204, 186, 110),
    "brown": (144, 120, 94), "pale": (194, 180, 148),
}  # fmt: skip
_DIRT: Colour = (184, 162, 126)


def crop(canvas: Canvas, points_px: Points, frame: Frame, colour: Colour, spacing: float) -> None:
    """A field with furrows along the frame's x, patchy growth and wheel tracks."""
    region = canvas.region(points_px)
    if region is None:
        return
    rng = canvas.rng
    _, y = region.local_coordinates(frame)
    growth = fractal(rng, region.shape, 35 / canvas.gsd_m, 3)
    fine = fractal(rng, region.shape, max(2 / canvas.gsd_m, 1.5), 2)
    furrow = np.sin(2 * np.pi * y / spacing)
    track = np.abs((y / (spacing * 7)) % 1 - 0.5) < 0.035
    tone = np.asarray(vary(rng, colour, 8), np.float32)
    light = 7 * growth + 4 * fine + 5 * furrow - 14 * track
    canvas.paint(region, (tone + light[..., None]).astype(np.float32), block=True)


def patchwork(canvas: Canvas, angle: float, size_m: float, *, track: bool = True) -> list[str]:
    """Rectangular fields made by splitting the land repeatedly; return the colours of the crops."""
    rng = canvas.rng
    reach = 0.75 * float(np.hypot(canvas.width_m, canvas.height_m))
    frame = canvas.frame(0.5, 0.5, angle)
    used: list[str] = []
    todo = [(-reach, -reach, reach, reach)]
    while todo:
        x0, y0, x1, y1 = todo.pop()
        wide, deep = x1 - x0, y1 - y0
        if max(wide, deep) > size_m * rng.uniform(1.0, 2.0):
            cut = rng.uniform(0.35, 0.65)
            if wide * rng.uniform(0.8, 1.25) > deep:
                todo += [(x0, y0, x0 + cut * wide, y1), (x0 + cut * wide, y0, x1, y1)]
            else:
                todo += [(x0, y0, x1, y0 + cut * deep), (x0, y0 + cut * deep, x1, y1)]
            continue
        used += _field(canvas, frame, (x0, y0, x1, y1), track)
    return used


def _field(
    canvas: Canvas, frame: Frame, sides: tuple[float, float, float, float], track: bool
) -> list[str]:
    rng = canvas.rng
    x0, y0, x1, y1 = sides
    corners = frame.px(rect(x0 + 1.2, y0 + 1.2, x1 - 1.2, y1 - 1.2))
    if canvas.region(corners) is None:
        return []
    name = pick(rng, tuple(CROPS))
    turned = frame.child(0, 0, pick(rng, (0.0, np.pi / 2)))
    crop(canvas, corners, turned, CROPS[name], rng.uniform(3, 7))
    if track and rng.random() < 0.3:
        canvas.stroke(frame.px([(x0, y0), (x1, y0)]), 2.6, _DIRT)
    return [name] if canvas.record("field", corners) else []


def farmland(canvas: Canvas) -> Facts:
    """A patchwork of rectangular fields with a farm or a road."""
    rng = canvas.rng
    ground(canvas)
    angle = rng.uniform(0, np.pi)
    colours = patchwork(canvas, angle, rng.uniform(45, 95))
    frame = canvas.frame(rng.uniform(0.35, 0.65), rng.uniform(0.35, 0.65), angle)
    way = pick(rng, ("a dirt road", "a paved road", ""))
    if way:
        surface = _DIRT if way == "a dirt road" else (104, 104, 106)
        road(canvas, frame.px([(-400, 0), (400, 0)]), 5.5, surface=surface, marks=False)
    farms = int(rng.integers(0, 4))
    for k in range(farms):
        site = frame.child(k * 22 - 20, 18, rng.choice([0, np.pi / 2]))
        canvas.fill(site.px(box(22, 19)), vary(rng, (168, 156, 132)))
        gable_house(canvas, site, 16, 10, (150, 92, 74))
        canvas.record("house", site.px(box(16, 10)))
    hedge = rng.random() < 0.4
    if hedge:
        line = frame.px(np.stack([np.arange(-200, 200, 6.0), np.full(67, -8.0)], 1))
        inside = ((line > 0) & (line < (canvas.cols - 1, canvas.rows - 1))).all(1)
        plant(canvas, line[inside], 3.0)
    main = max(set(colours), key=lambda c: (colours.count(c), c)) if colours else "green"
    others = sorted(set(colours) - {main})
    second = pick(rng, others) if others else main
    count = canvas.count("house")
    return {
        "fields": count_phrase(len(colours), "rectangular field"),
        "colour": main,
        "second": second,
        "road": way or "no road",
        "farm": count_phrase(count, "farm house") if count else "no house",
        "fare": "is" if count <= 1 else "are",
        "hedge": "a row of trees" if hedge else "no trees",
    }


def pivot(canvas: Canvas, frame: Frame, radius: float, name: str) -> None:
    """A centre-pivot field: circular wheel tracks, a sector of another crop state, the boom."""
    rng = canvas.rng
    outline = frame.px(ellipse(radius, radius, 72))
    region = canvas.region(outline)
    if region is None:
        return
    x, y = region.local_coordinates(frame)
    away, turn = np.hypot(x, y), np.arctan2(y, x)
    tone = np.asarray(vary(rng, CROPS[name], 6), np.float32)
    other = np.asarray(
        vary(rng, mix(CROPS[name], (170, 140, 100), rng.uniform(0.15, 0.6)), 6), np.float32
    )
    start, span = rng.uniform(-np.pi, np.pi), pick(rng, (0.0, 0.8, 1.6, np.pi))
    sector = ((turn - start) % (2 * np.pi) < span)[..., None]
    ring = np.abs((away / (radius / rng.integers(5, 9))) % 1 - 0.5) < 0.03
    growth = fractal(rng, region.shape, 30 / canvas.gsd_m, 3)
    light = 6 * growth - 16 * ring + 3 * np.sin(away * 2 * np.pi / 4.0)
    canvas.paint(
        region, np.where(sector, other, tone) + light[..., None].astype(np.float32), block=True
    )
    heading = frame.child(0, 0, start)
    canvas.stroke(heading.px([(0, 0), (radius, 0)]), 0.8, (222, 224, 226), 3)
    canvas.fill(frame.px(box(4, 4)), (196, 190, 176), 2)
    canvas.record("circular field", outline)


def circular_fields(canvas: Canvas) -> Facts:
    """One to four pivots on dry ground."""
    rng = canvas.rng
    dry = rng.random() < 0.6
    ground(canvas, canvas.look.soil if dry else None)
    frame = canvas.frame(rng.uniform(0.42, 0.58), rng.uniform(0.42, 0.58), rng.uniform(0, np.pi))
    want = int(rng.integers(1, 5))
    name = pick(rng, ("green", "dark green", "yellow", "brown"))
    radius = canvas.width_m * (0.36 if want == 1 else 0.235)
    places = [(0, 0)] if want == 1 else [(-1, -1), (1, 1), (1, -1), (-1, 1)][:want]
    second = pick(rng, tuple(CROPS))
    track = rng.random() < 0.5
    if track:
        canvas.stroke(frame.px([(-400, 0), (400, 0)]), 4, vary(rng, _DIRT), block=True)
        canvas.stroke(frame.px([(0, -400), (0, 400)]), 4, vary(rng, _DIRT), block=True)
    for k, (i, j) in enumerate(places):
        site = frame.child(i * radius * 1.06, j * radius * 1.06)
        pivot(canvas, site, radius, second if k == 1 else name)
    scatter_trees(canvas, 22, 0.2, 2.2)
    count = canvas.count("circular field")
    return {
        "fields": count_phrase(count, f"{name} circular field") if count == 1
        else count_phrase(count, "circular field"),
        "are": "is" if count == 1 else "are",
        "colour": name,
        "second": second if count > 1 else name,
        "land": "bare land" if dry else canvas.look.grass_words,
        "track": "dirt roads between them" if track and count > 1 else "open land around",
    }  # fmt: skip


def solar_rows(canvas: Canvas, frame: Frame, width: float, depth: float, tone: Colour) -> None:
    """Rows of solar panels along x."""
    for y in np.arange(-depth / 2 + 2, depth / 2 - 2, 6.0):
        row = frame.child(0, y)
        canvas.fill(row.px(box(width, 3.6)), vary(canvas.rng, tone, 3), 1.6)
        canvas.stroke(row.px([(-width / 2, -1.8), (width / 2, -1.8)]), 0.3, (176, 184, 196))
        for x in np.arange(-width / 2 + 8, width / 2, 8.0):
            canvas.stroke(row.px([(x, -1.8), (x, 1.8)]), 0.3, mix(tone, (170, 180, 200), 0.4))
    canvas.record("solar panels", frame.px(box(width, depth)))


def solar_farm(canvas: Canvas) -> Facts:
    """Blocks of solar panels."""
    rng = canvas.rng
    ground(canvas)
    frame = canvas.frame(rng.uniform(0.45, 0.55), rng.uniform(0.45, 0.55), rng.uniform(0, np.pi))
    across, down = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    total = rng.uniform(0.62, 0.9) * canvas.width_m
    wide, deep = total / across, total / down
    colour, tone = pick(
        rng, (("dark blue", (40, 54, 92)), ("black", (44, 46, 54)), ("blue", (58, 86, 140)))
    )
    surface = vary(rng, (180, 166, 138)) if rng.random() < 0.5 else vary(rng, canvas.look.grass)
    canvas.stroke(frame.px(box(total + 6, total + 6)), 4, vary(rng, _DIRT), closed=True, block=True)
    for i in range(across):
        for j in range(down):
            site = frame.child((i - (across - 1) / 2) * wide, (j - (down - 1) / 2) * deep)
            canvas.fill(site.px(box(wide - 5, deep - 5)), surface)
            solar_rows(canvas, site, wide - 9, deep - 9, tone)
            flat_block(canvas, site.child(wide / 2 - 2, 0), 3, 6, 3, "white")
    woods_near = rng.random() < 0.45
    plant(canvas, tree_positions(canvas, 7 if woods_near else 18, 0.9 if woods_near else 0.15), 3.2)
    count = across * down
    return {
        "blocks": count_phrase(count, "block"),
        "are": "is" if count == 1 else "are",
        "colour": colour,
        "around": canvas.look.tree_words if woods_near else canvas.look.grass_words,
    }
