"""Counts and choices as words."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

__all__ = ["Facts", "counted", "number", "pick"]

T = TypeVar("T")

Facts = dict[str, str]
"""What an image shows, as phrases by role; captions are filled from it."""

_NUMBERS = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve",
)  # fmt: skip


def number(count: int) -> str:
    """A count up to twelve as a word; beyond that nobody counts: "many"."""
    return _NUMBERS[count] if count < len(_NUMBERS) else "many"


def counted(count: int, one: str, many: str | None = None) -> str:
    """`3, "white plane"` -> "three white planes"."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of the options, all equally likely."""
    return options[int(rng.integers(len(options)))]
