"""Colours on the screen, for tests in a browser."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

__all__ = ["on_screen", "screen_pixels"]


def on_screen(page: Any, key: str, lon: float, lat: float) -> tuple[float, float]:
    """Where a place of a map is on the page, in CSS pixels."""
    x, y = page.evaluate(
        """([key, place]) => {
            const { map } = window.__terraseek[key];
            const frame = map.getContainer().getBoundingClientRect();
            const at = map.project(place);
            return [frame.x + at.x, frame.y + at.y];
        }""",
        [key, [lon, lat]],
    )
    return x, y


def screen_pixels(page: Any, clip: Mapping[str, float]) -> np.ndarray:
    """RGB of a part of the page: `x`, `y`, `width` and `height` in CSS pixels; integers."""
    image = Image.open(io.BytesIO(page.screenshot(clip=dict(clip)))).convert("RGB")
    return np.asarray(image).astype(int)
