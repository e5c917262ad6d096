"""Ground cover under everything else: grass and soil."""

from terraseek_demoworld.drawing.canvas import Canvas
from terraseek_demoworld.drawing.palette import Colour, mix, vary

__all__ = ["ground"]


def ground(canvas: Canvas, colour: Colour | None = None, soil: float = 0.35) -> None:
    """Cover the canvas with the look's grass, or `colour`, mixed with a share `soil` of soil."""
    base = vary(canvas.rng, colour or canvas.look.grass, 7)
    canvas.cover(canvas.full_region(), base, mix(base, canvas.look.soil, soil), 30, 5)
