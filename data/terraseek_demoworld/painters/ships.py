"""Ships, boats, and the harbours they lie in."""

import numpy as np

from terraseek_demoworld.captions.phrases import Facts, count_phrase, pick
from terraseek_demoworld.drawing.canvas import Canvas
from terraseek_demoworld.drawing.geometry import Frame, Region
from terraseek_demoworld.drawing.ground import ground
from terraseek_demoworld.drawing.palette import CONCRETE, Colour, mix, vary
from terraseek_demoworld.drawing.plants import scatter_trees
from terraseek_demoworld.drawing.shapes import box, rect
from terraseek_demoworld.drawing.textures import fractal
from terraseek_demoworld.painters.buildings import flat_block
from terraseek_demoworld.painters.roads import road

__all__ = ["HULLS", "boat", "containers", "crane", "harbour", "open_water", "ship"]

HULLS: dict[str, Colour] = {
    "red": (150, 54, 44), "blue": (46, 74, 124), "black": (52, 54, 58), "gray": (142, 148, 154),
}  # fmt: skip
_BOXES: tuple[Colour, ...] = (
    (176, 62, 50), (44, 92, 150), (60, 124, 82), (214, 140, 52), (196, 198, 200), (120, 72, 60),
)  # fmt: skip


def boat(canvas: Canvas, frame: Frame, length: float, name: str = "boat") -> bool:
    """A white motor boat, bow towards +x."""
    half, beam = length / 2, length * 0.16
    hull = [(-half, -beam), (half * 0.35, -beam), (half, 0), (half * 0.35, beam), (-half, beam)]
    canvas.fill(frame.px(hull), vary(canvas.rng, (236, 237, 238), 4), 1.6)
    deck = pick(canvas.rng, ((176, 150, 116), (96, 112, 132), (206, 206, 206)))
    canvas.fill(frame.px(rect(-half * 0.75, -beam * 0.6, half * 0.1, beam * 0.6)), deck, 2.4)
    return canvas.record(name, frame.px(hull))


def ship(canvas: Canvas, frame: Frame, length: float, hull: str, cargo: str) -> bool:
    """A ship, bow towards +x, with containers, tanks or hatches on deck."""
    rng = canvas.rng
    half, beam = length / 2, length * 0.085
    port_side = [(-1, 0.8), (-0.9, 1), (0.62, 1), (0.88, 0.55), (1, 0)]
    starboard = [(x, -y) for x, y in port_side[-2::-1]]
    outline = np.array(port_side + starboard) * (half, -beam)
    tone = vary(rng, HULLS[hull], 4)
    canvas.fill(frame.px(outline), tone, 7)
    inner = outline * (0.965, 0.8)
    canvas.fill(frame.px(inner), mix(tone, (150, 140, 130), 0.45), 7)
    if cargo == "containers":
        containers(canvas, frame.child(half * 0.08, 0), length * 0.68, beam * 1.6, 13)
    elif cargo == "hatches":
        for x in np.linspace(-half * 0.5, half * 0.62, 5):
            canvas.fill(frame.child(x, 0).px(box(length * 0.09, beam * 1.2)), (196, 190, 176), 9)
    else:
        canvas.stroke(frame.px([(-half * 0.55, 0), (half * 0.8, 0)]), 1.4, (206, 206, 200), 8.5)
        for x in np.linspace(-half * 0.45, half * 0.7, 7):
            canvas.stroke(frame.px([(x, -beam * 0.8), (x, beam * 0.8)]), 0.6, (180, 182, 180), 8)
    canvas.fill(frame.child(-half * 0.76, 0).px(box(length * 0.1, beam * 1.5)), (238, 238, 236), 20)
    canvas.fill(frame.child(-half * 0.84, 0).px(box(length * 0.035, beam * 0.6)), tone, 23)
    return canvas.record("ship", frame.px(outline))


def containers(canvas: Canvas, frame: Frame, width: float, depth: float, top: float) -> None:
    """Stacked containers of many colours filling a rectangle."""
    rng = canvas.rng
    for x in np.arange(-width / 2, width / 2 - 6, 7.0):
        if rng.random() < 0.06:
            continue
        for y in np.arange(-depth / 2, depth / 2 - 2, 2.7):
            corners = frame.px(rect(x, y, x + 6.3, y + 2.5))
            canvas.fill(corners, vary(rng, pick(rng, _BOXES), 6), top - rng.integers(0, 3) * 2.6)


def open_water(canvas: Canvas, region: Region, tone: Colour, level_m: float = -2) -> None:
    """Harbour water with small ripples, its surface at `level_m` against the land."""
    wide = fractal(canvas.rng, region.shape, 50 / canvas.gsd_m, 3)
    fine = fractal(canvas.rng, region.shape, max(2.5 / canvas.gsd_m, 1.5), 2)
    image = np.asarray(tone, np.float32) + (3 * wide + 3.5 * fine)[..., None]
    canvas.paint(region, image.astype(np.float32), block=True)
    canvas.relief[region.rows, region.cols][region.cover > 0.5] = level_m


def harbour(canvas: Canvas) -> Facts:
    """A marina full of boats or a cargo port with ships at the quay."""
    rng = canvas.rng
    ground(canvas, CONCRETE, soil=0.2)
    tone, water = pick(
        rng, (((38, 62, 80), "dark blue"), ((58, 96, 92), "green"), ((82, 94, 90), "gray"))
    )
    frame = canvas.frame(
        rng.uniform(0.42, 0.58), rng.uniform(0.42, 0.58), rng.uniform(0, 2 * np.pi)
    )
    frame = frame.child(0, -rng.uniform(0.05, 0.2) * canvas.width_m)
    region = canvas.region(frame.px(rect(-900, 0, 900, 900)))
    if region is not None:
        open_water(canvas, region, vary(rng, tone, 4))
    canvas.stroke(frame.px([(-900, 0), (900, 0)]), 2, (206, 202, 192))
    return _marina(canvas, frame, water) if rng.random() < 0.45 else _port(canvas, frame, water)


def _marina(canvas: Canvas, frame: Frame, water: str) -> Facts:
    rng = canvas.rng
    piers, step = int(rng.integers(1, 5)), rng.uniform(34, 40)
    full, words = pick(rng, ((0.95, "many white boats"), (0.35, "some white boats")))
    reach = rng.uniform(0.4, 0.65) * canvas.width_m
    for k in range(piers):
        x = (k - (piers - 1) / 2) * step
        canvas.fill(frame.px(rect(x - 1.5, 0, x + 1.5, reach)), (188, 174, 150), 1)
        for y in np.arange(6, reach, 5.2):
            for side in (-1, 1):
                if rng.random() < full:
                    length = rng.uniform(9, 14)
                    heading = 0.0 if side > 0 else np.pi
                    boat(canvas, frame.child(x + side * (2 + length / 2), y, heading), length)
    canvas.record("marina", frame.px(rect(-piers * step / 2, 0, piers * step / 2, reach)))
    road(canvas, frame.px([(-400, -14), (400, -14)]), 7, cars_every_m=14)
    for x in np.arange(-150, 150, 45.0):
        flat_block(canvas, frame.child(x + rng.uniform(-4, 4), -36), 32, 18, 9)
    scatter_trees(canvas, 9, 0.4)
    return {
        "boats": words,
        "water": water,
        "piers": count_phrase(piers, "wooden pier"),
        "are": "is" if piers == 1 else "are",
        "quay": "buildings and a road",
        "kind": "marina",
    }


def _port(canvas: Canvas, frame: Frame, water: str) -> Facts:
    rng = canvas.rng
    hull, cargo = pick(rng, tuple(HULLS)), pick(rng, ("containers", "hatches", "pipes"))
    ships = int(rng.integers(1, 4))
    length = rng.uniform(0.42, 0.62) * canvas.width_m
    for k in range(ships):
        along, off = rng.uniform(-8, 8), 0.095 * length + 2 + k * 0.26 * length
        heading = rng.choice([0.0, np.pi]) + rng.normal(0, 0.02)
        ship(canvas, frame.child(along, off, heading), length, hull, cargo)
    stacks = cargo == "containers" or rng.random() < 0.3
    canvas.stroke(frame.px([(-400, -6), (400, -6)]), 0.5, (120, 116, 110))
    if stacks:
        for y in (-26, -46, -66):
            for x in np.arange(-190, 190, 62.0):
                if rng.random() < 0.8:
                    containers(canvas, frame.child(x, y), 54, 13, 8)
    else:
        for x in np.arange(-180, 180, 70.0):
            flat_block(canvas, frame.child(x, -34), 58, 26, 9)
    for x in np.arange(-150, 150, 75.0):
        if rng.random() < 0.6 and cargo != "pipes":
            crane(canvas, frame.child(x + rng.uniform(-15, 15), -8))
    count = canvas.count("ship")
    return {
        "boats": count_phrase(count, f"{hull} ship"),
        "water": water,
        "piers": count_phrase(count, "large ship"),
        "are": "is" if count == 1 else "are",
        "quay": "stacks of colourful containers" if stacks else "warehouses",
        "kind": "port",
        "cargo": {"containers": "containers", "hatches": "closed hatches", "pipes": "pipes"}[cargo],
    }


def crane(canvas: Canvas, frame: Frame) -> None:
    """A gantry crane at the quay, its boom towards +y."""
    tone = pick(canvas.rng, ((190, 60, 50), (60, 100, 160), (214, 170, 60)))
    for x in (-6, 6):
        canvas.stroke(frame.px([(x, -8), (x, 30)]), 1.0, tone, 26)
    for y in (-8, 4, 26):
        canvas.stroke(frame.px([(-6, y), (6, y)]), 1.0, tone, 24)
    canvas.fill(frame.px(box(9, 7)), tone, 25)
