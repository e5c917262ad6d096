"""Text in images: fonts, letters that no font has, wrapping, and sizes that fit."""

import re
import unicodedata
from functools import lru_cache

from PIL import ImageDraw, ImageFont, features

__all__ = ["CODES_NOTE", "Font", "draw_lines", "fit_text", "font", "readable", "wrap"]

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
CODES_NOTE = (
    "Letters that no font of this computer has are written as \\uXXXX codes; other files have the "
    "sentence itself. A font such as Noto Sans CJK shows them."
)
"""What an image says that has codes in place of letters."""
_FONTS = (
    "",  # Pillow's own
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial.ttf", "arial.ttf"),
    *("NotoSansCJK-Regular.ttc", "NotoSansCJKsc-Regular.otf", "wqy-zenhei.ttc", "wqy-microhei.ttc"),
    *("DroidSansFallbackFull.ttf", "msyh.ttc", "msgothic.ttc", "malgun.ttf", "PingFang.ttc"),
    *("NotoSansArabic-Regular.ttf", "NotoSansDevanagari-Regular.ttf", "Nirmala.ttf"),
    *("Arial Unicode.ttf", "unifont.otf", "seguisym.ttf"),
)
"""Fonts of operating systems by file name; of those with most letters of a text, the first one."""
_PROBE_SIZE = 20
_VARIATIONS = frozenset(map(chr, range(0xFE00, 0xFE10)))
"""They choose how the letter before them is drawn."""
_NO_LETTER = chr(0x10FFFF)
"""Code point that no font may have."""
_LINE_HEIGHT = 1.25
_MIN_TITLE = 24


def font(size: int, text: str = "") -> Font:
    """The font in pixels that has most letters of `text`, of those on this computer."""
    return _load(_best_font(text), size) or ImageFont.load_default(size)


def readable(text: str) -> str:
    r"""The text with codes (\u6e2f) or names (:ship:) where no font has the letters.

    So every letter is said, where a font would draw the same empty box for all. Words are written
    in codes as a whole, apart from ASCII, since letters of some scripts change with their
    neighbours.
    """
    lacking = _lacking(_best_font(text), text)
    return re.sub(r"\S+", lambda word: _word(word[0], lacking), text) if lacking else text


def _word(word: str, lacking: frozenset[str]) -> str:
    if not any(letter in lacking and not _is_symbol(letter) for letter in word):
        return "".join(_code(letter) if letter in lacking else letter for letter in word)
    return "".join(
        _code(letter) if letter in lacking or _is_foreign(letter) else letter for letter in word
    )


def _is_foreign(letter: str) -> bool:
    return not letter.isascii() and unicodedata.category(letter)[0] in "LM"


def _is_symbol(letter: str) -> bool:
    """Emoji and the like, and what joins or changes them."""
    return unicodedata.category(letter) in ("So", "Sk", "Cf") or letter in _VARIATIONS


def _code(letter: str) -> str:
    name = unicodedata.name(letter, "")
    if unicodedata.category(letter) == "So" and name:
        return f":{name.lower().replace(' ', '_')}:"
    return "" if _is_symbol(letter) else letter.encode("unicode_escape").decode("ascii")


@lru_cache(maxsize=256)
def _best_font(text: str) -> str:
    """The first of the fonts that lack the fewest letters."""
    fewest, best = len(text) + 1, ""
    for name in _FONTS:
        count = len(_lacking(name, text))
        if count < fewest:
            fewest, best = count, name
        if not count:
            break
    return best


def _lacking(name: str, text: str) -> frozenset[str]:
    """Letters of a text that a font does not have; all of them if the computer lacks the font."""
    letters = _load(name, _PROBE_SIZE)
    visible = frozenset(letter for letter in text if not letter.isspace())
    if letters is None:
        return visible
    missing = bytes(letters.getmask(_NO_LETTER))
    return frozenset(
        letter
        for letter in visible
        if bytes(letters.getmask(letter)) == missing or _needs_shaping(letter)
    )


@lru_cache(maxsize=1)
def _shapes() -> bool:
    return features.check("raqm") is True


def _needs_shaping(letter: str) -> bool:
    """Whether Pillow would draw the letters of a word in the wrong order, and apart."""
    return unicodedata.bidirectional(letter) in ("R", "AL") and not _shapes()


@lru_cache(maxsize=64)
def _load(name: str, size: int) -> Font | None:
    """A font by file name, blank for Pillow's own; None if this computer does not have it."""
    try:
        return ImageFont.truetype(name, size) if name else ImageFont.load_default(size)
    except OSError:
        return None


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
