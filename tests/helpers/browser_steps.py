"""Steps for tests in a browser."""

from typing import Any


def drag(page: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag between two points of the map's free part, in fractions of its width and height."""
    frame = page.locator(".ts-free").bounding_box()
    at = [
        (frame["x"] + x * frame["width"], frame["y"] + y * frame["height"]) for x, y in (start, end)
    ]
    page.mouse.move(*at[0])
    page.mouse.down()
    page.mouse.move(*at[1], steps=6)
    page.mouse.up()
