"""Appearance of land by climate and season, and the words for it.

Colours are RGB 0..255 of a surface in full sun.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["ASPHALT", "CONCRETE", "Colour", "Look", "look_of", "mix", "vary"]

Colour = tuple[float, float, float]

ASPHALT: Colour = (98, 98, 100)
CONCRETE: Colour = (176, 173, 166)


@dataclass(frozen=True)
class Look:
    """Colours of one climate in one season, with the words that captions use for them."""

    name: str
    grass: Colour
    soil: Colour
    trees: tuple[Colour, ...]
    water: Colour
    grass_words: str
    soil_words: str
    tree_words: str


SUMMER = Look(
    "summer", (92, 116, 62), (150, 128, 96), ((70, 98, 52), (82, 112, 60), (60, 88, 48)),
    (54, 78, 84), "green grass", "brown soil", "green trees",
)  # fmt: skip
AUTUMN = Look(
    "autumn", (128, 124, 70), (140, 116, 86), ((150, 92, 40), (170, 120, 46), (96, 84, 44)),
    (58, 74, 78), "faded grass", "brown soil", "orange autumn trees",
)  # fmt: skip
WINTER = Look(
    "winter", (134, 124, 98), (128, 110, 90), ((92, 82, 70), (108, 96, 82), (66, 70, 54)),
    (62, 74, 78), "brown winter grass", "brown soil", "bare leafless trees",
)  # fmt: skip
SNOW = Look(
    "snow", (224, 228, 234), (206, 208, 212), ((46, 60, 48), (58, 70, 56), (72, 78, 70)),
    (72, 88, 98), "white snow", "snow", "dark conifers",
)  # fmt: skip
DRY = Look(
    "dry", (176, 158, 104), (188, 158, 116), ((100, 106, 68), (112, 114, 74), (88, 96, 62)),
    (58, 88, 92), "dry yellow grass", "pale soil", "olive green trees",
)  # fmt: skip
TROPICAL = Look(
    "tropical", (86, 124, 56), (168, 102, 70), ((54, 98, 46), (72, 116, 54), (46, 86, 44)),
    (86, 96, 74), "lush green grass", "red soil", "dense green trees",
)  # fmt: skip
ARID = Look(
    "arid", (206, 182, 140), (210, 184, 142), ((94, 100, 62), (108, 108, 70), (84, 92, 58)),
    (60, 102, 108), "sand", "sand", "scattered shrubs",
)  # fmt: skip


def look_of(
    climate: str, month: int, lat: float, rng: np.random.Generator, *, snow: bool = True
) -> Look:
    """Look of a climate ("temperate", "cold", "dry", "tropical", "arid") in a month 1..12.

    Without `snow`, cold winters are brown instead of white. `lat` in degrees decides the season.
    """
    if climate in ("dry", "tropical", "arid"):
        return {"dry": DRY, "tropical": TROPICAL, "arid": ARID}[climate]
    season = (month % 12) // 3 if lat >= 0 else ((month + 6) % 12) // 3
    if season == 0:
        white = climate == "cold" or rng.random() < 0.15
        return SNOW if white and snow else WINTER
    return AUTUMN if season == 3 else SUMMER


def vary(rng: np.random.Generator, colour: Colour, amount: float = 8.0) -> Colour:
    """Colour with random changes of brightness and, less, of hue."""
    shift = rng.normal(0, amount) + rng.normal(0, amount / 3, 3)
    r, g, b = (min(max(part + off, 4.0), 252.0) for part, off in zip(colour, shift, strict=True))
    return float(r), float(g), float(b)


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Colour between `a` (share 0) and `b` (share 1)."""
    r, g, b_ = np.asarray(a) * (1 - share) + np.asarray(b) * share
    return float(r), float(g), float(b_)
