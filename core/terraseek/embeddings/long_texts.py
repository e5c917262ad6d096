"""Texts longer than a text tower reads: encoded in pieces, so that nothing is cut off."""

import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from terraseek.encoders.base import Encoder, unit

__all__ = ["encode_whole", "pieces"]

_BREAKS = re.compile(r"(?<=[,.;:])\s+")


def encode_whole(encoder: Encoder, texts: Sequence[str]) -> Float32[np.ndarray, "n dim"]:
    """Unit vectors of texts of any length: the mean of the unit vectors of their pieces.

    CLIP reads 77 tokens; RS5M's metadata of fMoW have 128 on average, and what is behind the 77th
    (off-nadir angle, cloud, the place in the image) would not be encoded at all.

    Raises:
        EmptyQueryError: a text has no visible character.
    """
    parts = [pieces(text, encoder) for text in texts]
    vectors = encoder.encode_texts([piece for part in parts for piece in part])
    ends = np.cumsum([len(part) for part in parts])
    means = [block.mean(axis=0) for block in np.split(vectors, ends[:-1])]
    return unit(np.stack(means))


def pieces(text: str, encoder: Encoder) -> list[str]:
    """The text in as few pieces as a text tower reads whole, broken behind punctuation.

    A stretch without punctuation that is too long stays one piece, whose end is cut off.
    """
    found: list[str] = []
    for part in _BREAKS.split(text.strip()):
        longer = f"{found[-1]} {part}" if found else part
        needed, read = encoder.token_count(longer)
        if found and needed <= read:
            found[-1] = longer
        else:
            found.append(part)
    return found
