"""Stadiums, football pitches, running tracks, tennis courts and baseball fields."""

import numpy as np

from terraseek_demoworld.captions.phrases import Facts, count_phrase, pick
from terraseek_demoworld.drawing.canvas import Canvas
from terraseek_demoworld.drawing.geometry import Frame
from terraseek_demoworld.drawing.ground import ground
from terraseek_demoworld.drawing.palette import CONCRETE, Colour, mix, vary
from terraseek_demoworld.drawing.plants import plant, scatter_trees, tree_positions
from terraseek_demoworld.drawing.shapes import box, ellipse, rect
from terraseek_demoworld.painters.buildings import flat_block
from terraseek_demoworld.painters.roads import car_park, road

__all__ = [
    "athletics", "baseball", "baseball_field",   "pitch", "playground", "stadium",
    "stadium_bowl", "tennis", "tennis_court",
]  # fmt: skip

_WHITE: Colour = (236, 238, 234)
_TURF: Colour = (78, 132, 62)
_STANDS: dict[str, Colour] = {
    "blue": (66, 92, 158), "red": (172, 58, 54), "gray": (150, 150, 152), "green": (70, 128, 86),
    "yellow": (214, 180, 74),
}  # fmt: skip


def pitch(canvas: Canvas, frame: Frame, length: float = 105, width: float = 68) -> None:
    """A football pitch with mown stripes and markings, x along it."""
    step = length / 14
    for k in range(14):
        tone = mix(_TURF, (120, 168, 92), 0.35 * (k % 2))
        x = -length / 2 + k * step
        canvas.fill(frame.px(rect(x, -width / 2, x + step, width / 2)), tone)
    canvas.stroke(frame.px(box(length - 3, width - 3)), 0.5, _WHITE, closed=True)
    canvas.stroke(frame.px([(0, -width / 2 + 1.5), (0, width / 2 - 1.5)]), 0.5, _WHITE)
    canvas.stroke(frame.px(ellipse(9.2, 9.2)), 0.5, _WHITE, closed=True)
    for side in (-1, 1):
        goal = frame.child(side * (length / 2 - 1.5), 0)
        for deep, wide in ((16.5, 40), (5.5, 18)):
            area = rect(-side * deep, -wide * width / 136, 0, wide * width / 136)
            canvas.stroke(goal.px(area), 0.5, _WHITE, closed=True)
    canvas.record("football pitch", frame.px(box(length, width)))


def stadium_bowl(canvas: Canvas, frame: Frame, seats: str, roofed: bool, track: bool) -> None:
    """Stands around a pitch, 200 x 160 m with track, a little smaller without."""
    rng = canvas.rng
    rx, ry = (66, 46) if not track else (84, 54)
    deep = rng.uniform(20, 28)
    tone = vary(rng, _STANDS[seats], 5)
    canvas.fill(frame.px(ellipse(rx + deep + 4, ry + deep + 4, 72, 2.6)), (196, 194, 188), 20)
    rings = 7
    for k in range(rings):
        inner = deep * (1 - k / rings)
        shade = mix(tone, (240, 240, 240), 0.16 * (k % 2))
        canvas.fill(frame.px(ellipse(rx + inner, ry + inner, 72, 2.6)), shade, 18 - 2.4 * k)
    for turn in np.linspace(0, 2 * np.pi, 28, endpoint=False):
        aisle = [(np.cos(turn) * (rx + s), np.sin(turn) * (ry + s)) for s in (0, deep)]
        canvas.stroke(frame.px(aisle), 0.7, (206, 206, 204))
    if roofed:
        canvas.stroke(frame.px(ellipse(rx + deep * 0.8, ry + deep * 0.8, 72, 2.6)), deep * 0.5,
                      (226, 228, 230), 24, closed=True)  # fmt: skip
        for turn in np.linspace(0, 2 * np.pi, 36, endpoint=False):
            rib = [(np.cos(turn) * (rx + s), np.sin(turn) * (ry + s)) for s in (deep * 0.55, deep)]
            canvas.stroke(frame.px(rib), 0.6, (170, 174, 180))
    floor = (176, 92, 76) if track else _TURF
    canvas.fill(frame.px(ellipse(rx, ry, 72, 2.6)), floor, 0.2)
    if track:
        for lane in (1, 4.5, 8):
            outline = frame.px(ellipse(rx - lane, ry - lane, 72, 2.6))
            canvas.stroke(outline, 0.3, (200, 140, 124), closed=True)
        canvas.fill(frame.px(ellipse(rx - 11, ry - 11, 72, 2.6)), _TURF)
    pitch(canvas, frame, 100 if track else 105, 64)
    canvas.record("stadium", frame.px(ellipse(rx + deep + 4, ry + deep + 4, 48, 2.6)))


def stadium(canvas: Canvas) -> Facts:
    """A stadium with parking, trees or roads around."""
    rng = canvas.rng
    ground(canvas)
    frame = canvas.frame(rng.uniform(0.46, 0.54), rng.uniform(0.46, 0.54), rng.uniform(0, np.pi))
    apron = frame.px(ellipse(122, 98))
    canvas.fill(apron, vary(rng, CONCRETE))
    seats, roofed, track = pick(rng, tuple(_STANDS)), rng.random() < 0.4, rng.random() < 0.35
    around = pick(rng, ("parking lots", "trees", "roads"))
    if around == "parking lots":
        for side in (-1, 1):
            car_park(canvas, frame.child(0, side * 125), 220, 3, 0.6)
    elif around == "roads":
        for side in (-1, 1):
            road(canvas, frame.px([(-400, side * 108), (400, side * 108)]), 12, cars_every_m=16)
    stadium_bowl(canvas, frame, seats, roofed, track)
    if around == "trees":
        plant(canvas, tree_positions(canvas, 7, 0.85), 3.4)
        around = canvas.look.tree_words
    scatter_trees(canvas, 12, 0.3)
    return {
        "seats": seats,
        "roof": "a white roof" if roofed else "no roof",
        "track": "a red running track" if track else "no running track",
        "around": around,
    }


def tennis_court(canvas: Canvas, frame: Frame, play: Colour, border: Colour) -> None:
    """One court with its run-off, 36 x 18 m, x along it."""
    canvas.fill(frame.px(box(36, 18)), border)
    canvas.fill(frame.px(box(23.8, 11)), play)
    for points in (box(23.8, 11), box(23.8, 8.2)):
        canvas.stroke(frame.px(points), 0.3, _WHITE, closed=True)
    for x in (-6.4, 6.4):
        canvas.stroke(frame.px([(x, -4.1), (x, 4.1)]), 0.3, _WHITE)
    canvas.stroke(frame.px([(-6.4, 0), (6.4, 0)]), 0.3, _WHITE)
    canvas.stroke(frame.px([(0, -6.4), (0, 6.4)]), 0.4, (60, 62, 66), 1)
    canvas.record("tennis court", frame.px(box(36, 18)))


def tennis(canvas: Canvas) -> Facts:
    """Tennis courts in a row or block."""
    rng = canvas.rng
    ground(canvas)
    frame = canvas.frame(rng.uniform(0.42, 0.58), rng.uniform(0.42, 0.58), rng.uniform(0, np.pi))
    words, play, border = pick(
        rng,
        (
            ("blue", (64, 100, 164), (84, 134, 92)), ("green", (70, 122, 82), (146, 86, 70)),
            ("red", (178, 96, 68), (178, 98, 70)), ("purple", (112, 86, 140), (86, 130, 92)),
        ),
    )  # fmt: skip
    cols = int(rng.integers(1, 5))
    rows = 2 if canvas.width_m > 78 and rng.random() < 0.45 else 1
    canvas.fill(frame.px(box(cols * 18 + 6, rows * 38 + 6)), mix(border, (150, 150, 146), 0.3))
    for i in range(cols):
        for j in range(rows):
            site = frame.child((i - (cols - 1) / 2) * 18, (j - (rows - 1) / 2) * 38, np.pi / 2)
            tennis_court(canvas, site, play, border)
    canvas.stroke(frame.px(box(cols * 18 + 5, rows * 38 + 5)), 0.3, (90, 100, 92), 3, closed=True)
    near = pick(rng, ("a building", "a road", "a parking lot", ""))
    edge = rows * 19 + 4
    if near == "a building":
        near = f"a building with a {flat_block(canvas, frame.child(0, edge + 12), 44, 15, 7)} roof"
    elif near == "a road":
        road(canvas, frame.px([(-300, edge + 8), (300, edge + 8)]), 7, cars_every_m=16)
    elif near:
        car_park(canvas, frame.child(0, edge + 12), 60, 1, 0.7)
    woods = rng.random() < 0.6
    plant(canvas, tree_positions(canvas, 7, 0.85 if woods else 0.1), 3.0)
    count = canvas.count("tennis court")
    return {
        "courts": count_phrase(count, f"{words} tennis court"),
        "number": count_phrase(count, "tennis court"),
        "are": "is" if count == 1 else "are",
        "colour": words,
        "near": near or "open land",
        "around": canvas.look.tree_words if woods else canvas.look.grass_words,
    }


def baseball_field(canvas: Canvas, frame: Frame, size: float, skinned: bool) -> None:
    """A baseball field opening towards +x, `size` metres from plate to outfield fence."""
    dirt: Colour = (186, 134, 94)
    fan = np.linspace(-np.pi / 4, np.pi / 4, 24)
    outfield = np.vstack([[(-6, 0)], np.stack([np.cos(fan), np.sin(fan)], 1) * size])
    canvas.fill(frame.px(outfield), dirt)
    region = canvas.region(frame.px(outfield * 0.95))
    if region is not None:
        x, y = region.local_coordinates(frame)
        stripe = 6 * np.sign(np.sin(np.hypot(x, y) * 2 * np.pi / 12))
        tone = np.asarray(vary(canvas.rng, _TURF), np.float32)
        canvas.paint(region, (tone + stripe[..., None]).astype(np.float32), block=True)
    side = 27.4 if size > 80 else 19.0
    wide = np.linspace(-np.pi / 4, np.pi / 4, 16) * 1.04
    arc = np.vstack([[(-5, 0)], np.stack([np.cos(wide), np.sin(wide)], 1) * side * 1.62])
    canvas.fill(frame.px(arc), vary(canvas.rng, dirt, 5))
    half = side / np.sqrt(2)
    if not skinned:
        diamond = np.array([(3, 0), (half, -half + 3), (2 * half - 3, 0), (half, half - 3)])
        canvas.fill(frame.px(diamond), _TURF)
    canvas.fill(frame.px(ellipse(4.5, 4.5)), dirt)
    canvas.fill(frame.child(18.4 * side / 27.4, 0).px(ellipse(2.8, 2.8)), dirt, 0.3)
    for base_x, base_y in ((0, 0), (half, -half), (2 * half, 0), (half, half)):
        canvas.fill(frame.child(base_x, base_y).px(box(1.2, 1.2)), _WHITE)
    for sign in (-1, 1):
        end = (size * 0.7, sign * size * 0.7)
        canvas.stroke(frame.px([(0, 0), end]), 0.35, _WHITE)
        dugout = frame.child(half * 0.55, sign * half * 1.25, sign * np.pi / 4)
        canvas.fill(dugout.px(box(12, 3)), (200, 200, 200), 3)
    canvas.record("baseball field", frame.px(outfield))


def baseball(canvas: Canvas) -> Facts:
    """One to four baseball fields."""
    rng = canvas.rng
    ground(canvas)
    frame = canvas.frame(
        rng.uniform(0.46, 0.54), rng.uniform(0.46, 0.54), rng.uniform(0, 2 * np.pi)
    )
    want, skinned = int(pick(rng, (1, 1, 2, 4))), rng.random() < 0.45
    size = canvas.width_m * {1: 0.62, 2: 0.44, 4: 0.42}[want]
    for k in range(want):
        turned = frame.child(0, 0, k * np.pi * (1 if want == 2 else 0.5))
        baseball_field(canvas, turned.child(-size * 0.5 if want == 1 else 9, 0), size, skinned)
    near = pick(rng, ("a parking lot", "a road", "trees"))
    if near == "a parking lot":
        car_park(canvas, frame.child(-size * 0.62, 0, np.pi / 2), size, 1, 0.6)
    elif near == "a road":
        line = frame.px([(-size * 0.66, -400), (-size * 0.66, 400)])
        road(canvas, line, 8, cars_every_m=16)
    woods = near == "trees"
    plant(canvas, tree_positions(canvas, 7, 0.85 if woods else 0.1), 3.2)
    count = canvas.count("baseball field")
    return {
        "fields": count_phrase(count, "baseball field"),
        "are": "is" if count == 1 else "are",
        "infield": "a brown dirt infield" if skinned else "a grass infield",
        "near": canvas.look.tree_words if woods else near,
        "ground": canvas.look.grass_words,
    }


def athletics(canvas: Canvas, frame: Frame, size: float, tone: Colour) -> None:
    """A running track around a pitch, 172 x 92 m times `size`, x along it."""
    rng = canvas.rng
    tone = vary(rng, tone)
    canvas.fill(frame.px(ellipse(86 * size, 46 * size, 72, 3.2)), tone)
    for lane in (1, 3.5, 6):
        outline = ellipse((86 - lane * 1.2) * size, (46 - lane * 1.2) * size, 72, 3.2)
        canvas.stroke(frame.px(outline), 0.25, mix(tone, (230, 220, 214), 0.35), closed=True)
    canvas.fill(frame.px(ellipse(76 * size, 36 * size, 72, 3.2)), vary(rng, _TURF))
    canvas.record("running track", frame.px(ellipse(86 * size, 46 * size, 40, 3.2)))
    pitch(canvas, frame, 100 * size, 60 * size)


def playground(canvas: Canvas) -> Facts:
    """A school sports ground: running track around a pitch, basketball courts beside."""
    rng = canvas.rng
    ground(canvas)
    frame = canvas.frame(rng.uniform(0.45, 0.55), rng.uniform(0.45, 0.55), rng.uniform(0, np.pi))
    colour, tone = pick(
        rng, (("red", (174, 84, 70)), ("blue", (76, 112, 166)), ("brown", (160, 122, 92)))
    )
    size = 0.0042 * canvas.width_m
    athletics(canvas, frame, size, tone)
    courts = int(rng.integers(0, 5))
    shade = pick(rng, ((86, 128, 104), (176, 108, 84), (92, 118, 160)))
    for k in range(courts):
        site = frame.child((k - (courts - 1) / 2) * 19, 46 * size + 18, np.pi / 2)
        canvas.fill(site.px(box(28, 16)), vary(rng, shade, 3))
        canvas.stroke(site.px(box(26, 14)), 0.3, _WHITE, closed=True)
        canvas.stroke(site.px(ellipse(2, 2)), 0.3, _WHITE, closed=True)
        canvas.record("basketball court", site.px(box(28, 16)))
    hall = rng.random() < 0.5
    roof = flat_block(canvas, frame.child(0, -46 * size - 16), 80, 18, 10) if hall else ""
    woods = rng.random() < 0.5
    plant(canvas, tree_positions(canvas, 7, 0.8 if woods else 0.1), 2.8)
    count = canvas.count("basketball court")
    return {
        "colour": colour,
        "courts": count_phrase(count, "basketball court") if count else "no basketball court",
        "care": "is" if count <= 1 else "are",
        "near": f"a long building with a {roof} roof" if hall else "open ground",
        "around": canvas.look.tree_words if woods else canvas.look.grass_words,
    }
