"""Rivers, lakes and bridges."""

import cv2
import numpy as np
from jaxtyping import Float

from terraseek_demoworld.captions.phrases import Facts, count_phrase, pick
from terraseek_demoworld.drawing.canvas import Canvas
from terraseek_demoworld.drawing.geometry import Region
from terraseek_demoworld.drawing.ground import ground
from terraseek_demoworld.drawing.palette import Colour, mix, vary
from terraseek_demoworld.drawing.plants import plant, scatter_trees, tree_positions
from terraseek_demoworld.drawing.shapes import blob, points_along, smooth_line
from terraseek_demoworld.drawing.textures import fractal
from terraseek_demoworld.painters.buildings import houses
from terraseek_demoworld.painters.fields import patchwork
from terraseek_demoworld.painters.roads import road
from terraseek_demoworld.painters.ships import boat

__all__ = [
    "WATERS",
    "bridge",
    "lake",
    "pond",
    "river",
    "river_bridge",
    "water_colour",
]

Points = Float[np.ndarray, "n 2"]

WATERS: dict[str, Colour] = {
    "dark blue": (36, 62, 86),
    "green": (66, 98, 78),
    "brown": (124, 104, 76),
    "blue": (58, 104, 136),
}


def water_colour(canvas: Canvas, *, silt: bool = True) -> tuple[str, Colour]:
    """Random water colour and its name; with `silt` it may be brown."""
    name = pick(canvas.rng, tuple(WATERS) if silt else ("dark blue", "green", "blue"))
    return name, vary(canvas.rng, WATERS[name], 5)


def pond(canvas: Canvas, outline_px: Points, tone: Colour, name: str = "lake") -> None:
    """Still water with a pale shore and ripples."""
    canvas.stroke(
        outline_px, 3.5, mix(canvas.look.soil, (220, 210, 190), 0.3), closed=True, block=True
    )
    region = canvas.region(outline_px)
    if region is None:
        return
    _ripples(canvas, region, tone)
    canvas.relief[region.rows, region.cols][region.cover > 0.5] = -0.6
    canvas.record(name, outline_px)


def _ripples(canvas: Canvas, region: Region, tone: Colour, swell: float = 3.0) -> None:
    wide = fractal(canvas.rng, region.shape, 40 / canvas.gsd_m, 3)
    fine = fractal(canvas.rng, region.shape, max(3 / canvas.gsd_m, 2), 2)
    image = np.asarray(tone, np.float32) + (3 * wide + swell * fine)[..., None]
    canvas.paint(region, image.astype(np.float32), block=True)


def river(canvas: Canvas, line_px: Points, width_m: float, tone: Colour) -> None:
    """A river along a line with pale banks."""
    bank = vary(canvas.rng, mix(canvas.look.soil, canvas.look.grass, 0.4))
    canvas.stroke(line_px, width_m + 7, bank, -0.5, block=True)
    canvas.stroke(line_px, width_m + 2, mix(bank, tone, 0.5))
    mask = np.zeros((canvas.rows, canvas.cols), np.uint8)
    at = [np.round(line_px * 16).astype(np.int32)]
    thick = max(1, round(width_m / canvas.gsd_m))
    cv2.polylines(mask, at, False, (255,), thick, cv2.LINE_AA, 4)
    whole = slice(0, canvas.rows), slice(0, canvas.cols)
    region = Region(*whole, mask.astype(np.float32) / 255).trimmed()
    _ripples(canvas, region, tone)
    canvas.relief[mask > 127] = -1.0


def river_bridge(canvas: Canvas) -> Facts:
    """A river with one or two bridges."""
    rng = canvas.rng
    ground(canvas)
    frame = canvas.frame(
        rng.uniform(0.42, 0.58), rng.uniform(0.42, 0.58), rng.uniform(0, 2 * np.pi)
    )
    around = pick(rng, ("trees", "farmland", "houses"))
    if around == "farmland":
        patchwork(canvas, frame.angle, 70, track=False)
    bend = rng.uniform(-0.35, 0.35, 2) * canvas.width_m
    width = rng.uniform(0.13, 0.34) * canvas.width_m
    half = 0.9 * canvas.width_m
    line = smooth_line(
        [
            (-half, bend[0]),
            (-half / 2, bend[0] / 2),
            (0, 0),
            (half / 2, bend[1] / 2),
            (half, bend[1]),
        ]
    )
    name, tone = water_colour(canvas)
    river(canvas, frame.px(line), width, tone)
    canvas.record("river", _band(frame.px(line), width / canvas.gsd_m))
    bridges, gap = int(rng.integers(1, 3)), 0.3 * canvas.width_m
    deck = pick(
        rng, (("gray", (128, 128, 130)), ("white", (206, 206, 204)), ("red", (158, 76, 60)))
    )
    for k in range(bridges):
        over = frame.child((k - (bridges - 1) / 2) * gap, 0, np.pi / 2 + rng.uniform(-0.2, 0.2))
        bridge(canvas, over.px([(-half, 0), (half, 0)]), width, deck[1])
    boats = int(rng.integers(0, 3))
    for k in range(boats):
        at = line[int(len(line) * (0.3 + 0.4 * k))]
        boat(canvas, frame.child(at[0], at[1]), rng.uniform(12, 22))
    if around == "houses":
        roof = houses(canvas, frame, 18, 0.85)
        words = f"houses with {roof} roofs"
    elif around == "trees":
        plant(canvas, tree_positions(canvas, 6.5, 0.9), 3.2)
        words = canvas.look.tree_words
    else:
        scatter_trees(canvas, 14, 0.2)
        words = "farmland"
    count = canvas.count("boat")
    return {
        "bridges": count_phrase(bridges, f"{deck[0]} bridge"),
        "are": "is" if bridges == 1 else "are",
        "water": name,
        "around": words,
        "boats": count_phrase(count, "boat") if count else "no boat",
        "bare": are(count),
    }


def are(count: int) -> str:
    """Verb that goes with a count: "is" or "are"."""
    return "is" if count <= 1 else "are"


def _band(line_px: Points, width_px: float) -> Float[np.ndarray, "k 2"]:
    sides = [
        np.array([at for at, _ in points_along(line_px, 12, s * width_px / 2)]) for s in (-1, 1)
    ]
    return np.vstack([sides[0], sides[1][::-1]])


def bridge(canvas: Canvas, line_px: Points, river_m: float, tone: Colour) -> None:
    """A bridge with its road along a line of two points over a river `river_m` wide."""
    px = 1 / canvas.gsd_m
    road(canvas, line_px, 10, marks=False, cars_every_m=22)
    middle = line_px.mean(0)
    unit = (line_px[1] - line_px[0]) / np.hypot(*(line_px[1] - line_px[0]))
    reach = (0.58 * river_m + 6) * px
    ends = np.array([middle - unit * reach, middle + unit * reach])
    canvas.stroke(ends, 13, tone, 5.5)
    road(
        canvas,
        ends,
        9,
        surface=mix(tone, (96, 96, 98), 0.75),
        marks=True,
        cars_every_m=16,
        height_m=5,
    )
    side = np.array([-unit[1], unit[0]]) * 6 * px
    for edge in (side, -side):
        canvas.stroke(ends + edge, 1.2, tone, 6.6)
    outline = np.array([ends[0] - side, ends[1] - side, ends[1] + side, ends[0] + side])
    canvas.record("bridge", outline)


def lake(canvas: Canvas) -> Facts:
    """A lake with trees, grass or houses around and perhaps islands."""
    rng = canvas.rng
    ground(canvas)
    frame = canvas.frame(
        rng.uniform(0.42, 0.58), rng.uniform(0.42, 0.58), rng.uniform(0, 2 * np.pi)
    )
    name, tone = water_colour(canvas, silt=False)
    radius = rng.uniform(0.24, 0.36) * canvas.width_m
    pond(canvas, frame.px(blob(rng, radius, 0.17)), tone)
    islands = int(pick(rng, (0, 0, 1, 2)))
    for k in range(islands):
        turn = k * np.pi + rng.uniform(0, 2)
        site = frame.child(0.3 * radius * np.cos(turn), 0.3 * radius * np.sin(turn))
        shore = blob(rng, 0.17 * radius)
        canvas.fill(site.px(shore * 1.15), vary(rng, canvas.look.soil), 0.1)
        canvas.fill(site.px(shore), vary(rng, canvas.look.grass), 0.3)
        if (r := canvas.region(site.px(shore))) is not None:
            canvas.blocked[r.rows, r.cols][r.cover > 0.5] = 0
        canvas.record("island", site.px(shore))
    boats = 0 if islands else int(rng.integers(0, 4))
    for _ in range(boats):
        x, y = rng.uniform(-0.33, 0.33, 2) * radius
        boat(canvas, frame.child(x, y, rng.uniform(0, 6)), rng.uniform(7, 11))
    path = rng.random() < 0.4
    if path:
        ring = frame.px(blob(rng, radius * 1.35, 0.05) * 1.15)
        road(canvas, ring, 4, surface=(196, 184, 158), marks=False)
    around = pick(rng, ("forest", "grass", "houses"))
    words = {"forest": canvas.look.tree_words, "grass": canvas.look.grass_words}.get(around, "")
    if around == "houses":
        words = f"houses with {houses(canvas, frame, 17, 0.8)} roofs"
    plant(
        canvas,
        tree_positions(canvas, 6 if around == "forest" else 13, 0.9 if around == "forest" else 0.2),
        3.2,
    )
    return {
        "water": name,
        "around": words,
        "islands": count_phrase(islands, "island") if islands else "no island",
        "iare": are(islands),
        "boats": count_phrase(boats, "boat") if boats else "no boat",
        "bare": are(boats),
        "path": "a path around it" if path else "no path around it",
    }
