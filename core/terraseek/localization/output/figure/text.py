"""Text in images: fonts, wrapping, and sizes that fit."""

from functools import lru_cache

from PIL import ImageDraw, ImageFont

__all__ = ["Font", "draw_lines", "fit_text", "font", "wrap"]

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_WIDE_FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial.ttf", "arial.ttf")
"""Fonts of operating systems for letters that Pillow's own font lacks; the first one is used."""
_EAST_ASIAN_FONTS = ("NotoSansCJK-Regular.ttc", "msyh.ttc", "PingFang.ttc", *_WIDE_FONTS)
_FIRST_EAST_ASIAN = 0x2E80
_LINE_HEIGHT = 1.25
_MIN_TITLE = 24


def font(size: int, text: str = "") -> Font:
    """A font in pixels that has the letters of `text`, as far as this computer has one."""
    own = _font(size, ())
    missing = bytes(own.getmask(chr(0xE123)))
    foreign = [c for c in text if not c.isspace() and bytes(own.getmask(c)) == missing]
    if not foreign:
        return own
    east_asian = any(ord(letter) >= _FIRST_EAST_ASIAN for letter in foreign)
    return _font(size, _EAST_ASIAN_FONTS if east_asian else _WIDE_FONTS)


@lru_cache(maxsize=32)
def _font(size: int, names: tuple[str, ...]) -> Font:
    """The first font that this computer has; Pillow's own if it has none of them."""
    for name in names:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def wrap(text: str, letters: Font, width: float) -> list[str]:
    """Break text into lines of at most `width` pixels, inside words only where one is longer."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if letters.getlength(longer) <= width:
            lines[-1] = longer
            continue
        lines += [word] if lines[-1] else []
        lines[-1] = lines[-1] or word
        while letters.getlength(lines[-1]) > width and len(lines[-1]) > 1:
            cut = next(
                n for n in range(len(lines[-1]) - 1, 0, -1)
                if n == 1 or letters.getlength(lines[-1][:n]) <= width
            )  # fmt: skip
            lines[-1:] = [lines[-1][:cut], lines[-1][cut:]]
    return lines


def fit_text(text: str, size: int, width: float, most_lines: int) -> tuple[list[str], Font, int]:
    """Lines, font and size of text in at most `most_lines`; at the smallest size, in any number."""
    while True:
        letters = font(size, text)
        lines = wrap(text, letters, width)
        if len(lines) <= most_lines or size <= _MIN_TITLE:
            return lines, letters, size
        size -= 4


def draw_lines(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    lines: list[str],
    letters: Font,
    size: int,
    fill: tuple[int, int, int],
) -> float:
    """Draw lines of text below each other; returns the row below the last one.

    Args:
        draw: of the image.
        place: (column, row) of the upper left corner.
        lines: the text.
        letters: its font.
        size: of the font in pixels.
        fill: RGB.
    """
    left, top = place
    for line in lines:
        draw.text((left, top), line, fill, letters)
        top += size * _LINE_HEIGHT
    return top
