"""Airports: planes, terminals, aprons and runways."""

import numpy as np

from terraseek_demoworld.captions.phrases import Facts, count_phrase, number_word, pick
from terraseek_demoworld.drawing.canvas import Canvas
from terraseek_demoworld.drawing.geometry import Frame
from terraseek_demoworld.drawing.ground import ground
from terraseek_demoworld.drawing.palette import ASPHALT, CONCRETE, Colour, vary
from terraseek_demoworld.drawing.plants import scatter_trees
from terraseek_demoworld.drawing.shapes import box, ellipse, rect
from terraseek_demoworld.painters.roads import car_park, truck

__all__ = ["airport", "apron", "concrete_slabs", "plane", "runway", "runway_strip", "terminal"]

_LIVERIES: dict[str, Colour] = {
    "white": (240, 241, 243), "gray": (164, 168, 174), "blue": (92, 130, 190),
}  # fmt: skip
_TAILS: tuple[Colour, ...] = ((190, 40, 44), (30, 70, 150), (236, 236, 238), (230, 150, 30))
_YELLOW: Colour = (214, 178, 60)


def plane(canvas: Canvas, frame: Frame, length: float, livery: str = "white") -> bool:
    """An airliner with its nose towards +x; return whether enough of it is in the image."""
    tone = vary(canvas.rng, _LIVERIES[livery], 3)
    half, girth = length / 2, length * 0.055
    for side in (-1, 1):
        wing = [(0.12, 0.05), (-0.02, 0.05), (-0.2, 0.49), (-0.12, 0.49)]
        _part(canvas, frame, wing, length, side, vary(canvas.rng, tone, 4), 3.2)
        tail = [(-0.4, 0.0), (-0.47, 0.0), (-0.51, 0.17), (-0.46, 0.17)]
        _part(canvas, frame, tail, length, side, tone, 5)
        engine = frame.child(0.035 * length, side * 0.17 * length)
        canvas.fill(engine.px(box(0.09 * length, 0.045 * length)), (172, 176, 182), 2.4)
    body = ellipse(half, girth, 40, 2.6)
    canvas.fill(frame.px(body), tone, 5.2)
    canvas.fill(frame.px(ellipse(half * 0.96, girth * 0.45)), (250, 250, 251), 5.8)
    canvas.fill(frame.px(rect(half * 0.86, -girth * 0.4, half * 0.92, girth * 0.4)), (60, 66, 76))
    fin = frame.px(rect(-half, -0.35, -half * 0.72, 0.35))
    canvas.fill(fin, pick(canvas.rng, _TAILS), 9)
    outline = np.array([(0.5, 0), (0.1, 0.05), (-0.12, 0.5), (-0.5, 0.18), (-0.5, -0.18),
                        (-0.12, -0.5), (0.1, -0.05)]) * length  # fmt: skip
    return canvas.record("plane", frame.px(outline))


def _part(
    canvas: Canvas,
    frame: Frame,
    shape: list[tuple[float, float]],
    length: float,
    side: int,
    colour: Colour,
    height: float,
) -> None:
    points = [(x * length, side * y * length) for x, y in shape]
    canvas.fill(frame.px(points), colour, height)


def terminal(canvas: Canvas, frame: Frame, width: float, depth: float) -> str:
    """A terminal with roof bands and skylights, centred on the frame; return its colour."""
    rng = canvas.rng
    name, tone = pick(rng, (("white", (226, 228, 230)), ("gray", (146, 150, 156)),
                            ("blue", (104, 136, 172))))  # fmt: skip
    canvas.fill(frame.px(box(width, depth)), vary(rng, tone), 14)
    canvas.fill(frame.px(box(width - 3, depth * 0.45)), vary(rng, tone, 4), 17)
    for x in np.arange(-width / 2 + 6, width / 2 - 4, 12.0):
        canvas.fill(frame.child(x, 0).px(box(2, depth * 0.3)), (104, 120, 134), 17.2)
    canvas.record("terminal", frame.px(box(width, depth)))
    return name


def apron(
    canvas: Canvas, frame: Frame, stands: int, length: float, livery: str, share: float
) -> None:
    """Stands along x with planes nosed in towards -y, their bridges and service vehicles."""
    rng = canvas.rng
    step = length * 1.12
    for k in range(stands):
        x = (k - (stands - 1) / 2) * step
        canvas.stroke(frame.px([(x, 4), (x, length * 1.7)]), 0.5, _YELLOW)
        if rng.random() > share:
            continue
        site = frame.child(x, length * 0.62, -np.pi / 2 + rng.normal(0, 0.03))
        plane(canvas, site, length * rng.uniform(0.92, 1.05), livery)
        bridge = frame.px([(x + length * 0.2, 0), (x + length * 0.07, length * 0.28)])
        canvas.stroke(bridge, 3, (196, 198, 200), 5.5)
        for _ in range(int(rng.integers(0, 4))):
            spot = frame.child(x + rng.uniform(-0.45, -0.25) * length, rng.uniform(2, 12))
            canvas.fill(spot.px(box(5, 2.2)), pick(rng, (*_TAILS, _YELLOW)), 2)
    line = frame.px([(-900, length * 1.7), (900, length * 1.7)])
    canvas.stroke(line, 0.6, _YELLOW)


def concrete_slabs(canvas: Canvas, frame: Frame, width: float, depth: float, tone: Colour) -> None:
    """Concrete slabs from the frame's x axis towards +y."""
    region = canvas.region(frame.px(rect(-width / 2, 0, width / 2, depth)))
    if region is None:
        return
    canvas.cover(region, vary(canvas.rng, tone, 6), vary(canvas.rng, tone, 10), 25, 4, block=True)
    joint = vary(canvas.rng, tuple(np.asarray(tone) * 0.9))
    for x in np.arange(-width / 2, width / 2, 15.0):
        canvas.stroke(frame.px([(x, 0), (x, depth)]), 0.2, joint)
    for y in np.arange(0, depth, 15.0):
        canvas.stroke(frame.px([(-width / 2, y), (width / 2, y)]), 0.2, joint)


def airport(canvas: Canvas) -> Facts:
    """Planes at a terminal."""
    rng = canvas.rng
    ground(canvas)
    frame = canvas.frame(0.5, 0.5, rng.uniform(0, 2 * np.pi)).child(0, -rng.uniform(22, 45))
    length = rng.uniform(34, 48)
    concrete_slabs(canvas, frame, 900, length * rng.uniform(2.6, 3.1), CONCRETE)
    stands = int(rng.integers(1, 6))
    width = max(stands * length * 1.12, 70) + rng.uniform(0, 40)
    name = terminal(canvas, frame.child(0, -14), width, 26)
    livery = pick(rng, ("white", "white", "gray", "blue"))
    apron(canvas, frame, stands, length, livery, 0.85)
    lot = rng.random() < 0.5
    canvas.fill(frame.px(rect(-400, -36, 400, -28)), ASPHALT)
    if lot:
        car_park(canvas, frame.child(0, -64), 160, 3, 0.7)
    if canvas.count("plane") == 0:
        plane(canvas, frame.child(0, length * 0.62, -np.pi / 2), length, livery)
    if rng.random() < 0.3:
        plane(canvas, frame.child(rng.uniform(-60, 60), length * 2.0), length * 0.9, livery)
    scatter_trees(canvas, 9, 0.4)
    planes = canvas.count("plane")
    return {
        "planes": count_phrase(planes, f"{livery} plane"),
        "number": count_phrase(planes, "plane"),
        "are": "is" if planes == 1 else "are",
        "livery": livery,
        "terminal": f"{name} terminal",
        "behind": "a parking lot full of cars" if lot else canvas.look.grass_words,
    }


def runway_strip(canvas: Canvas, frame: Frame, length: float, width: float, tone: Colour) -> None:
    """A runway along x with threshold, centre line and touch-down marks at both ends."""
    rng = canvas.rng
    region = canvas.region(frame.px(box(length + 60, width + 12)))
    if region is not None:
        canvas.cover(region, vary(rng, tone, 5), vary(rng, tone, 8), 30, 4, block=True)
    white: Colour = (232, 231, 226)
    for side in (-1, 1):
        y = side * (width / 2 - 1.5)
        canvas.stroke(frame.px([(-length / 2, y), (length / 2, y)]), 0.9, white)
    for x in np.arange(-length / 2 + 70, length / 2 - 60, 50.0):
        canvas.fill(frame.child(x, 0).px(box(30, 0.9)), white)
    for end in (-1, 1):
        for y in np.arange(-width / 2 + 4, width / 2 - 3, 3.6):
            canvas.fill(frame.child(end * (length / 2 - 20), y).px(box(28, 1.8)), white)
        for x, y in ((70, 7), (100, 10), (100, 7), (130, 7)):
            for side in (-1, 1):
                at = frame.child(end * (length / 2 - x), side * y)
                canvas.fill(at.px(box(20, 2)), white)
        smear = canvas.region(frame.child(end * (length / 2 - 130), 0).px(ellipse(110, 9)))
        if smear is not None:  # rubber left by landing planes
            dark = np.full((*smear.shape, 3), 58, np.float32)
            smear.cover[:] *= 0.5
            canvas.paint(smear, dark)


def runway(canvas: Canvas) -> Facts:
    """A runway in grass, perhaps with its threshold in the image, taxiways and planes."""
    rng = canvas.rng
    ground(canvas)
    frame = canvas.frame(rng.uniform(0.4, 0.6), rng.uniform(0.4, 0.6), rng.uniform(0, 2 * np.pi))
    tone, surface = pick(rng, (((92, 92, 94), "dark"), ((168, 166, 160), "light gray")))
    end = rng.random() < 0.5
    width = rng.uniform(40, 50)
    strip = frame.child(1000 - rng.uniform(60, 100) if end else rng.uniform(0, 50), 0)
    side = 74.0
    parallel = rng.random() < 0.5
    if parallel:
        canvas.fill(frame.px(rect(-900, side - 12, 900, side + 12)), vary(rng, tone))
        canvas.stroke(frame.px([(-900, side), (900, side)]), 0.5, _YELLOW)
    links = int(rng.integers(0, 3))
    for k in range(links):
        x = (k - (links - 1) / 2) * 70
        canvas.fill(
            frame.px([(x - 10, 0), (x + 14, 0), (x + 24, side), (x, side)]), vary(rng, tone)
        )
        canvas.stroke(frame.px([(x, 0), (x + 12, side)]), 0.5, _YELLOW)
    runway_strip(canvas, strip, 2000, width, tone)
    canvas.record("runway", frame.px(rect(-95, -width / 2, 95, width / 2)))
    planes = int(rng.integers(0, 3))
    for k in range(planes):
        y = side if parallel and k else 0
        heading = rng.choice([0.0, np.pi])
        plane(canvas, frame.child(rng.uniform(-60, 60), y, heading), rng.uniform(32, 46))
    if rng.random() < 0.3:
        truck(canvas, frame.child(30, -40), (220, 190, 60))
    scatter_trees(canvas, 25, 0.1)
    count = canvas.count("plane")
    return {
        "planes": count_phrase(count, "plane") if count else "no plane",
        "number": number_word(count),
        "are": "is" if count <= 1 else "are",
        "surface": surface,
        "marks": "white threshold stripes" if end else "a white dashed centre line",
        "taxi": "a parallel taxiway" if parallel else "no taxiway",
        "grass": canvas.look.grass_words,
    }
