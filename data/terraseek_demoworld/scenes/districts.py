"""Districts of the large scenes: housing, city centre, parks and forests."""

import numpy as np
from jaxtyping import Float

from terraseek_demoworld.drawing.canvas import Canvas
from terraseek_demoworld.drawing.geometry import Frame
from terraseek_demoworld.drawing.palette import CONCRETE, mix, vary
from terraseek_demoworld.drawing.plants import forest, plant, tree_positions
from terraseek_demoworld.drawing.shapes import blob, box, smooth_line
from terraseek_demoworld.painters.buildings import flat_block, houses
from terraseek_demoworld.painters.roads import road
from terraseek_demoworld.painters.water import pond

__all__ = ["city_centre", "city_park", "forest_patch", "grove", "housing_district", "streets"]

Points = Float[np.ndarray, "n 2"]


def streets(
    canvas: Canvas, frame: Frame, size_m: tuple[float, float], block_m: tuple[float, float]
) -> None:
    """A grid of streets over a rectangle around the frame."""
    width, depth = size_m
    for x in np.arange(-width / 2, width / 2 + 1, block_m[0]):
        ends = frame.px([(x, -depth / 2), (x, depth / 2)])
        road(canvas, ends, 7, marks=False, cars_every_m=24)
    for y in np.arange(-depth / 2, depth / 2 + 1, block_m[1]):
        ends = frame.px([(-width / 2, y), (width / 2, y)])
        road(canvas, ends, 6, marks=False, cars_every_m=18)


def housing_district(
    canvas: Canvas, frame: Frame, size_m: tuple[float, float], roof: str, lot_m: float = 14.0
) -> Points:
    """Dense housing over a rectangle around the frame; return its outline in pixels."""
    outline = frame.px(box(size_m[0] + 8, size_m[1] + 8))
    region = canvas.region(outline)
    if region is not None:
        base = vary(canvas.rng, canvas.look.grass)
        canvas.cover(region, base, mix(base, canvas.look.soil, 0.7), 20)
        canvas.blocked[region.rows, region.cols][region.cover > 0.5] = 0
    streets(canvas, frame, size_m, (lot_m * 9 + 9, lot_m * 2 + 9))
    houses(canvas, frame.child(lot_m / 2, lot_m / 4), lot_m, 0.95, roof, size_m)
    plant(canvas, tree_positions(canvas, 9, 0.45, outline), 2.3)
    return outline


def city_centre(
    canvas: Canvas, frame: Frame, size_m: tuple[float, float], tallest: float
) -> Points:
    """A city centre of tall blocks over a rectangle around the frame; return its outline."""
    rng = canvas.rng
    outline = frame.px(box(size_m[0] + 20, size_m[1] + 20))
    region = canvas.region(outline)
    if region is not None:
        canvas.cover(region, vary(rng, CONCRETE), (150, 150, 146), 20)
        canvas.blocked[region.rows, region.cols][region.cover > 0.5] = 0
    step = 62.0
    streets(canvas, frame, size_m, (step, step))
    nx, ny = (int(side / step) for side in size_m)
    for i in range(nx):
        for j in range(ny):
            x, y = (i + 0.5) * step - size_m[0] / 2, (j + 0.5) * step - size_m[1] / 2
            _block(canvas, frame.child(x, y), step - 14, tallest)
    plant(canvas, tree_positions(canvas, 9, 0.3, outline), 2.4)
    return outline


def _block(canvas: Canvas, site: Frame, side: float, tallest: float) -> None:
    """One city block: a tower on its base, or four houses around a yard."""
    rng = canvas.rng
    if rng.random() < 0.45:
        width, depth = rng.uniform(0.75, 0.95, 2) * side
        base = flat_block(canvas, site, width, depth, rng.uniform(10, 16))
        tower = site.child(*rng.uniform(-4, 4, 2))
        flat_block(canvas, tower, width * 0.55, depth * 0.55, rng.uniform(0.5, 1) * tallest, base)
        canvas.record("tall building", site.px(box(width, depth)))
        return
    half = side / 4
    for x, y in ((-half, -half), (half, -half), (half, half), (-half, half)):
        if rng.random() < 0.9:
            width, depth = rng.uniform(0.38, 0.49, 2) * side
            flat_block(canvas, site.child(x, y), width, depth, rng.uniform(0.2, 0.6) * tallest)
            canvas.record("tall building", site.child(x, y).px(box(width, depth)))


def city_park(canvas: Canvas, frame: Frame, radius_m: float) -> Points:
    """A park with lawns, paths, trees and a pond; return its outline."""
    rng = canvas.rng
    outline = frame.px(blob(rng, radius_m, 0.06))
    region = canvas.region(outline)
    if region is not None:
        lawn = mix(canvas.look.grass, (100, 146, 70), 0.6)
        canvas.cover(region, lawn, mix(lawn, canvas.look.grass, 0.5), 25)
        canvas.blocked[region.rows, region.cols][region.cover > 0.5] = 0
    for share in (0.45, 0.9):
        ring = frame.px(blob(rng, radius_m * share, 0.05))
        canvas.stroke(ring, 3, (214, 202, 176), closed=True, block=True)
    for k in range(5):
        arm = frame.child(0, 0, 2 * np.pi * k / 5)
        bend = rng.uniform(-15, 15)
        path = arm.px(smooth_line([(0, 0), (radius_m / 2, bend), (radius_m, 0)]))
        canvas.stroke(path, 3, (214, 202, 176), block=True)
    pond(canvas, frame.px(blob(rng, radius_m * 0.3)), (64, 98, 104), "pond")
    plant(canvas, tree_positions(canvas, 11, 0.65, outline), 3.6)
    canvas.record("park", outline)
    return outline


def grove(canvas: Canvas, outline_px: Points, share: float = 0.85, spacing_m: float = 7.0) -> None:
    """Trees on free ground inside an outline."""
    plant(canvas, tree_positions(canvas, spacing_m, share, outline_px), 3.6, tall=2.0)


def forest_patch(canvas: Canvas, outline_px: Points) -> Points:
    """Closed forest with a dark floor inside an outline; return the outline."""
    region = canvas.region(outline_px)
    if region is not None:
        floor = mix(canvas.look.grass, (50, 58, 36), 0.6)
        region.cover[canvas.blocked[region.rows, region.cols] > 0] = 0
        canvas.cover(region, floor, mix(floor, (40, 44, 30), 0.4), 20)
    forest(canvas, 3.8, within_px=outline_px)
    canvas.record("forest", outline_px)
    return outline_px
