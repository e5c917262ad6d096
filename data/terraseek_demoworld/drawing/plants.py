"""Trees: crowns drawn as domes around points, all in one pass."""

import cv2
import numpy as np
from jaxtyping import Float, Float32, Int

from terraseek_demoworld.drawing.canvas import Canvas
from terraseek_demoworld.drawing.geometry import Region
from terraseek_demoworld.drawing.palette import Colour
from terraseek_demoworld.drawing.textures import fractal

__all__ = ["forest", "plant", "scatter_trees", "tree_positions"]

_TILE = 1024  # pixels planted at once, which bounds the memory of large scenes


def tree_positions(
    canvas: Canvas,
    spacing_m: float,
    share: float = 1.0,
    within_px: Float[np.ndarray, "k 2"] | None = None,
) -> Float[np.ndarray, "n 2"]:
    """Positions (col, row) for trees: a jittered grid, off blocked ground.

    A share `share` of the grid is kept at random; `within_px` limits it to a polygon.
    """
    step = max(spacing_m / canvas.gsd_m, 1.5)
    cols, rows = np.meshgrid(
        np.arange(-step, canvas.cols + step, step), np.arange(-step, canvas.rows + step, step)
    )
    points = np.stack([cols.ravel(), rows.ravel()], 1)
    points += canvas.rng.uniform(-0.45 * step, 0.45 * step, points.shape)
    points = points[canvas.rng.random(len(points)) < share]
    inside = (points >= 0).all(1) & (points < (canvas.cols, canvas.rows)).all(1)
    points = points[inside]
    at = points.astype(int)
    free = canvas.blocked[at[:, 1], at[:, 0]] == 0
    if within_px is not None:
        mask = np.zeros((canvas.rows, canvas.cols), np.uint8)
        cv2.fillPoly(mask, [np.round(within_px).astype(np.int32)], (1,))
        free &= mask[at[:, 1], at[:, 0]] == 1
    kept: Float[np.ndarray, "n 2"] = points[free]
    return kept


def plant(
    canvas: Canvas,
    points_px: Float[np.ndarray, "n 2"],
    radius_m: float,
    colours: tuple[Colour, ...] | None = None,
    tall: float = 1.6,
) -> None:
    """Draw a tree at each point: a rough dome, `tall` times as high as the radius of its crown."""
    rng, count = canvas.rng, len(points_px)
    radius = radius_m * rng.uniform(0.65, 1.25, count).astype(np.float32)
    choice = np.asarray(colours or canvas.look.trees, np.float32)
    tone = choice[rng.integers(len(choice), size=count)]
    tone = tone * rng.uniform(0.85, 1.15, (count, 1)).astype(np.float32)
    for row in range(0, canvas.rows, _TILE):
        for col in range(0, canvas.cols, _TILE):
            _plant_tile(canvas, (row, col), points_px, radius, tone, tall)


def _plant_tile(
    canvas: Canvas,
    corner: tuple[int, int],
    points_px: Float[np.ndarray, "n 2"],
    radius: Float32[np.ndarray, " n"],
    tone: Float32[np.ndarray, "n 3"],
    tall: float,
) -> None:
    tile = _tile(canvas, corner)
    margin = int(8 / canvas.gsd_m) + 1  # crowns of trees outside the tile reach into it
    at = (points_px - (tile.cols.start - margin, tile.rows.start - margin)).astype(int)
    shape = tile.shape[0] + 2 * margin, tile.shape[1] + 2 * margin
    near = np.flatnonzero((at >= 0).all(1) & (at < (shape[1], shape[0])).all(1))
    if not len(near):
        return
    distance, index = _nearest(shape, at[near])
    inner = slice(margin, shape[0] - margin), slice(margin, shape[1] - margin)
    distance, index = distance[inner], near[index[inner]]
    rough = fractal(canvas.rng, tile.shape, max(1.6 / canvas.gsd_m, 1.5), 2)
    reach = radius[index]
    away = distance * np.float32(canvas.gsd_m) + rough * (0.12 * reach)
    cover = np.clip((reach - away) / np.float32(canvas.gsd_m) + 0.5, 0, 1)
    canvas.paint(Region(tile.rows, tile.cols, cover), tone[index] * (1 + 0.1 * rough)[..., None])
    dome = np.sqrt(np.clip(1 - (away / reach) ** 2, 0, 1)) * np.float32(tall) + np.float32(0.5)
    crown = np.where(cover > 0.3, dome * reach, 0).astype(np.float32)
    relief = canvas.relief[tile.rows, tile.cols]
    np.maximum(relief, crown, out=relief)


def _tile(canvas: Canvas, corner: tuple[int, int]) -> Region:
    rows = slice(corner[0], min(corner[0] + _TILE, canvas.rows))
    cols = slice(corner[1], min(corner[1] + _TILE, canvas.cols))
    cover = np.ones((rows.stop - rows.start, cols.stop - cols.start), np.float32)
    return Region(rows, cols, cover)


def scatter_trees(canvas: Canvas, spacing_m: float, share: float, radius_m: float = 3.0) -> None:
    """Plant single trees on free ground."""
    plant(canvas, tree_positions(canvas, spacing_m, share), radius_m)


def forest(
    canvas: Canvas,
    radius_m: float = 3.6,
    patchy: float = 0.0,
    within_px: Float[np.ndarray, "k 2"] | None = None,
) -> None:
    """Plant closed forest on free ground; `patchy` 0..1 opens gaps."""
    points = tree_positions(canvas, 1.45 * radius_m, within_px=within_px)
    if patchy > 0 and len(points):
        noise = fractal(canvas.rng, (canvas.rows, canvas.cols), 40 / canvas.gsd_m, 3)
        at = points.astype(int)
        points = points[noise[at[:, 1], at[:, 0]] > 2.2 * patchy - 1.6]
    plant(canvas, points, radius_m, tall=2.2)


def _nearest(
    shape: tuple[int, int], at: Int[np.ndarray, "n 2"]
) -> tuple[Float32[np.ndarray, "h w"], Int[np.ndarray, "h w"]]:
    """Distance in pixels to the nearest of the points (col, row), and which one it is."""
    field = np.full(shape, 255, np.uint8)
    field[at[:, 1], at[:, 0]] = 0
    distance, label = cv2.distanceTransformWithLabels(
        field, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    owner = np.zeros(int(label.max()) + 1, np.int64)
    owner[label[at[:, 1], at[:, 0]]] = np.arange(len(at))
    return distance, owner[label]
