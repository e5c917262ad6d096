"""Scene: irrigated farmland with a river, a village and a solar farm (UTM 14N)."""

import numpy as np
from jaxtyping import Float

from terraseek_demoworld.drawing.canvas import Canvas
from terraseek_demoworld.drawing.geometry import Frame
from terraseek_demoworld.drawing.ground import ground
from terraseek_demoworld.drawing.palette import vary
from terraseek_demoworld.drawing.plants import plant, tree_positions
from terraseek_demoworld.drawing.shapes import blob, box, ellipse, rect, smooth_line
from terraseek_demoworld.painters.buildings import gable_house, houses
from terraseek_demoworld.painters.fields import patchwork, pivot, solar_rows
from terraseek_demoworld.painters.industry import tank_farm
from terraseek_demoworld.painters.roads import road
from terraseek_demoworld.painters.sports import baseball_field
from terraseek_demoworld.painters.water import bridge, pond, river
from terraseek_demoworld.scenes.districts import forest_patch, grove, housing_district
from terraseek_demoworld.scenes.ground_truth import GroundTruth

__all__ = ["paint_farmland"]

_DIRT = (190, 168, 130)
_RIVER = [
    (-1500, 420), (-900, 300), (-560, 380), (-240, 190), (60, 110), (330, 240), (700, 90),
    (1500, 180),
]  # fmt: skip


def paint_farmland(canvas: Canvas) -> GroundTruth:
    """Pivots in the north, a river through the middle, fields, village and solar farm."""
    truth = GroundTruth()
    frame = canvas.frame(0.5, 0.5, 0.05)
    ground(canvas, soil=0.6)
    patchwork(canvas, 0.05, 260)
    canvas.objects.clear()
    canvas.blocked[:] = 0
    truth.add("rectangular fields of many colours", frame.px(rect(-420, 560, 260, 960)))
    _pivots(canvas, frame, truth)
    _solar(canvas, frame, truth)
    _river(canvas, frame, truth)
    _village(canvas, frame, truth)
    _lake(canvas, frame, truth)
    grove(canvas, frame.px(box(2600, 2600)), 0.1, 26)
    return truth


def _pivots(canvas: Canvas, frame: Frame, truth: GroundTruth) -> None:
    rng = canvas.rng
    desert = canvas.region(frame.px(rect(-700, -1500, 800, -130)))
    if desert is not None:
        canvas.cover(desert, vary(rng, canvas.look.soil), (204, 176, 132), 45, block=True)
    crops = ("green", "dark green", "yellow", "green", "brown", "green")
    for k, name in enumerate(crops):
        x, y = -480 + (k % 3) * 400, -790 + (k // 3) * 400
        site = frame.child(x, y)
        pivot(canvas, site, 186, name)
        kind = "yellow" if name == "yellow" else "brown" if name == "brown" else "green"
        truth.add(f"{kind} circular farmland", site.px(ellipse(186, 186, 36)))
    for y in (-990, -590, -190):
        canvas.stroke(frame.px([(-700, y), (800, y)]), 5, _DIRT)
    for x in (-680, -280, 120, 520):
        canvas.stroke(frame.px([(x, -1500), (x, -190)]), 5, _DIRT)


def _solar(canvas: Canvas, frame: Frame, truth: GroundTruth) -> None:
    rng = canvas.rng
    site = frame.child(760, -500)
    outline = site.px(box(380, 460))
    region = canvas.region(outline)
    if region is not None:
        canvas.cover(region, vary(rng, (176, 164, 134)), roughness=5, block=True)
    for i in (-1, 0, 1):
        for j in (-1, 0, 1):
            solar_rows(canvas, site.child(i * 120, j * 146), 108, 134, (42, 56, 96))
    canvas.stroke(outline, 4, _DIRT, closed=True)
    truth.add("many rows of dark blue solar panels", outline)


def _river(canvas: Canvas, frame: Frame, truth: GroundTruth) -> None:
    line = frame.px(smooth_line(_RIVER, 4))
    river(canvas, line, 62, (86, 104, 92))
    plant(canvas, tree_positions(canvas, 9, 0.5, _strip(canvas, line, 66)), 3.6)
    main = frame.px([(-284, -1500), (-280, -180), (-150, 40), (-60, 260), (-20, 420), (40, 1500)])
    road(canvas, main, 9, cars_every_m=30)
    over = frame.px([(-154, 60), (-70, 250)])
    bridge(canvas, over, 130, (168, 166, 160))
    truth.add("a bridge over a green river", frame.px(rect(-190, 60, -20, 250)))
    second = frame.px([(530, -1500), (534, -150), (636, 20), (644, 260), (660, 1500)])
    road(canvas, second, 7, cars_every_m=60)
    bridge(canvas, frame.px([(638, 40), (642, 200)]), 110, (158, 76, 60))
    truth.add("a bridge over a green river", frame.px(rect(590, 40, 690, 200)))
    reach = frame.px(smooth_line(_RIVER, 4))
    truth.add("a curved river through farmland", _strip(canvas, reach, 36))


def _strip(
    canvas: Canvas, line_px: Float[np.ndarray, "n 2"], half_m: float
) -> Float[np.ndarray, "k 2"]:
    step = np.gradient(line_px, axis=0)
    normal = np.stack([-step[:, 1], step[:, 0]], 1)
    normal *= half_m / canvas.gsd_m / np.maximum(np.hypot(*normal.T), 1e-9)[:, None]
    return np.vstack([line_px + normal, (line_px - normal)[::-1]])


def _village(canvas: Canvas, frame: Frame, truth: GroundTruth) -> None:
    rng = canvas.rng
    core = housing_district(canvas, frame.child(190, 420), (300, 200), "red", 15.0)
    truth.add("a small village with red roofs", core)
    field = frame.child(400, 360, 0.6)
    canvas.fill(field.child(45, 0).px(box(150, 150)), vary(rng, (112, 132, 74)))
    baseball_field(canvas, field, 92, skinned=False)
    truth.add("a baseball field", field.child(42, 0).px(box(108, 130)))
    silo = frame.child(-330, 520)
    tank_farm(canvas, silo, 3, 2, 34, (206, 208, 208))
    truth.add("six gray storage tanks", silo.px(box(108, 74)))
    for x, y, roof in (
        (-420, 660, (150, 92, 74)),
        (-200, 800, (132, 132, 134)),
        (860, 700, (150, 92, 74)),
    ):
        yard = frame.child(x, y)
        canvas.fill(yard.px(box(70, 54)), vary(rng, (176, 162, 134)))
        for k in (-1, 1):
            gable_house(canvas, yard.child(k * 16, 0, np.pi / 2 * (k > 0)), 26, 14, roof)
        truth.add("a farm with barns", yard.px(box(70, 54)))
        canvas.stroke(frame.px([(x, y), (x + 90, y - 60)]), 4, _DIRT)
    hamlet = frame.child(470, 620)
    lawn = canvas.region(hamlet.px(blob(rng, 175, 0.12)))
    if lawn is not None:
        canvas.cover(lawn, vary(rng, (128, 140, 84)), canvas.look.grass, 30)
    houses(canvas, hamlet, 34, 0.55, "gray", (260, 200))
    truth.add("sparse houses with gray roofs", hamlet.px(box(290, 230)))


def _lake(canvas: Canvas, frame: Frame, truth: GroundTruth) -> None:
    site = frame.child(-760, 820)
    shore = site.px(blob(canvas.rng, 120, 0.2))
    around = site.px(blob(canvas.rng, 240, 0.12))
    pond(canvas, shore, (44, 76, 92))
    truth.add("a dark blue lake surrounded by trees", shore)
    woods = forest_patch(canvas, around)
    truth.add("a green forest around a lake", woods)
