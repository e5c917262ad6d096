"""Vocabulary of the training captions: detect queries with words the model has never seen.

The cosines of such queries are not lower than those of others, because the vectors of unknown words
are arbitrary. So a threshold on cosines cannot detect them, but a list of known words can.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from terraseek.errors import ConfigError

__all__ = ["WORDS", "content_words", "mostly_unknown", "unknown_words"]

WORDS = "words"
"""Key in a card's calibration: content words of the training captions, separated by blanks."""
_FUNCTION_WORDS = (
    "a about above across after all along also among an and another any are around as at be been "
    "before behind below beside between both but by can down each either every for from front had "
    "has have he her here his how in inside into is it its just like many more most much my near "
    "next no not of off on one only onto or other our out outside over own part per see several "
    "she show shows side so some such than that the their them then there these they this those "
    "through to together too towards two under up upon very was we were what when where which "
    "while who whose why will with within without you your"
)
_STOP_WORDS = frozenset(_FUNCTION_WORDS.split())
_LATIN = re.compile(r"[a-z0-9]", re.IGNORECASE)
_ENDINGS = ("ings", "ing", "ies", "ied", "es", "ed", "s", "y", "e")


def content_words(sentence: str) -> list[str]:
    """Return the words of three letters or more, lower case, without stop words."""
    words = re.findall(r"[^\W\d_]{3,}", sentence.lower())
    return [word for word in dict.fromkeys(words) if word not in _STOP_WORDS]


def unknown_words(sentences: Sequence[str], calibration: Mapping[str, Any] | None) -> list[str]:
    """Return the content words that no training caption contains, in any inflection.

    Args:
        sentences: the query.
        calibration: of the model card; if it has no `words`, the result is empty.

    Raises:
        ConfigError: `words` of the card is not a string.
    """
    known = _known(calibration)
    if known is None:
        return []
    found = dict.fromkeys(word for sentence in sentences for word in content_words(sentence))
    return [word for word in found if not _stems(word) & known]


def mostly_unknown(sentences: Sequence[str], calibration: Mapping[str, Any] | None) -> bool:
    """Return whether, in every sentence, more than half of the content words are unknown.

    Sentences without any Latin letter or digit (other scripts, emoji) are unknown, too, to models
    whose training captions are English.

    Raises:
        ConfigError: `words` of the card is not a string.
    """
    if _known(calibration) is None:
        return False
    return bool(sentences) and all(
        not _LATIN.search(sentence)
        or 2 * len(unknown_words([sentence], calibration)) > len(content_words(sentence))
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
    """The word and its possible stems; two inflections of a word have a stem in common."""
    return frozenset(_possible_stems(word))


def _possible_stems(word: str) -> Iterable[str]:
    yield word
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            yield word[: -len(ending)]
