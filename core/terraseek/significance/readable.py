"""Can an encoder read a sentence at all: is it in a script of its languages?

Text towers turn unknown scripts into arbitrary tokens, whose cosines are no lower than those of
words. The languages of the model card say which scripts the encoder knows.
"""

import unicodedata
from collections.abc import Sequence

from terraseek.encoders.cards import ModelCard

__all__ = ["readable"]

_SCRIPTS = {
    "ar": ("ARABIC",), "fa": ("ARABIC",), "ur": ("ARABIC",),
    "ru": ("CYRILLIC",), "uk": ("CYRILLIC",), "bg": ("CYRILLIC",), "sr": ("CYRILLIC", "LATIN"),
    "el": ("GREEK",), "he": ("HEBREW",), "hi": ("DEVANAGARI",), "bn": ("BENGALI",), "th": ("THAI",),
    "ta": ("TAMIL",), "te": ("TELUGU",), "ka": ("GEORGIAN",), "hy": ("ARMENIAN",),
    "zh": ("CJK",), "ja": ("CJK", "HIRAGANA", "KATAKANA"), "ko": ("HANGUL", "CJK"),
}  # fmt: skip
"""Unicode names of the letters of languages that are not written in Latin letters."""


def readable(sentences: Sequence[str], card: ModelCard | None) -> bool:
    """Return whether a sentence is mostly in letters of the encoder's languages.

    Args:
        sentences: the wordings of a query; one that can be read is enough.
        card: of the encoder; one without languages reads Latin letters.
    """
    scripts = _known_scripts(card)
    return any(_mostly(text, scripts) for text in sentences)


def _known_scripts(card: ModelCard | None) -> tuple[str, ...]:
    languages = card.languages if card is not None else ()
    found = [script for code in languages for script in _SCRIPTS.get(code[:2], ("LATIN",))]
    return tuple(dict.fromkeys([*found, "LATIN"]))


def _mostly(text: str, scripts: tuple[str, ...]) -> bool:
    """Whether at least half of the letters and symbols are letters of these scripts."""
    counted = [letter for letter in text if unicodedata.category(letter)[0] in "LS"]
    known = [letter for letter in counted if unicodedata.name(letter, "").startswith(scripts)]
    return bool(known) and 2 * len(known) >= len(counted)
