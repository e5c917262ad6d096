"""Forest, desert and mountains."""

import numpy as np
from jaxtyping import Float32

from terraseek_demoworld.captions.phrases import Facts, pick
from terraseek_demoworld.drawing.canvas import Canvas
from terraseek_demoworld.drawing.geometry import Region
from terraseek_demoworld.drawing.ground import ground
from terraseek_demoworld.drawing.palette import Colour, mix, vary
from terraseek_demoworld.drawing.plants import forest, plant, tree_positions
from terraseek_demoworld.drawing.shapes import blob, box, smooth_line
from terraseek_demoworld.drawing.textures import fractal, ridges
from terraseek_demoworld.painters.roads import road

__all__ = ["desert", "mountains", "woods"]

_DIRT: Colour = (184, 162, 126)

_SANDS: dict[str, Colour] = {
    "yellow": (222, 188, 130),
    "red": (204, 138, 92),
    "white": (232, 220, 198),
    "brown": (186, 152, 112),
}


def woods(canvas: Canvas) -> Facts:
    """Forest with perhaps a clearing, a track or a stream."""
    rng = canvas.rng
    ground(canvas, mix(canvas.look.grass, (50, 56, 36), 0.45))
    frame = canvas.frame(
        rng.uniform(0.35, 0.65), rng.uniform(0.35, 0.65), rng.uniform(0, 2 * np.pi)
    )
    half = 0.8 * canvas.width_m
    bend = rng.uniform(-0.3, 0.3, 2) * canvas.width_m
    way = smooth_line([(-half, bend[0]), (-half / 2, 0), (half / 2, bend[1] / 2), (half, bend[1])])
    kind, words = pick(rng, (("", "no road"), ("", "no road"), ("track", "a dirt road"),
                             ("road", "a paved road"), ("stream", "a narrow stream"),
                             ("clearing", "a clearing"), ("lake", "a small pond")))  # fmt: skip
    if kind in ("track", "road"):
        road(
            canvas,
            frame.px(way),
            6,
            surface=_DIRT if kind == "track" else (108, 108, 110),
            marks=False,
        )
    elif kind == "stream":
        canvas.stroke(frame.px(way), 10, vary(rng, canvas.look.soil), block=True)
        canvas.stroke(frame.px(way), 6, vary(rng, canvas.look.water))
    elif kind:
        shape = frame.px(blob(rng, rng.uniform(0.14, 0.24) * canvas.width_m))
        tone = canvas.look.grass if kind == "clearing" else canvas.look.water
        if (region := canvas.region(shape)) is not None:
            canvas.cover(region, vary(rng, tone), roughness=4, block=True)
        canvas.record("clearing" if kind == "clearing" else "lake", shape)
    patchy, density = pick(rng, ((0.0, "dense"), (0.55, "sparse")))
    forest(canvas, rng.uniform(2.6, 4.8), patchy)
    canvas.record("forest", canvas.frame().px(box(canvas.width_m, canvas.height_m)))
    return {"trees": canvas.look.tree_words, "density": density, "way": words}


def desert(canvas: Canvas) -> Facts:
    """Dunes or a stony plain."""
    rng = canvas.rng
    colour = pick(rng, tuple(_SANDS))
    tone = _SANDS[colour]
    ground(canvas, tone, soil=0.15)
    shape = (canvas.rows, canvas.cols)
    dunes = rng.random() < 0.6
    frame = canvas.frame(0.5, 0.5, rng.uniform(0, 2 * np.pi))
    x, y = canvas.full_region().local_coordinates(frame)
    if dunes:
        wave = rng.uniform(26, 60)
        phase = y / wave + 0.3 * fractal(rng, shape, 110 / canvas.gsd_m, 2)
        saw = phase % 1.0  # a long windward slope and a short slip face
        crest = np.where(saw < 0.72, saw / 0.72, (1 - saw) / 0.28)
        canvas.relief += (crest * wave * 0.13).astype(np.float32)
        canvas.relief += 0.12 * np.sin(phase * 30 + x / 9).astype(np.float32)
    else:
        canvas.relief += 1.6 * ridges(rng, shape, 45 / canvas.gsd_m)
        plant(canvas, tree_positions(canvas, 9, 0.12), 0.9, ((120, 100, 76), (96, 84, 68)))
    way = pick(rng, ("a road", "a dirt track", ""))
    if way:
        half = 0.8 * canvas.width_m
        bend = rng.uniform(-0.25, 0.25) * canvas.width_m
        line = frame.px(smooth_line([(-half, 0), (-half / 3, bend), (half / 3, -bend), (half, 0)]))
        if way == "a road":
            road(canvas, line, 7)
        else:
            canvas.stroke(line, 3, mix(tone, (150, 124, 92), 0.55))
    shrubs = rng.random() < 0.35
    if shrubs:
        plant(canvas, tree_positions(canvas, 13, 0.4), 1.5, ((98, 102, 66), (84, 90, 58)))
    canvas.record("desert", canvas.frame().px(box(canvas.width_m, canvas.height_m)))
    return {
        "colour": colour,
        "kind": "sand dunes" if dunes else "stony ground",
        "way": f"{way} crosses" if way else "nothing crosses",
        "shrubs": "a few shrubs" if shrubs else "no plants",
        "sare": "are",
    }


def mountains(canvas: Canvas) -> Facts:
    """Ridges with snow, rock or forest."""
    rng = canvas.rng
    shape = (canvas.rows, canvas.cols)
    kind = pick(rng, ("snow", "rock", "forest", "snow and forest"))
    rock, tone = pick(
        rng, (("gray", (142, 136, 130)), ("brown", (150, 122, 94)), ("red", (160, 106, 80)))
    )
    relief = _range(canvas)
    canvas.relief += relief
    ground(canvas, tone, soil=0.2)
    low, high = np.quantile(relief, (0.45, 0.6))
    ragged = relief + (high - low) * 1.2 * fractal(rng, shape, 10 / canvas.gsd_m, 3)
    everywhere = slice(0, canvas.rows), slice(0, canvas.cols)
    if "snow" in kind:
        cover = np.clip((ragged - high * 0.98) / 2.5, 0, 1).astype(np.float32)
        canvas.cover(Region(*everywhere, cover), (240, 243, 248), roughness=3)
    if "forest" in kind:
        canvas.blocked[ragged > (low if "snow" in kind else high * 0.95)] = 255
        under = np.clip((low - ragged) / 3, 0, 1).astype(np.float32)
        canvas.cover(
            Region(*everywhere, under), mix(canvas.look.grass, (60, 70, 40), 0.4), roughness=5
        )
        _hang(canvas, relief)
    canvas.record("mountain", canvas.frame().px(box(canvas.width_m, canvas.height_m)))
    cover_words = {
        "snow": "white snow on the ridges", "rock": "bare rock without plants",
        "forest": f"{canvas.look.tree_words} on the slopes",
        "snow and forest": f"snow on the ridges and {canvas.look.tree_words} in the valleys",
    }[kind]  # fmt: skip
    return {"rock": rock, "cover": cover_words}


def _range(canvas: Canvas) -> Float32[np.ndarray, "h w"]:
    """Heights of a main ridge with spurs and gullies on both sides, metres."""
    rng, shape = canvas.rng, (canvas.rows, canvas.cols)
    frame = canvas.frame(rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.7), rng.uniform(0, 2 * np.pi))
    x, y = canvas.full_region().local_coordinates(frame)
    away = np.abs(y + 12 * fractal(rng, shape, 80 / canvas.gsd_m, 3))
    lean = x + np.sign(y) * 0.5 * away + 9 * fractal(rng, shape, 50 / canvas.gsd_m, 3)
    spur = 2 * np.abs((lean / rng.uniform(34, 60)) % 1 - 0.5)  # 1 on a spur, 0 in a gully
    relief = -rng.uniform(0.5, 0.75) * away - 0.5 * (1 - spur) * np.minimum(away, 45)
    relief += 9 * ridges(rng, shape, 45 / canvas.gsd_m, 5)
    relief -= relief.min()
    heights: Float32[np.ndarray, "h w"] = relief.astype(np.float32)
    return heights


def _hang(canvas: Canvas, relief: np.ndarray) -> None:
    # trees stand on the slope: plant them on flat ground, then add the slope
    slope = canvas.relief.copy()
    canvas.relief[:] = 0
    plant(canvas, tree_positions(canvas, 6.0), 3.4, tall=2.0)
    canvas.relief += slope
