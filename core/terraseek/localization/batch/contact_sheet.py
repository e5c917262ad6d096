"""A contact sheet: the best rows of a batch as images with their sentences, on one page."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from terraseek.files import atomic_path
from terraseek.localization.batch.results import RowResult
from terraseek.localization.output.colour.palette import colour_of_level
from terraseek.localization.output.figure.text import draw_lines, font, readable, wrap
from terraseek.significance.words import WORDS

__all__ = ["MOST_IMAGES", "write_contact_sheet"]

MOST_IMAGES = 40
"""Rows on the sheet; the report has all of them."""
_COLUMNS, _CELL, _IMAGE = 5, (400, 430), 300
_MARGIN = 30
_SIZE = 20
_MOST_LINES = 3
_DARK, _GREY = (30, 34, 40), (90, 96, 104)


def write_contact_sheet(path: Path, results: Sequence[RowResult]) -> None:
    """Write the first rows as PNG; without any row that is done, a page that says so.

    Args:
        path: file to write, in the folder to which the thumbnails are relative.
        results: see `ranked`.
    """
    shown = [one for one in results if one.done][:MOST_IMAGES]
    n_lines = max(1, -(-len(shown) // _COLUMNS))
    size = (2 * _MARGIN + _COLUMNS * _CELL[0], 2 * _MARGIN + 50 + n_lines * _CELL[1])
    sheet = Image.new("RGB", size, "white")
    title = f"{len(shown)} of {len(results)} rows, the best first"
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, _MARGIN), title, _DARK, font(28))
    for index, one in enumerate(shown):
        left = _MARGIN + index % _COLUMNS * _CELL[0]
        top = _MARGIN + 50 + index // _COLUMNS * _CELL[1]
        _draw_cell(sheet, draw, (left, top), index + 1, one, path.parent)
    with atomic_path(path) as part:
        sheet.save(part, "PNG")


def _draw_cell(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    place: tuple[int, int],
    rank: int,
    one: RowResult,
    folder: Path,
) -> None:
    left, top = place
    width = _CELL[0] - 24
    with Image.open(folder / one.thumbnail, formats=["JPEG"]) as image:
        image.thumbnail((width, _IMAGE))
        sheet.paste(image, place)
        below = top + image.height + 10
    known = one.significance is not None
    colour = colour_of_level(one.significance)
    word = WORDS[one.significance] if one.significance else "not assessed"
    draw.rectangle([left, below + 3, left + 16, below + 19], colour)
    chance = f" {100 * one.probability:.0f} %" if known and one.probability is not None else ""
    head = f"{rank}. {word}{chance} · score {one.best_score:.3f}"
    draw.text((left + 24, below), head, _DARK, font(_SIZE))
    sentence, scene = readable(one.sentence), readable(one.scene)
    letters = font(_SIZE, sentence)
    lines = wrap(sentence, letters, width)
    if len(lines) > _MOST_LINES:
        lines = [*lines[: _MOST_LINES - 1], f"{lines[_MOST_LINES - 1]} ..."]
    end = draw_lines(draw, (left, below + 28), lines, letters, _SIZE, _DARK)
    letters = font(_SIZE, scene)
    draw_lines(draw, (left, end), wrap(scene, letters, width)[:1], letters, _SIZE, _GREY)
