"""Chips: small images, each with its objects, its position and five captions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from terraseek.errors import ConfigError
from terraseek_demoworld.captions.phrases import Facts
from terraseek_demoworld.captions.templates import compose_captions
from terraseek_demoworld.drawing.canvas import Canvas, DrawnObject
from terraseek_demoworld.drawing.light import random_sky, render
from terraseek_demoworld.drawing.palette import look_of
from terraseek_demoworld.painters import (
    aviation,
    buildings,
    coast,
    fields,
    industry,
    leisure,
    nature,
    rail,
    ships,
    sports,
    traffic,
    water,
)
from terraseek_demoworld.places import random_place

__all__ = ["CATEGORIES", "CHIP_SIZE", "Chip", "category_of", "iter_chips", "make_chip"]

CHIP_SIZE = 224

Painter = Callable[[Canvas], Facts]

_PAINTERS: dict[str, tuple[Painter, float, float]] = {
    # category: painter, smallest and largest ground sample distance in metres
    "airport": (aviation.airport, 0.6, 1.0),
    "runway": (aviation.runway, 0.6, 1.0),
    "harbour": (ships.harbour, 0.4, 0.8),
    "stadium": (sports.stadium, 0.95, 1.0),
    "storage tanks": (industry.storage_tanks, 0.5, 0.9),
    "dense housing": (buildings.dense_housing, 0.35, 0.6),
    "sparse housing": (buildings.sparse_housing, 0.35, 0.6),
    "circular fields": (fields.circular_fields, 0.8, 1.0),
    "rectangular fields": (fields.farmland, 0.7, 1.0),
    "forest": (nature.woods, 0.5, 0.9),
    "river with bridge": (water.river_bridge, 0.5, 0.9),
    "lake": (water.lake, 0.5, 0.9),
    "beach": (coast.beach, 0.4, 0.8),
    "parking lot": (traffic.parking_lot, 0.35, 0.6),
    "motorway interchange": (traffic.interchange, 0.8, 1.0),
    "roundabout": (traffic.roundabout, 0.4, 0.7),
    "solar farm": (fields.solar_farm, 0.5, 0.9),
    "tennis courts": (sports.tennis, 0.35, 0.55),
    "baseball diamond": (sports.baseball, 0.6, 1.0),
    "desert": (nature.desert, 0.7, 1.0),
    "mountains": (nature.mountains, 0.9, 1.0),
    "warehouses": (industry.warehouses, 0.6, 0.9),
    "golf course": (leisure.golf_course, 0.7, 1.0),
    "railway station": (rail.railway_station, 0.5, 0.8),
    "park": (leisure.park, 0.5, 0.8),
    "playground": (sports.playground, 0.6, 0.9),
    "high rise": (buildings.high_rise, 0.7, 1.0),
}

_SNOWLESS = {"golf course", "tennis courts", "baseball diamond", "playground", "stadium", "beach"}
"""Categories drawn without snow, because their lawns or sand would stay green or yellow."""

CATEGORIES: tuple[str, ...] = tuple(_PAINTERS)


@dataclass(frozen=True)
class Chip:
    """Image of 224 x 224 pixels with its ground truth.

    `polygons` are outlines (col, row) in pixels inside the image; `lon`, `lat` degrees, WGS 84;
    `gsd_m` metres per pixel; `captured_at` an ISO date.
    """

    image: UInt8[np.ndarray, "224 224 3"]
    captions: list[str]
    polygons: list[DrawnObject]
    lon: float
    lat: float
    gsd_m: float
    category: str
    place: str
    captured_at: str


def make_chip(category: str, seed: int) -> Chip:
    """Draw the chip of a category and seed; reproducible on one platform.

    Raises:
        ConfigError: the category is not in `CATEGORIES`.
    """
    if category not in _PAINTERS:
        known = ", ".join(CATEGORIES)
        raise ConfigError(f"no category {category!r} in the demo world; choose one of: {known}")
    rng = np.random.default_rng([CATEGORIES.index(category), seed])
    painter, fine, coarse = _PAINTERS[category]
    place = random_place(category, rng)
    month = int(rng.integers(1, 13))
    captured = f"20{rng.integers(15, 25)}-{month:02d}-{rng.integers(1, 29):02d}"
    gsd_m = round(float(rng.uniform(fine, coarse)), 3)
    snow = category not in _SNOWLESS
    look = look_of(place.climate, month, place.lat, rng, snow=snow)
    canvas = Canvas(CHIP_SIZE, CHIP_SIZE, gsd_m, look, rng)
    facts = painter(canvas)
    image = render(canvas, random_sky(rng, place.lat))
    captions = compose_captions(category, facts, rng)
    if rng.random() < 0.08:
        captions[-1] = captions[-1].removesuffix(" .") + f" near {place.name} ."
    return Chip(
        image, captions, canvas.objects, place.lon, place.lat, gsd_m, category, place.name, captured
    )


def category_of(index: int) -> str:
    """Category of the chip at a position: each round has all categories in a new random order."""
    cycle, place = divmod(index, len(CATEGORIES))
    order = np.random.default_rng([7, cycle]).permutation(len(CATEGORIES))
    return CATEGORIES[int(order[place])]


def iter_chips(count: int, seed: int = 0) -> Iterator[Chip]:
    """Draw `count` chips in memory, balanced over the categories.

    The demo world uses seed 0 by default; train on other seeds.
    """
    for index in range(count):
        yield make_chip(category_of(index), chip_seed(seed, index))


def chip_seed(seed: int, index: int) -> int:
    """Seed of the chip at a position in the world of a seed."""
    return seed * 10_000_000 + index
