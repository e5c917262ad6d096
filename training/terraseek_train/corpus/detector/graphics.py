"""Graphics drawn by code as negatives of the detector: plots, pages, maps, logos and others."""

from collections.abc import Callable

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFilter, ImageFont

__all__ = ["KINDS", "draw_graphic"]

Rng = np.random.Generator
_WORDS = [
    "data",
    "map",
    "north",
    "figure",
    "table",
    "total",
    "city",
    "annual",
    "report",
    "study",
    "area",
    "legend",
    "scale",
    "water",
    "index",
    "region",
    "source",
    "year",
    "population",
    "results",
    "image",
    "high",
    "low",
    "mean",
    "value",
    "survey",
    "project",
    "service",
]


def draw_graphic(rng: Rng, side: int = 192) -> UInt8[np.ndarray, "side side 3"]:
    """Draw a random graphic of a random kind."""
    kinds = list(KINDS.values())
    image = kinds[rng.integers(len(kinds))](rng, side)
    if rng.random() < 0.2:
        image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 1.2))))
    return np.asarray(image.convert("RGB"))


def _canvas(rng: Rng, side: int, dark: float = 0.25) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    low, high = (0, 90) if rng.random() < dark else (200, 256)
    image = Image.new("RGB", (side, side), _colour(rng, low, high))
    return image, ImageDraw.Draw(image)


def _colour(rng: Rng, low: int = 0, high: int = 256) -> tuple[int, int, int]:
    red, green, blue = rng.integers(low, high, 3).tolist()
    return red, green, blue


def _text(rng: Rng, words: int) -> str:
    return " ".join(_WORDS[i] for i in rng.integers(0, len(_WORDS), words))


def _plot(rng: Rng, side: int) -> Image.Image:
    image, draw = _canvas(rng, side)
    ink = _colour(rng, 0, 120)
    left, bottom = int(side * 0.12), int(side * 0.88)
    draw.line([(left, 8), (left, bottom), (side - 6, bottom)], fill=ink, width=2)
    x = np.linspace(left, side - 8, 40)
    for _ in range(rng.integers(1, 4)):
        y = bottom - np.abs(np.cumsum(rng.normal(0, side / 25, 40))) - rng.uniform(0, side / 3)
        draw.line(list(zip(x, y, strict=True)), fill=_colour(rng), width=int(rng.integers(1, 4)))
    for tick in range(5):
        draw.text((left + tick * side / 6, bottom + 3), str(rng.integers(0, 100)), fill=ink)
    draw.text((side / 4, 4), _text(rng, 3), fill=ink)
    return image


def _bars(rng: Rng, side: int) -> Image.Image:
    image, draw = _canvas(rng, side)
    count = int(rng.integers(3, 10))
    for n, height in enumerate(rng.uniform(0.1, 0.8, count)):
        x = side * (0.08 + 0.88 * n / count)
        box = (x, side * (0.92 - height), x + side * 0.6 / count, side * 0.92)
        draw.rectangle(box, fill=_colour(rng))
    draw.text((10, 4), _text(rng, 4), fill=_colour(rng, 0, 100))
    return image


def _page(rng: Rng, side: int) -> Image.Image:
    image, draw = _canvas(rng, side, dark=0.1)
    size = int(rng.integers(8, 22))
    font = ImageFont.load_default(size)
    ink = _colour(rng, 0, 100)
    for y in range(6, side, int(size * 1.4)):
        if rng.random() < 0.9:
            draw.text((6, y), _text(rng, int(rng.integers(2, 9))), fill=ink, font=font)
    return image


def _map(rng: Rng, side: int) -> Image.Image:
    image, draw = _canvas(rng, side, dark=0.0)
    for _ in range(rng.integers(3, 9)):
        centre, radius = rng.uniform(0, side, 2), rng.uniform(side / 10, side / 3)
        angles = np.sort(rng.uniform(0, 2 * np.pi, 9))
        reach = radius * rng.uniform(0.6, 1.3, 9)
        points = [
            (centre[0] + r * np.cos(a), centre[1] + r * np.sin(a))
            for a, r in zip(angles, reach, strict=True)
        ]
        draw.polygon(points, fill=_colour(rng, 140, 256), outline=_colour(rng, 60, 160))
    for _ in range(rng.integers(2, 8)):
        line = [tuple(rng.uniform(0, side, 2)) for _ in range(4)]
        draw.line(line, fill=_colour(rng, 80, 255), width=int(rng.integers(1, 5)))
    for _ in range(rng.integers(1, 5)):
        draw.text(tuple(rng.uniform(0, side * 0.8, 2)), _text(rng, 1).title(), fill=(40, 40, 40))
    return image


def _logo(rng: Rng, side: int) -> Image.Image:
    image, draw = _canvas(rng, side)
    for _ in range(rng.integers(1, 5)):
        a, b = np.sort(rng.uniform(side * 0.1, side * 0.9, (2, 2)), axis=0)
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape((*a, *b), fill=_colour(rng), outline=_colour(rng))
    font = ImageFont.load_default(int(rng.integers(16, 40)))
    draw.text((side * 0.15, side * 0.4), _text(rng, 1).upper(), fill=_colour(rng), font=font)
    return image


def _table(rng: Rng, side: int) -> Image.Image:
    image, draw = _canvas(rng, side, dark=0.05)
    rows, columns = (int(n) for n in rng.integers(3, 10, 2))
    for row in range(rows + 1):
        draw.line([(4, row * side / rows), (side - 4, row * side / rows)], fill=(120, 120, 120))
    for column in range(columns):
        x = column * side / columns
        draw.line([(x, 0), (x, side)], fill=(120, 120, 120))
        for row in range(rows):
            draw.text(
                (x + 3, (row + 0.3) * side / rows), str(rng.integers(0, 9999)), fill=(0, 0, 0)
            )
    return image


def _gradient(rng: Rng, side: int) -> Image.Image:
    ramp = np.linspace(0, 1, side)[:, None, None] * np.ones((1, side, 1))
    ramp = ramp.swapaxes(0, 1) if rng.random() < 0.5 else ramp
    pixels = ramp * np.array(_colour(rng)) + (1 - ramp) * np.array(_colour(rng))
    image = Image.fromarray(pixels.astype(np.uint8))
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(int(rng.integers(14, 30)))
    draw.text((12, side * 0.4), _text(rng, 2).title(), fill=_colour(rng), font=font)
    return image


KINDS: dict[str, Callable[[Rng, int], Image.Image]] = {
    "plot": _plot,
    "bars": _bars,
    "page": _page,
    "map": _map,
    "logo": _logo,
    "table": _table,
    "gradient": _gradient,
}
"""Kinds of graphics by name."""
