"""Words a model never read with an image: a sentence of them asks for nothing it could know.

The cosines of such sentences are no lower than those of others, because their words may lie
anywhere among the vectors; a bar on cosines cannot tell them. The words themselves can.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from terraseek.errors import ConfigError

__all__ = ["WORDS", "content_words", "is_foreign", "unread"]

WORDS = "words"
"""Entry of a card's calibration: the content words of its training sentences, with blanks."""
_PLAIN = (
    "a about above across after all along also among an and another any are around as at be been "
    "before behind below beside between both but by can down each either every for from front had "
    "has have he her here his how in inside into is it its just like many more most much my near "
    "next no not of off on one only onto or other our out outside over own part per see several "
    "she show shows side so some such than that the their them then there these they this those "
    "through to together too towards two under up upon very was we were what when where which "
    "while who whose why will with within without you your"
)
"""Words that name nothing."""
_NAMELESS = frozenset(_PLAIN.split())
_ENDINGS = ("ings", "ing", "ies", "ied", "es", "ed", "s", "y", "e")


def content_words(sentence: str) -> list[str]:
    """Words of three letters or more that may name something, as they are written."""
    words = re.findall(r"[^\W\d_]{3,}", sentence.lower())
    return [word for word in dict.fromkeys(words) if word not in _NAMELESS]


def unread(sentences: Sequence[str], calibration: Mapping[str, Any] | None) -> list[str]:
    """Content words no training sentence had, in any of their endings.

    Args:
        sentences: what is asked.
        calibration: of the model card; without `words` in it nothing is known, and none returned.

    Raises:
        ConfigError: the card's words are no text.
    """
    known = _known(calibration)
    if known is None:
        return []
    asked = dict.fromkeys(word for sentence in sentences for word in content_words(sentence))
    return [word for word in asked if not _stems(word) & known]


def is_foreign(sentences: Sequence[str], calibration: Mapping[str, Any] | None) -> bool:
    """Whether most content words of each of the sentences were never read.

    Raises:
        ConfigError: the card's words are no text.
    """
    return bool(sentences) and all(
        2 * len(unread([sentence], calibration)) > len(content_words(sentence))
        for sentence in sentences
    )


def _known(calibration: Mapping[str, Any] | None) -> frozenset[str] | None:
    words = (calibration or {}).get(WORDS)
    if words is None:
        return None
    if not isinstance(words, str):
        raise ConfigError(f"{WORDS} of the model card's calibration must be one text of words")
    return _all_stems(words)


@lru_cache(maxsize=8)
def _all_stems(words: str) -> frozenset[str]:
    return frozenset().union(*map(_stems, words.split()))


def _stems(word: str) -> frozenset[str]:
    """The word, and what is left of it without an ending; alike where words differ in endings."""
    return frozenset(_without(word))


def _without(word: str) -> Iterable[str]:
    yield word
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            yield word[: -len(ending)]
