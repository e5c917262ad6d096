"""Painters of coarse land: ten classes at 10 m per pixel, as reflectance of the ground.

Values are reflectance in thousandths (red, green, blue) in images of `side` x `side` pixels. A
house is one pixel here and a motorway a line.
"""

from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import Float32

__all__ = ["LANDS", "Ground"]

Ground = Float32[np.ndarray, "side side 3"]
Painter = Callable[[int, np.random.Generator], Ground]

_FIELDS = np.array(
    [[220, 170, 120], [165, 125, 88], [110, 84, 62], [195, 125, 85], [240, 190, 135],
     [42, 76, 36], [55, 104, 42], [32, 56, 30], [130, 110, 75], [95, 100, 60]], np.float32,
)  # fmt: skip
_GREENS = np.array([[45, 80, 38], [52, 92, 42], [60, 86, 46], [38, 66, 34]], np.float32)
_WILD = np.array(
    [[122, 104, 76], [98, 88, 64], [62, 66, 46], [140, 120, 86], [84, 66, 50]], np.float32
)
_WATER = np.array([[6, 14, 24], [10, 30, 36], [24, 44, 34], [48, 62, 52], [4, 10, 30]], np.float32)
_WOODS = np.array([[19, 31, 18], [26, 44, 22], [32, 40, 26]], np.float32)


def _smooth(side: int, scale: float, rng: np.random.Generator) -> Float32[np.ndarray, "side side"]:
    """Noise of mean 0 and standard deviation 1 whose spots are about `scale` pixels wide."""
    raw = rng.standard_normal((side, side)).astype(np.float32)
    soft = cv2.GaussianBlur(raw, (0, 0), scale) if scale > 0 else raw
    return np.asarray((soft - soft.mean()) / max(float(soft.std()), 1e-6), np.float32)


def _uniform(side: int, colour: Float32[np.ndarray, " 3"]) -> Ground:
    return np.broadcast_to(colour, (side, side, 3)).astype(np.float32).copy()


def _grain(ground: Ground, strength: float, scale: float, rng: np.random.Generator) -> Ground:
    noise = _smooth(len(ground), scale, rng)
    return ground + strength * noise[..., None] * np.array([1.0, 1.0, 0.8], np.float32)


def _rotated_axes(
    side: int, rng: np.random.Generator
) -> tuple[Float32[np.ndarray, "side side"], Float32[np.ndarray, "side side"]]:
    """Pixel coordinates along two perpendicular axes, rotated at random."""
    row, col = np.mgrid[0:side, 0:side].astype(np.float32)
    angle = rng.uniform(0, np.pi)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return cos * col + sin * row, -sin * col + cos * row


def _parcels(
    side: int,
    width: tuple[float, float],
    length: tuple[float, float],
    colours: Float32[np.ndarray, "n 3"],
    rng: np.random.Generator,
) -> tuple[Ground, Float32[np.ndarray, "side side"]]:
    """Fields of one colour each, as strips cut across; also the coordinate across the strips."""
    across, along = _rotated_axes(side, rng)
    edges = np.cumsum(rng.uniform(*width, 400)) - 200 * np.mean(width)
    strip = np.searchsorted(edges, across)
    number = np.zeros((side, side), np.int64)
    for value in np.unique(strip):
        cuts = np.cumsum(rng.uniform(*length, 400)) - 200 * np.mean(length)
        inside = strip == value
        number[inside] = np.searchsorted(cuts, along[inside]) + 1000 * value
    _, number = np.unique(number, return_inverse=True)
    number = number.reshape(side, side)
    shade = colours[rng.integers(len(colours), size=number.max() + 1)]
    shade = shade * rng.uniform(0.88, 1.12, (len(shade), 1))
    return shade[number].astype(np.float32), across


def _annual(side: int, rng: np.random.Generator) -> Ground:
    ground, across = _parcels(side, (9, 34), (16, 60), _FIELDS, rng)
    ground += (1.5 * np.sin(across * rng.uniform(1.5, 3.0)))[..., None]
    return _grain(ground, 2.0, 0.8, rng)


def _permanent(side: int, rng: np.random.Generator) -> Ground:
    colours = np.vstack([_WILD, _GREENS[:2], _FIELDS[:4]])
    ground, across = _parcels(side, (4, 13), (6, 26), colours, rng)
    rows = np.sin(across * rng.uniform(1.8, 3.0))
    ground += (rng.uniform(3, 9) * rows)[..., None]
    if rng.random() < 0.5:  # trees at the corners of a grid, in some of the parcels
        first, second = _rotated_axes(side, rng)
        period = rng.uniform(2.2, 3.4)
        crowns = (np.mod(first, period) < 1.1) & (np.mod(second, period) < 1.1)
        crowns &= _smooth(side, 7, rng) > rng.uniform(-1, 0.6)
        ground[crowns] = 0.35 * ground[crowns] + 0.65 * np.array([40, 52, 32])
    return _grain(ground, 6.0, 0.5, rng)


def _pasture(side: int, rng: np.random.Generator) -> Ground:
    ground, _ = _parcels(side, (20, 60), (24, 70), _GREENS, rng)
    ground = 0.6 * ground + 0.4 * ground.mean((0, 1))
    ground = _grain(_grain(ground, 3.0, 5.0, rng), 1.2, 0.6, rng)
    if rng.random() < 0.7:  # hedges
        across, along = _rotated_axes(side, rng)
        for axis in (across, along, across, along)[: rng.integers(1, 5)]:
            bend = rng.uniform(0, 1.5) * _smooth(side, 8, rng)
            line = np.abs(axis + bend - rng.uniform(axis.min(), axis.max())) < 0.9
            ground[line] = [28, 44, 26]
    trees = _smooth(side, 1.2, rng) > rng.uniform(2.1, 3.0)
    ground[trees] = [27, 42, 25]
    return ground


def _herbaceous(side: int, rng: np.random.Generator) -> Ground:
    first, second = _WILD[rng.permutation(len(_WILD))[:2]]
    blend = 1 / (1 + np.exp(-1.5 * _smooth(side, rng.uniform(3, 9), rng)))[..., None]
    ground = (blend * first + (1 - blend) * second).astype(np.float32)
    ground = _grain(_grain(ground, 5.0, 1.2, rng), 3.0, 0.0, rng)
    shrubs = _smooth(side, 1.0, rng) > rng.uniform(1.2, 2.4)
    ground[shrubs] = 0.4 * ground[shrubs] + 0.6 * np.array([32, 42, 27])
    if rng.random() < 0.4:  # a track
        ground = _overlay(
            ground, 0.8 - _distance_to_line(side, rng.uniform(0, 8), rng), [170, 140, 100]
        )
    return _relief(ground, rng.uniform(0.03, 0.2), rng)


def _relief(ground: Ground, strength: float, rng: np.random.Generator) -> Ground:
    """Shade random relief: slopes towards the sun are lighter, those away from it darker."""
    height = _smooth(len(ground), rng.uniform(3, 8), rng)
    down, right = np.gradient(height)
    sun = rng.uniform(0, 2 * np.pi)
    slope = np.cos(sun) * right + np.sin(sun) * down
    slope /= max(float(slope.std()), 1e-6)
    return np.asarray(ground * (1 + strength * slope[..., None]), np.float32)


def _forest(side: int, rng: np.random.Generator) -> Ground:
    ground = _uniform(side, _WOODS[rng.integers(len(_WOODS))] * np.float32(rng.uniform(0.8, 1.25)))
    ground = _grain(_grain(ground, rng.uniform(1.5, 4), 0.7, rng), rng.uniform(1, 3), 5.0, rng)
    if rng.random() < 0.4:  # two kinds of trees
        share = 1 / (1 + np.exp(-4 * _smooth(side, rng.uniform(2, 8), rng)))[..., None]
        ground = ground * (1 - 0.5 * share * rng.uniform(-0.6, 0.6))
    if rng.random() < 0.7:
        ground = _relief(ground, rng.uniform(0.05, 0.35), rng)
    if rng.random() < 0.3:  # clearings
        bare = _smooth(side, rng.uniform(1, 2.5), rng) > rng.uniform(2.2, 3.2)
        ground[bare] = _WILD[rng.integers(len(_WILD))]
    if rng.random() < 0.3:  # a track
        ground = _overlay(
            ground, 0.7 - _distance_to_line(side, rng.uniform(0, 10), rng), [110, 95, 70]
        )
    return np.asarray(np.maximum(ground, 4), np.float32)


_OPEN_LAND: tuple[Painter, ...] = (_annual, _pasture, _herbaceous, _forest)


def _background(side: int, rng: np.random.Generator) -> Ground:
    return _OPEN_LAND[rng.integers(len(_OPEN_LAND))](side, rng)


def _distance_to_line(
    side: int, bend: float, rng: np.random.Generator
) -> Float32[np.ndarray, "side side"]:
    """Distance in pixels from a winding line through the middle of the image."""
    across, along = _rotated_axes(side, rng)
    centre = (side - 1) / 2
    shift = float(across[int(centre), int(centre)]) + rng.uniform(-side / 5, side / 5)
    phase, wave = rng.uniform(0, 6.3), rng.uniform(0.5, 1.6) * 6.3 / side
    second = rng.uniform(0, 6.3)
    wind = bend * (np.sin(wave * along + phase) + 0.4 * np.sin(2.3 * wave * along + second))
    return np.abs(across - shift - wind).astype(np.float32)


def _overlay(ground: Ground, cover: Float32[np.ndarray, "side side"], colour: object) -> Ground:
    share = np.clip(cover, 0, 1)[..., None]
    return np.asarray(ground * (1 - share) + share * np.asarray(colour, np.float32), np.float32)


def _river(side: int, rng: np.random.Generator) -> Ground:
    ground = _background(side, rng)
    half = rng.uniform(2.5, 10)
    colour = _WATER[rng.integers(len(_WATER))] + rng.uniform(0, 40) * np.array([1, 1, 0.7])
    away = _distance_to_line(side, rng.uniform(3, 16), rng)
    ground = _overlay(ground, 1 - (away - half - 2) / 2, [30, 46, 26])  # trees on the banks
    return _overlay(ground, 1 - (away - half), colour)


def _lake(side: int, rng: np.random.Generator) -> Ground:
    water = _uniform(side, _WATER[rng.integers(len(_WATER))] * np.float32(rng.uniform(0.75, 1.15)))
    water += np.float32(rng.uniform(0, 25))  # the sun, mirrored in all bands alike
    water = _grain(_grain(water, 0.8, 0.0, rng), 1.5, 12.0, rng)
    if rng.random() < 0.7:
        return water
    ground = _background(side, rng)
    across, _ = _rotated_axes(side, rng)
    shore = across - across.mean() + 4 * _smooth(side, 8, rng) + rng.uniform(8, side / 2.5)
    return _overlay(ground, shore, water)


def _highway(side: int, rng: np.random.Generator) -> Ground:
    ground = _background(side, rng)
    if rng.random() < 0.3:
        ground = _residential(side, rng)
    colour = rng.uniform(90, 190) * np.array([1.0, 0.98, 0.95])
    for _ in range(1 + (rng.random() < 0.4)):
        away = _distance_to_line(side, rng.choice([0.0, 0.0, 1.0, 3.0]), rng)
        half = rng.uniform(0.4, 1.6)
        if rng.random() < 0.4:  # trees along it
            ground = _overlay(ground, 2.2 - (away - half), [34, 50, 30])
        ground = _overlay(ground, 1.2 - (away - half), colour)
        ground = _overlay(ground, 0.6 - away, colour * 0.75)  # the green between the carriageways
    return ground


def _residential(side: int, rng: np.random.Generator) -> Ground:
    ground = _forest(side, rng)
    ground = 0.55 * ground + 0.45 * _uniform(side, np.array([100, 96, 84], np.float32))
    roofs = _smooth(side, 0.6, rng) > rng.uniform(0.2, 0.9)
    tint = np.array([[170, 110, 80], [160, 150, 135], [110, 95, 85]])[rng.integers(3)]
    ground[roofs] = tint * rng.uniform(0.7, 1.2)
    ground[_smooth(side, 0.5, rng) > rng.uniform(1.8, 3.2)] = 260  # light roofs
    across, along = _rotated_axes(side, rng)
    period = rng.uniform(6, 14)
    streets = (np.mod(across, period) < 1.1) | (np.mod(along, 1.7 * period) < 1.1)
    ground[streets] = 0.4 * ground[streets] + 0.6 * np.array([105, 100, 92])
    return _grain(ground, 7.0, 0.4, rng)


def _industrial(side: int, rng: np.random.Generator) -> Ground:
    ground = _grain(_uniform(side, np.array([110, 104, 94], np.float32)), 7.0, 1.2, rng)
    green = _smooth(side, 4, rng) > rng.uniform(0.8, 1.8)
    ground[green] = _GREENS[rng.integers(len(_GREENS))]
    angle = float(rng.uniform(0, 90))
    for _ in range(rng.integers(6, 22)):
        centre = tuple(map(float, rng.uniform(0, side, 2)))
        size = (float(rng.uniform(4, 20)), float(rng.uniform(3, 11)))
        box = cv2.boxPoints((centre, size, angle + 90 * float(rng.integers(2)))).astype(np.int32)
        light = rng.uniform(90, 380) * np.array([1.0, 0.99, 0.96]) + rng.uniform(-14, 14, 3)
        cv2.fillConvexPoly(ground, box, tuple(map(float, light)))
    return _grain(ground, 3.0, 0.3, rng)


LANDS: dict[str, Painter] = {
    "annual crop": _annual,
    "permanent crop": _permanent,
    "pasture": _pasture,
    "herbaceous vegetation": _herbaceous,
    "forest": _forest,
    "river": _river,
    "lake": _lake,
    "highway": _highway,
    "residential": _residential,
    "industrial": _industrial,
}
"""Painter of each land class."""
