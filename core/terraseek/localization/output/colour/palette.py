"""Colours of heat maps."""

import numpy as np
from jaxtyping import Bool, UInt8

from terraseek.significance.model import Level

__all__ = [
    "LEVEL_COLOURS",
    "SENTENCE_COLOURS",
    "UNKNOWN_COLOUR",
    "blend",
    "colour_of_level",
    "css_colour_of_level",
    "draw_ring",
    "sentence_colour",
    "turbo",
]

LEVEL_COLOURS: dict[Level, tuple[int, int, int]] = {
    "likely": (0, 114, 178),
    "possible": (230, 159, 0),
    "none": (153, 153, 153),
}
"""RGB of each level of significance: blue, orange and grey of Okabe and Ito's palette ("Color
Universal Design", 2008), which people with colour vision deficiencies can tell apart."""
UNKNOWN_COLOUR = (204, 121, 167)
"""RGB where the significance is unknown: reddish purple of the same palette."""

SENTENCE_COLOURS = (
    (230, 159, 0),
    (86, 180, 233),
    (204, 121, 167),
    (240, 228, 66),
    (0, 158, 115),
    (213, 94, 0),
    (0, 114, 178),
    (255, 255, 255),
)
"""RGB of several sentences on one map, of the same palette, then white."""


def sentence_colour(index: int) -> tuple[int, int, int]:
    """RGB of one of several sentences, from 0; after the last colour the first comes again."""
    return SENTENCE_COLOURS[index % len(SENTENCE_COLOURS)]


_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)


def colour_of_level(level: Level | None) -> tuple[int, int, int]:
    """RGB of a level; None is unknown."""
    return UNKNOWN_COLOUR if level is None else LEVEL_COLOURS[level]


def css_colour_of_level(level: Level | None) -> str:
    """The same for style sheets."""
    return f"rgb({','.join(map(str, colour_of_level(level)))})"


def turbo(values: UInt8[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """RGB of display values 0-255 on the ramp Turbo (Mikhailov), from dark blue to dark red."""
    import cv2

    return np.ascontiguousarray(cv2.applyColorMap(values, cv2.COLORMAP_TURBO)[..., ::-1])


def blend(
    rgb: UInt8[np.ndarray, "h w 3"],
    valid: Bool[np.ndarray, "h w"],
    values: UInt8[np.ndarray, "h2 w2"],
    table: UInt8[np.ndarray, "256 4"],
) -> UInt8[np.ndarray, "h w 3"]:
    """Draw a heat map over its scene.

    Args:
        rgb: the scene.
        valid: mask of its valid pixels; the others become white.
        values: values of the same area in any resolution.
        table: RGB and opacity of each value, see `ColourScale.table`.
    """
    import cv2

    height, width = valid.shape
    values = np.asarray(cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR))
    colours = table.astype(np.float32)[values]
    opacity = colours[..., 3:] / 255
    blended = rgb * (1 - opacity) + colours[..., :3] * opacity
    return np.where(valid[..., None], blended, 255).round().astype(np.uint8)


def draw_ring(image: UInt8[np.ndarray, "h w 3"], centre: tuple[int, int], radius: int) -> None:
    """Draw a white ring with a black edge into an image; `centre` is (column, row)."""
    import cv2

    cv2.circle(image, centre, radius, _BLACK, 3, cv2.LINE_AA)
    cv2.circle(image, centre, radius, _WHITE, 1, cv2.LINE_AA)
