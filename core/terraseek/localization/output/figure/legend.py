"""The column beside the map: colours, regions, best place, north arrow and scale bar."""

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw

from terraseek.localization.heatmap import HeatMap
from terraseek.localization.output.colour.palette import colour_of_level
from terraseek.localization.output.colour.scale import ColourScale
from terraseek.localization.output.figure.map_scale import ScaleBar
from terraseek.localization.output.figure.text import draw_lines, font, wrap
from terraseek.localization.output.outlines import area_text
from terraseek.localization.output.regions import Region
from terraseek.significance.model import LEVELS
from terraseek.significance.words import WORDS

__all__ = ["BODY", "DARK", "GREY", "SMALL", "draw_legend", "draw_north", "draw_scale_bar"]

Colour: TypeAlias = tuple[int, int, int]
DARK: Colour = (30, 34, 40)
GREY: Colour = (90, 96, 104)
WHITE: Colour = (255, 255, 255)
BODY, SMALL = 30, 25
"""Sizes of text in pixels; at 200 dpi 11 and 9 points."""
_BAR_HEIGHT, _BAR_WIDTH = 380, 44


def draw_legend(
    canvas: Image.Image,
    place: tuple[int, int],
    width: int,
    heat: HeatMap,
    found: Sequence[Region],
    lowest: float,
    scale: ColourScale,
) -> int:
    """Draw the meaning of colours and lines; returns the row below it.

    Args:
        canvas: image to draw into.
        place: (column, row) of the upper left corner.
        width: of the legend in pixels.
        heat: the heat map.
        found: its regions.
        lowest: lowest cosine of a region.
        scale: of the map's colours.
    """
    draw = ImageDraw.Draw(canvas)
    left, top = place
    draw.text((left, top), "Score (cosine)", DARK, font(BODY))
    _draw_ramp(canvas, (left, top + 54), scale, lowest)
    top += 54 + _BAR_HEIGHT + 34
    lines = wrap(scale.note, font(SMALL), width)
    top = round(draw_lines(draw, (left, top), lines, font(SMALL), SMALL, GREY))
    top += 34
    text_width = width - 76
    top = _draw_levels(draw, (left, top), heat, found)
    lines = wrap(_regions_text(heat, found, lowest), font(SMALL), text_width)
    top = round(draw_lines(draw, (left + 76, top), lines, font(SMALL), SMALL, GREY))
    top += 24
    draw.ellipse([left + 10, top, left + 44, top + 34], outline=DARK, width=4)
    best = f"best place: score {heat.peak.score:.3f}, {_place(heat)}"
    lines = wrap(best, font(SMALL), text_width)
    return round(draw_lines(draw, (left + 76, top), lines, font(SMALL), SMALL, GREY))


def _draw_levels(
    draw: ImageDraw.ImageDraw, place: tuple[int, int], heat: HeatMap, found: Sequence[Region]
) -> int:
    """A line with its colour for each level that the outlines have; returns the row below."""
    left, top = place
    present = [heat.level_at(region.peak.score) for region in found] or [heat.significance]
    for level in (one for one in (*LEVELS, None) if one in present):
        text = "Regions, not assessed" if level is None else f"Regions: {WORDS[level]}"
        draw.line([(left, top + 16), (left + 56, top + 16)], colour_of_level(level), 7)
        draw.text((left + 76, top), text, DARK, font(BODY))
        top += round(1.3 * BODY)
    return top


def _draw_ramp(
    canvas: Image.Image, place: tuple[int, int], scale: ColourScale, lowest: float
) -> None:
    """Colour ramp as it looks on white, with its ends or levels, and the threshold."""
    draw = ImageDraw.Draw(canvas)
    left, top = place
    values = np.linspace(255, 0, _BAR_HEIGHT).round().astype(np.uint8)
    bar = Image.fromarray(scale.painted_table[np.tile(values[:, None], (1, _BAR_WIDTH))])
    canvas.paste(WHITE, (left, top, left + _BAR_WIDTH, top + _BAR_HEIGHT))
    canvas.paste(bar, place, bar)
    draw.rectangle([left, top, left + _BAR_WIDTH, top + _BAR_HEIGHT], outline=DARK, width=2)

    def row_of(score: float) -> float:
        return top + (1 - scale.position(score)) * _BAR_HEIGHT

    right, line = left + _BAR_WIDTH, row_of(lowest)
    draw.line([(left - 8, line), (right + 14, line)], DARK, 5)
    labels = [(row_of(score), text) for score, text in _ramp_labels(scale)]
    for row, _ in labels[1:-1]:
        draw.line([(left, row), (right + 14, row)], DARK, 2)
    labels = [label for label in labels if abs(label[0] - line) > BODY]
    for row, label in [*labels, (line, f"{lowest:.3f} threshold")]:
        draw.text((right + 22, row - BODY / 2), label, DARK, font(SMALL))


def _ramp_labels(scale: ColourScale) -> list[tuple[float, str]]:
    """Scores and texts from the upper end of the ramp to the lower."""
    if scale.likely_from is None or scale.possible_from is None:
        return [(scale.high, f"{scale.high:.3f}"), (scale.low, f"{scale.low:.3f} median")]
    return [
        (scale.high, f"{scale.high:.3f}"),
        (scale.likely_from, f"{scale.likely_from:.3f} likely"),
        (scale.possible_from, f"{scale.possible_from:.3f} possible"),
        (scale.low, f"{scale.low:.3f} no evidence"),
    ]


def _regions_text(heat: HeatMap, found: Sequence[Region], lowest: float) -> str:
    known = [region.area_m2 for region in found if region.area_m2 is not None]
    size = ""
    if known and len(known) == len(found):
        size = f", {_written_out(area_text(sum(known)))} in all"
    if not heat.georef.located and found:
        size = f", {sum(region.area_px for region in found):,.0f} pixels in all"
    count = "no area" if not found else "1 area" if len(found) == 1 else f"{len(found)} areas"
    return f"{count} with scores from {lowest:.3f} up{size}"


def _written_out(area: str) -> str:
    """Square units in letters, because Pillow's own font has no superscript."""
    return area.replace("km²", "sq km").replace("m²", "sq m")


def _place(heat: HeatMap) -> str:
    peak = heat.peak
    if peak.lat is None or peak.lon is None:
        return f"column {peak.col:,}, row {peak.row:,}"
    return f"{peak.lat:.5f}, {peak.lon:.5f} (lat, lon)"


def draw_north(
    draw: ImageDraw.ImageDraw, centre: tuple[float, float], north: tuple[float, float]
) -> None:
    """Draw an arrow that points north with an N at its tip.

    Args:
        draw: of the image.
        centre: (column, row) of the middle of the arrow.
        north: unit vector (right, down), see `north_direction`.
    """
    length, half_width = 56.0, 22.0
    angle = math.atan2(north[1], north[0])

    def at(forward: float, aside: float) -> tuple[float, float]:
        right, down = math.cos(angle), math.sin(angle)
        return (
            centre[0] + forward * right - aside * down,
            centre[1] + forward * down + aside * right,
        )

    tip, notch = at(length, 0), at(-length * 0.4, 0)
    draw.polygon([tip, at(-length * 0.7, half_width), notch], DARK, DARK)
    draw.polygon([tip, at(-length * 0.7, -half_width), notch], WHITE, DARK, 3)
    draw.text(at(length + 26, 0), "N", DARK, font(BODY), anchor="mm")


def draw_scale_bar(
    draw: ImageDraw.ImageDraw, place: tuple[float, float], bar: ScaleBar, factor: float
) -> None:
    """Draw a scale bar in two halves with its length beside it.

    Args:
        draw: of the image.
        place: (column, row) of its upper left corner.
        bar: the bar.
        factor: image pixels per pixel of the scene.
    """
    left, top = place
    middle, right = (left + bar.length_px * factor * share for share in (0.5, 1.0))
    draw.rectangle([left, top, right, top + 16], WHITE, DARK, 3)
    draw.rectangle([left, top, middle, top + 16], DARK)
    draw.text((right + 18, top + 8), bar.label, DARK, font(BODY), anchor="lm")
