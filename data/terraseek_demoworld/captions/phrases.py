"""Phrases for captions: counts as words, and random choices."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

__all__ = ["Facts", "count_phrase", "number_word", "pick"]

T = TypeVar("T")

Facts = dict[str, str]
"""What an image shows: a phrase for each role that sentence templates name."""

_NUMBERS = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve",
)  # fmt: skip


def number_word(count: int) -> str:
    """Count as a word, up to twelve; "many" beyond."""
    return _NUMBERS[count] if count < len(_NUMBERS) else "many"


def count_phrase(count: int, one: str, many: str | None = None) -> str:
    """Count and noun, for example `3, "white plane"` -> "three white planes"."""
    return f"{number_word(count)} {one if count == 1 else many or one + 's'}"


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """Random choice from the options, all equally likely."""
    return options[int(rng.integers(len(options)))]
