"""Sea and beaches."""

import numpy as np
from jaxtyping import Float32

from terraseek_demoworld.captions.phrases import Facts, pick
from terraseek_demoworld.drawing.canvas import Canvas
from terraseek_demoworld.drawing.geometry import Frame, Region
from terraseek_demoworld.drawing.ground import ground
from terraseek_demoworld.drawing.palette import Colour, mix, vary
from terraseek_demoworld.drawing.plants import plant, tree_positions
from terraseek_demoworld.drawing.shapes import ellipse
from terraseek_demoworld.drawing.textures import fractal
from terraseek_demoworld.painters.buildings import houses
from terraseek_demoworld.painters.roads import road

__all__ = ["beach", "sea"]


def sea(canvas: Canvas, depth_m: Float32[np.ndarray, "h w"], deep: Colour, shallow: Colour) -> None:
    """Sea with foam, shallows and swell where `depth_m` is positive: metres from the waterline."""
    rng = canvas.rng
    cover = np.clip(depth_m / canvas.gsd_m + 0.5, 0, 1).astype(np.float32)
    region = Region(slice(0, canvas.rows), slice(0, canvas.cols), cover).trimmed()
    depth_m = depth_m[region.rows, region.cols]
    rough = fractal(rng, depth_m.shape, 18 / canvas.gsd_m, 3)
    off = depth_m + 2.0 * rough
    share = (1 - np.exp(-np.clip(off, 0, None) / 38))[..., None]
    image = np.asarray(shallow, np.float32) * (1 - share) + np.asarray(deep, np.float32) * share
    swell = np.sin((off + 4 * rough) / 2.6) * np.exp(-np.clip(off, 0, None) / 60)
    image += (4 * swell + 3 * fractal(rng, off.shape, 4 / canvas.gsd_m, 2))[..., None]
    for line in (1.5, rng.uniform(10, 14), rng.uniform(22, 28)):
        wide = rng.uniform(1.2, 2.6)
        foam = np.exp(-(((off - line) / wide) ** 2)) * np.clip(0.7 + 0.6 * rough, 0, 1)
        image += (np.array([246, 248, 248], np.float32) - image) * (0.85 * foam)[..., None]
    canvas.paint(region, image.astype(np.float32), block=True)
    canvas.relief[region.rows, region.cols][depth_m > 0] = 0


def beach(canvas: Canvas) -> Facts:
    """Sea, waves and sand, with trees, houses or a road behind."""
    rng = canvas.rng
    ground(canvas)
    frame = canvas.frame(
        rng.uniform(0.35, 0.65), rng.uniform(0.35, 0.65), rng.uniform(0, 2 * np.pi)
    )
    x, y = canvas.full_region().local_coordinates(frame)
    bend, wave = rng.uniform(-0.0022, 0.0022), rng.uniform(18, 40)
    depth = y - (bend * x**2 + 5 * np.sin(x / wave))
    along_x = np.linspace(-0.8 * canvas.width_m, 0.8 * canvas.width_m, 60)
    line = np.stack([along_x, bend * along_x**2 + 5 * np.sin(along_x / wave)], 1)
    sand, tone = pick(
        rng, (("white", (238, 230, 212)), ("yellow", (224, 200, 152)), ("brown", (186, 158, 122)))
    )
    deep, water = pick(
        rng, (((28, 130, 150), "turquoise"), ((30, 68, 104), "dark blue"), ((70, 108, 96), "green"))
    )
    width = rng.uniform(16, 40)
    strip = np.clip(
        (depth + width + 2 * fractal(rng, depth.shape, 20 / canvas.gsd_m)) / canvas.gsd_m + 0.5,
        0,
        1,
    )
    shore = Region(slice(0, canvas.rows), slice(0, canvas.cols), strip.astype(np.float32))
    canvas.cover(shore, vary(rng, tone, 5), vary(rng, tone, 8), 15, 4, block=True)
    wet = Region(shore.rows, shore.cols, np.clip((depth + 5) / 5, 0, 0.8).astype(np.float32))
    canvas.paint(
        wet, np.broadcast_to(np.asarray(mix(tone, (90, 80, 70), 0.4), np.float32), (*wet.shape, 3))
    )
    sea(canvas, depth, vary(rng, deep, 5), mix(deep, (150, 206, 200), 0.55))
    canvas.record("beach", frame.px(np.vstack([line, line[::-1] - (0, width)])))
    umbrellas = rng.random() < 0.45
    if umbrellas:
        _umbrellas(canvas, frame, width)
    behind = pick(rng, ("trees", "houses", "road", "bare"))
    words = {
        "trees": canvas.look.tree_words,
        "road": "a coastal road",
        "bare": canvas.look.grass_words,
    }
    if behind == "road":
        road(canvas, frame.px(line - (0, width + 12)), 8, cars_every_m=16)
    if behind == "houses":
        words["houses"] = f"houses with {houses(canvas, frame, 18, 0.85)} roofs"
    plant(
        canvas,
        tree_positions(
            canvas, 6.5 if behind == "trees" else 12, 0.9 if behind == "trees" else 0.25
        ),
        2.8,
    )
    return {
        "sand": sand,
        "water": water,
        "behind": words[behind],
        "umbrellas": "many umbrellas" if umbrellas else "nobody",
        "uare": "are" if umbrellas else "is",
    }


def _umbrellas(canvas: Canvas, frame: Frame, width: float) -> None:
    rng = canvas.rng
    colours: tuple[Colour, ...] = ((206, 60, 54), (60, 110, 186), (236, 232, 220), (232, 180, 60))
    for x in np.arange(-0.6 * canvas.width_m, 0.6 * canvas.width_m, 5.5):
        for y in np.arange(-width * 0.75, -width * 0.3, 6.0):
            if rng.random() < 0.75:
                site = frame.child(x + rng.normal(0, 0.5), y + rng.normal(0, 0.4))
                canvas.fill(site.px(ellipse(1.5, 1.5, 12)), pick(rng, colours), 2.2)
